"""Counts against the clock: what they predict for every value of every switch, beside what is measured."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from harness.benchmarks import Figure, Measure
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Decision
from harness.core.counts.costs import Prediction, costs_words, predict
from harness.core.wording import signed_percent, span
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.exact import count_everything
from harness.gate.measuring.host_costs import fitted_costs
from harness.gate.measuring.protocol import WARM_UP_FRAMES, choose_protocol
from harness.gate.measuring.window import observe
from harness.model.errors import GuestError
from harness.model.spec import NEEDS_GL, Machine, RunParams, RunSpec, Switches, switch_table
from harness.platform.host.leases import lease_cores
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.pin import probe_rights

MACHINE = Machine(vcpus=1, maxcpus=2)
COMPARING_S = 30.0
POINTS = 1.5
"""How far the prediction may lie from what is measured, in per cent of frame time, where the device does not decide."""
LEFT_OUT = {("LOG", "none"), *NEEDS_GL}
"""Prints no records, and so no counts, or needs another device; of FAULT every value is broken on purpose."""


def _switches(folder: Path) -> list[Figure]:
    """what counts predict for every switch"""
    default = Switches()
    base = RunSpec(build_kernel(default).path, MACHINE)
    window = observe(base, folder / "window", None)
    found = count_everything({REFERENCE: base}, folder / "counts")
    if REFERENCE not in found.parts:
        raise GuestError(f"parts are not counted here: {found.problem}")
    reference = found.parts[REFERENCE]
    costs = fitted_costs(reference, window)
    figures = [Figure(f"costs here: {costs_words(costs)}", costs.fitted, "fitted parts", 1, at_most=False)]
    for name, switch in switch_table().items():
        for value in switch.values[1:] if name != "FAULT" else ():
            if (name, value) in LEFT_OUT:
                continue
            spec = replace(base, kernel=build_kernel(default.but(**{name: value})).path)
            counted = count_everything({CANDIDATE: spec}, folder / "counts").parts
            if CANDIDATE not in counted:
                raise GuestError(f"{name}={value}: its parts are not counted")
            prediction = predict(counted[CANDIDATE], reference, costs, _frame_ms(spec, folder / "window"))
            figures.append(_beside_the_clock(f"{name}={value}", prediction, _compared(spec, base, folder / "clock")))
    return figures


def _frame_ms(spec: RunSpec, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    frame_ms = sorted(observe(spec, folder, None).frame_ms)
    if not frame_ms:
        raise GuestError("no frame in the window")
    return float(frame_ms[len(frame_ms) // 2])


def _compared(candidate: RunSpec, reference: RunSpec, folder: Path) -> Decision:
    params = RunParams(seconds=3600.0, records=0, warmup=WARM_UP_FRAMES)
    arms = {CANDIDATE: replace(candidate, params=params), REFERENCE: replace(reference, params=params)}
    with lease_cores():
        protocol = choose_protocol(probe_rights())
        timing = compare(arms, folder, protocol, COMPARING_S, lambda text: None, random_state=1)
    shutil.rmtree(folder, ignore_errors=True)
    return timing.decision


def _beside_the_clock(what: str, prediction: Prediction, clock: Decision) -> Figure:
    """How many points the prediction lies outside of what the clock's interval allows."""
    low, high = clock.low - 1, clock.high - 1
    apart = max(low - prediction.change, prediction.change - high, 0.0)
    words = f"{what}: counts {signed_percent(prediction.change)}, clock {span(low, high)}"
    if prediction.device:
        return Figure(f"{words}; the device decides: {prediction.device}", 100 * apart, "points apart", None)
    return Figure(words, 100 * apart, "points apart", POINTS)


FIGURES: tuple[Measure, ...] = (_switches,)
