"""Runs gnuplot on a script and its data, both through standard input; no shell, no file of its own."""

from __future__ import annotations

from harness.model.errors import HarnessError
from harness.platform.processes.child import ChildError, run_child

LIMIT_S = 20.0


class PlotError(HarnessError):
    """gnuplot is missing or refused a script."""


def plot_svg(script: str) -> str:
    """The SVG that a script prints.

    Raises
    ------
    PlotError
        When gnuplot is missing, refuses the script or takes too long.
    """
    try:
        done = run_child(["gnuplot", "-d", "-"], limit_s=LIMIT_S, given=script.encode())
    except ChildError as error:
        raise PlotError(f"gnuplot cannot be run: {error.message}: install gnuplot-nox (make setup perf)") from error
    start = done.text.find("<svg")
    if done.status or start < 0:
        said = ([line for line in done.errors if line.strip()] or ["no reason given"])[-1]
        raise PlotError(f"gnuplot refused a plot: {said}")
    return done.text[start:]
