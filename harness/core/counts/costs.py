"""The time that counts stand for: coefficients for one host, and the change of frame time that they predict.

Under TCG a memory access is a look-up and a copy, a block a jump and a check of the exit flag, an instruction a few
host instructions, a helper a call. That holds for every host within a factor; the factor is learned from one run, in
which the guest says how long drawing took, on the counts of the same drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from harness.core.counts.frame_counts import COUNTED, SETTLED, total_of
from harness.core.wording import percent, signed_percent
from harness.model.record import Costs, CountedFrames, PartCounts

START = Costs()
"""Before anything was measured on this host."""
STIFFNESS = 0.01
"""How much a relative change of a coefficient costs against the same relative error of the prediction."""
FITTED = ("access_ns", "instruction_ns", "block_ns", "helper_ns")
_COUNT_OF = {"access_ns": "accesses", "instruction_ns": "instructions", "block_ns": "blocks", "helper_ns": "helpers"}

EQUAL_SHARE = 0.0005
"""Share of a frame: two counts that differ by less are the same."""
EQUAL_PART = 0.01
"""Share of one part of a frame."""
FEWEST = 8.0
"""Smaller absolute differences never count as a change of a part, however small the part is."""
MOVED_MOST = 1.25
"""A part that lost more than this many times what another gained did not merely hand work over."""
DISAGREEMENT = 0.015
"""Between the predicted change and the nearer end of the clock's interval."""


def fit(observed: Sequence[tuple[PartCounts, float]]) -> Costs:
    """Coefficients, none negative, that explain how long parts took, as near to the usual ones as that allows.

    Parameters
    ----------
    observed
        Counts, and the time in ns that they took undisturbed.
    """
    usual = np.array([getattr(START, name) for name in FITTED])
    sound = [(counts, took_ns) for counts, took_ns in observed if took_ns > 0 and math.isfinite(took_ns)]
    found = START
    if sound:
        rows = [[_count(counts, name) / took_ns for name in FITTED] for counts, took_ns in sound]
        stiff = math.sqrt(STIFFNESS) * np.eye(len(FITTED))
        # First the host's speed as a whole; then, in units of the coefficients so far, each on its own.
        usual /= float(np.median(np.array(rows) @ usual))
        matrix = np.vstack([np.array(rows) * usual, stiff])
        factors, _ = optimize.nnls(matrix, np.concatenate([np.ones(len(rows)), stiff @ np.ones(len(FITTED))]))
        found = replace(found, **dict(zip(FITTED, (float(value) for value in factors * usual))), fitted=len(sound))
    return found


def _count(counts: PartCounts, coefficient: str) -> float:
    """How many of what this coefficient is of."""
    return float(getattr(counts, _COUNT_OF[coefficient]))


def cost_ns(counts: PartCounts, costs: Costs) -> float:
    """Time that these counts take."""
    computed = sum(float(getattr(costs, name)) * _count(counts, name) for name in FITTED)
    return computed + costs.exit_ns * counts.exits


@dataclass(frozen=True)
class Prediction:
    """Change of frame time by counts, candidate against reference."""

    change: float
    """Relative; + is slower."""
    frame_ms: Mapping[str, float]
    """By role."""
    device: str
    """The device's own work that differs, so that counts of the guest do not decide; empty when nothing differs."""


def predict(candidate: CountedFrames, reference: CountedFrames, costs: Costs, frame_ms: float) -> Prediction:
    """The counts of both arms, compared.

    Parameters
    ----------
    frame_ms
        A frame of the candidate, as measured: what the guest did not compute in it, the device took.
    """
    ours, theirs = (cost_ns(total_of(one.parts), costs) / 1e6 for one in (candidate, reference))
    # The difference first: of equal counts it is exactly zero, in whatever way the sums were rounded.
    change_ms = ours - theirs
    before_ms = max(frame_ms - change_ms, theirs, 1e-9)
    return Prediction(
        change_ms / before_ms,
        {"candidate": before_ms + change_ms, "reference": before_ms},
        device_words(candidate, reference),
    )


def device_words(candidate: CountedFrames, reference: CountedFrames) -> str:
    """The requests to the device that differ."""
    ours, theirs = total_of(candidate.parts), total_of(reference.parts)
    pairs = (
        ("bytes transferred", candidate.transferred_bytes, reference.transferred_bytes),
        ("notifications", ours.notifications, theirs.notifications),
        ("device accesses", ours.exits, theirs.exits),
    )
    return ", ".join(
        f"{what} {signed_percent(one / other - 1, 0) if other else f'{one:g} instead of none'}"
        for what, one, other in pairs
        if not math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-3)
    )


def unchanged(candidate: CountedFrames, reference: CountedFrames) -> bool:
    """Whether the candidate makes QEMU do what the reference does, in every part and of every kind."""
    if device_words(candidate, reference):
        return False
    whole = total_of(reference.parts)
    for part in SETTLED:
        ours, theirs = candidate.parts.get(part, PartCounts()), reference.parts.get(part, PartCounts())
        for name in COUNTED:
            one, other = getattr(ours, name), getattr(theirs, name)
            allowed = min(EQUAL_SHARE * getattr(whole, name), max(EQUAL_PART * other, FEWEST))
            if abs(one - other) > allowed:
                return False
    return True


def disagreement(predicted: Prediction, low: float, high: float) -> str:
    """The explanation where the clock's interval and the prediction of the counts do not meet; empty where they do.

    Parameters
    ----------
    low, high
        Ends of the clock's interval, relative, + is slower.
    """
    change = predicted.change
    if low - DISAGREEMENT <= change <= high + DISAGREEMENT:
        return ""
    if predicted.device:
        return f"the device decides: {predicted.device}"
    if change < low:
        return (
            f"the clock shows {signed_percent(low)} or more where counts predict {signed_percent(change)}: "
            "not more work, but slower work (code and data layout, caches, or the device)"
        )
    return (
        f"the clock shows at most {signed_percent(high)} where counts predict {signed_percent(change)}: the work is "
        "cheaper than usual (it hits a cache), or it overlaps the device's"
    )


def costs_words(costs: Costs) -> str:
    """``0.9 ns an access, 0.2 an instruction, 1.2 a block, 4.0 a helper``."""
    said = (
        f"{costs.access_ns:.2g} ns an access, {costs.instruction_ns:.2g} an instruction, {costs.block_ns:.2g} a block, "
        f"{costs.helper_ns:.2g} a helper"
    )
    return said if costs.fitted else f"{said}; not fitted on this host"


def part_changes(candidate: CountedFrames, reference: CountedFrames, part: str) -> dict[str, tuple[float, float]]:
    """By what is counted: the candidate's and the reference's figure in one part, where either has one."""
    ours, theirs = candidate.parts.get(part, PartCounts()), reference.parts.get(part, PartCounts())
    pairs = {name: (getattr(ours, name), getattr(theirs, name)) for name in COUNTED if name != "bytes"}
    return {name: pair for name, pair in pairs.items() if any(pair)}


_COUNTED_WORDS = {
    "accesses": "memory accesses",
    "blocks": "blocks of code entered",
    "helpers": "calls into QEMU's own code",
    "bytes": "bytes read and written",
    "exits": "device accesses",
}


@dataclass(frozen=True)
class CountGrowth:
    """A part that makes QEMU do more than before."""

    counted: str
    candidate: float
    reference: float
    moved: float = 0.0
    """The share of the rise that another part does less of."""
    source: str = ""
    """That part."""

    @property
    def rise(self) -> float:
        return self.candidate - self.reference

    @property
    def own(self) -> float:
        """The rise that did not come from another part, relative to the part."""
        return (self.rise - self.moved) / max(self.reference, 1.0)

    @property
    def words(self) -> str:
        """``654 instructions where the reference has 545 (+20 %)``."""
        size = signed_percent(self.candidate / self.reference - 1) if self.reference else "new"
        counted = _COUNTED_WORDS.get(self.counted, self.counted)
        text = f"{self.candidate:,.0f} {counted} where the reference has {self.reference:,.0f} ({size})"
        return (
            f"{text}, {percent(self.moved / self.rise, 0)} of which moved here from {self.source}"
            if self.moved
            else text
        )


def grown(candidate: CountedFrames, reference: CountedFrames, part: str, smallest: float) -> list[CountGrowth]:
    """Counts that rose in a part by more than ``smallest`` of themselves, the largest rise of the part's own first."""
    found = []
    for name, (ours, theirs) in part_changes(candidate, reference, part).items():
        rise = ours - theirs
        if rise > max(smallest * theirs, FEWEST if name not in ("exits", "notifications") else 0.5):
            source, moved = _moved(candidate, reference, part, name, rise)
            found.append(CountGrowth(name, ours, theirs, moved, source))
    return sorted(found, key=lambda one: -one.own)


def _moved(candidate: CountedFrames, reference: CountedFrames, part: str, name: str, rise: float) -> tuple[str, float]:
    """How much of a part's rise another part, which is named, lost by as much.

    A part that lost far more than this one gained has become cheaper for another reason, which does not excuse this
    one.
    """
    falls = {
        other: float(getattr(reference.parts.get(other, PartCounts()), name))
        - float(getattr(candidate.parts.get(other, PartCounts()), name))
        for other in SETTLED
        if other != part
    }
    fitting = {other: fall for other, fall in falls.items() if 0 < fall <= MOVED_MOST * rise}
    source = max(fitting, key=lambda other: fitting[other], default="")
    return source, min(fitting[source], rise) if source else 0.0
