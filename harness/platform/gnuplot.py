"""Runs gnuplot on a script and its data, both through standard input; no shell, no file of its own."""

from __future__ import annotations

import subprocess

from harness.model.errors import HarnessError

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
        done = subprocess.run(
            ["gnuplot", "-d", "-"], input=script, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PlotError(f"gnuplot cannot be run: {error}: install gnuplot-nox (make setup perf)") from error
    start = done.stdout.find("<svg")
    if done.returncode or start < 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PlotError(f"gnuplot refused a plot: {said}")
    return done.stdout[start:]
