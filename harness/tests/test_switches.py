"""Every value of every switch builds, boots and does what it says; pairs of values do so together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.core.guest.serial import SerialLog
from harness.model.spec import ARCHES, NEEDS_GL, Device, Display, Machine, RunParams, Switches, switch_table
from harness.tests.booted import column, serial_log

FRAMES = 40
SWITCHES = {name: switch.values for name, switch in switch_table().items() if name != "FAULT"}
DEFAULTS = [("FILL", SWITCHES["FILL"][0])]
"""One kernel is the default of every switch."""
VALUES = [*DEFAULTS, *((name, value) for name, values in SWITCHES.items() for value in values[1:])]
NAMED_ALONE = ("CURSOR", "MODES", "HEADS")
"""[BOOT] names them where they have another value than the default."""
FACTORS = {"ARCH": tuple(ARCHES), **SWITCHES}

PLACES = [(arch, name, value) for arch in ARCHES for name, value in VALUES]
"""x86_64 takes every value, and every architecture those of BARRIER; the others share the rest unless all are tried."""

Pair = tuple[tuple[str, str], tuple[str, str]]


def covering_set(switches: Mapping[str, tuple[str, ...]]) -> list[dict[str, str]]:
    """Combinations in which every pair of values of two switches occurs, found greedily: the next one begins with a
    pair that is still missing, and each further switch takes the value that adds most missing pairs."""
    missing: set[Pair] = {
        ((a, x), (b, y))
        for a, b in itertools.combinations(switches, 2)
        for x, y in itertools.product(switches[a], switches[b])
    }
    order = list(switches)
    found: list[dict[str, str]] = []
    while missing:
        chosen = dict(min(missing))
        for name in order:
            if name not in chosen:
                chosen[name] = max(switches[name], key=lambda value: _gain(missing, chosen, name, value, order))
        missing -= set(itertools.combinations([(name, chosen[name]) for name in order], 2))
        found.append(chosen)
    return found


def _gain(missing: set[Pair], chosen: Mapping[str, str], name: str, value: str, order: list[str]) -> int:
    place = order.index(name)
    pairs = (
        ((other, chosen[other]), (name, value))
        if order.index(other) < place
        else ((name, value), (other, chosen[other]))
        for other in chosen
    )
    return sum(pair in missing for pair in pairs)


def taken_by(arch: str, name: str, value: str) -> bool:
    """Whether this architecture tries the value in each run of the suites."""
    others = [one for one in ARCHES if one != "x86_64"]
    share = VALUES.index((name, value)) % len(others)
    return arch == "x86_64" or name == "BARRIER" or others[share] == arch


def run_of(folder: Path, settings: Mapping[str, str]) -> SerialLog:
    """A short run, on the GL device where the switches need it."""
    gl = Machine(device=Device.GPU_GL, display=Display.XVFB)
    machine = gl if NEEDS_GL & set(settings.items()) else Machine(heads=int(settings.get("HEADS", "1")))
    return serial_log(folder, settings, RunParams(frames=FRAMES, warmup=2, mode=(320, 240)), machine)


def check_run(log: SerialLog, settings: Mapping[str, str]) -> None:
    """Conditions of a clean run, whatever the switches, and the promises of the switches."""
    switches = Switches.of(settings)
    assert log.finished and not log.panics and not log.timeouts, settings
    assert log.boot is not None
    for name, value in switches.everything().items():
        said = log.boot.get("cpus_max" if name == "CPUS" else name.lower())
        assert said == value or (name in NAMED_ALONE and said is None and value == SWITCHES[name][0]), name
    assert log.total("frames") == FRAMES
    assert log.total("timeouts") == 0
    counted = switches.get("COUNTERS") != "none"
    on_progress = switches.get("BARRIER") in (
        "acquire_progress",
        "full_progress",
        "linux",
        "late_publish",
        "no_kick_fence",
    )
    completions, fences = log.total("completions"), log.total("fences")
    assert completions is not None and fences is not None
    assert fences == (completions if counted and on_progress else fences)
    if switches.get("DRAW") in ("full", "gpu"):
        assert completions == 2 * FRAMES
    if switches.get("LOG") == "none":
        assert len(log.records) == 0
        return
    assert len(log.records) == FRAMES
    assert set(column(log, "notifies")) == {1 if switches.get("BATCH") == "on" else 2}
    assert (max(column(log, "log_ns")) > 0) == (switches.get("LOG") == "frame")
    if switches.get("COMPLETION") == "poll":
        assert log.total("interrupts") == 0 and max(column(log, "halts")) == 0
    else:
        # Every look but a completion's own is followed by a halt, or by one more look that finds something.
        for spins, halts, taken in zip(column(log, "spins"), column(log, "halts"), column(log, "completions")):
            assert spins <= halts + taken
    if not counted:
        assert fences == 0 and max(column(log, "spins")) == 0 and max(column(log, "hw_fences")) == 0


def test_the_covering_set_covers() -> None:
    """And is not much larger than the two longest switches force it to be."""
    found = covering_set(FACTORS)
    for a, b in itertools.combinations(FACTORS, 2):
        seen = {(one[a], one[b]) for one in found}
        assert seen == set(itertools.product(FACTORS[a], FACTORS[b]))
    longest, second = sorted((len(values) for values in FACTORS.values()), reverse=True)[:2]
    assert longest * second <= len(found) <= 2 * longest * second


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("arch", "name", "value"),
    [pytest.param(*one, marks=() if taken_by(*one) else (pytest.mark.full,)) for one in PLACES],
)
def test_every_value_boots_and_draws(tmp_path: Path, arch: str, name: str, value: str) -> None:
    settings = {"ARCH": arch, name: value}
    check_run(run_of(tmp_path, settings), settings)


def test_every_value_is_tried_on_two_architectures() -> None:
    for name, value in VALUES:
        takers = [arch for arch in ARCHES if taken_by(arch, name, value)]
        assert takers[0] == "x86_64" and len(takers) == (3 if name == "BARRIER" else 2), (name, value)


@pytest.mark.full
@pytest.mark.qemu
@pytest.mark.parametrize("settings", covering_set(FACTORS), ids=lambda chosen: ",".join(chosen.values()))
def test_every_pair_of_values_boots_and_draws(tmp_path: Path, settings: dict[str, str]) -> None:
    check_run(run_of(tmp_path, settings), settings)
