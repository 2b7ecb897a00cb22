"""Kernels with effects of known size, each linked in several orders."""

from __future__ import annotations

from dataclasses import replace

from harness.core.comparison.statistics import CANDIDATE, REFERENCE
from harness.gate.calibration.places import CalibrationPlace
from harness.gate.calibration.recording import InjectedEffect
from harness.gate.measuring.protocol import WARM_UP_FRAMES
from harness.gate.measuring.timing import TIMING_S
from harness.model.spec import BUILT_IN, FOREIGN, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import link_in_orders

PAIRS_LEAST, PAIRS_MOST = 3, 16
"""Pairs of images an effect: as many as a comparison takes turns at, where there are launches for them."""
PAIR_LAUNCHES = 4
"""Launches of each pair."""
FOREIGN_WITH_WORDS = replace(FOREIGN, command_line=True)
"""Nothing is known of the kernel, and yet an effect can be planted in it."""
_REFERENCE = "reference"
FOREIGN_SLOW, FOREIGN_MODE = 900, (1280, 1024)
"""Ten times the drawing, pixel by pixel, of a larger picture: about 30 frames a second."""


def planted_effects(
    switches: Switches,
    machine: Machine,
    foreign: bool,
    effects: tuple[int, ...],
    compiler: str,
    pairs: int,
) -> list[InjectedEffect]:
    """A/A and each planted slow-down, in several link orders; in those of the candidate a function has grown."""
    kind = switches.but(FILL="pixel", FAULT="slow_draw") if foreign else switches
    slowed = switches.but(FILL="pixel", FAULT="slow_draw") if foreign else switches.but(FAULT="slow_draw")
    images: dict[tuple[str, int], RunSpec] = {}
    params = RunParams(seconds=TIMING_S, records=0, warmup=WARM_UP_FRAMES)
    params = replace(params, mode=FOREIGN_MODE, slow=FOREIGN_SLOW, tlb="cold", warmup=1) if foreign else params
    capabilities = FOREIGN_WITH_WORDS if foreign else BUILT_IN
    for name, which in (("plain", kind), ("slowed", slowed)):
        orders = range(1, pairs + 1)
        for order, path in zip(orders, link_in_orders(which, orders, compiler=compiler, grown=True)):
            images[name, order] = RunSpec(path, machine, params, capabilities)
    for order, path in zip(orders, link_in_orders(kind, orders, compiler=compiler)):
        images[_REFERENCE, order] = RunSpec(path, machine, params, capabilities)
    injected_effects = [InjectedEffect("A/A", 0.0, _pairs(images, "plain", params))]
    for effect in effects:
        planted = replace(params, slow=_slow(effect, foreign))
        injected_effects.append(InjectedEffect(f"slow_draw={effect}%", effect / 100, _pairs(images, "slowed", planted)))
    return injected_effects


def pairs_of_images(place: CalibrationPlace, launches: int) -> int:
    """How many pairs of images launches take turns at. A foreign kernel cannot be linked again: each is one kernel."""
    return PAIRS_LEAST if place.foreign else min(max(launches // PAIR_LAUNCHES, PAIRS_LEAST), PAIRS_MOST)


def _slow(effect: int, foreign: bool) -> int:
    """The fault's SLOW, in per cent of the drawing without it, that adds this many per cent to all drawing."""
    return round(FOREIGN_SLOW + effect * (100 + FOREIGN_SLOW) / 100) if foreign else effect


def _pairs(images: dict[tuple[str, int], RunSpec], candidate: str, params: RunParams) -> tuple[dict[str, RunSpec], ...]:
    """Candidate and reference linked alike, as a comparison links them."""
    return tuple(
        {CANDIDATE: replace(spec, params=params), REFERENCE: images[_REFERENCE, order]}
        for (name, order), spec in images.items()
        if name == candidate
    )
