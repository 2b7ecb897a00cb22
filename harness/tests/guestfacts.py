"""Recorded facts of each stand-in kernel's driver, kept for tests of the rules.

``/usr/bin/python3 -m harness.tests.guestfacts`` records all again, under a real QEMU; with names, only these.
"""

from __future__ import annotations

import json
import lzma
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.core.device.gpu_rings import GivenCommand, RingSample
from harness.core.device.trace import parse_trace
from harness.explain.manners.facts import CpuTime, DriverFacts, RegisterReads
from harness.explain.manners.observe import MANNERS_EVENTS, SeenDriver, observe
from harness.tests.guestrun import build_guest, running_guest

RECORDED = Path(__file__).parent / "data" / "driver-manners.json.xz"
PLANTED: Mapping[str, str] = {
    "bands": "round trips",
    "per_pixel": "flushed area",
    "unflushed": "unflushed transfers",
    "gives_up": "waits",
    "reuse": "buffers",
    "unchecked": "unread errors",
    "delay": "late poll",
    "tick": "idle gaps",
    "polls": "polling",
    "mmio_spin": "polling",
    "cursor_early": "cursor order",
}
"""The rule that each planted habit trips."""
CLEAN = ("clean", "asks", "cursor", "double_flush", "flip")
"""Guests without advice, whatever else they do."""
PACED: Mapping[str, int] = {"clean_dirty": 50}
"""Frames a second that guests mean to keep."""
_SLOW = ("tick", "delay", "reuse", "clean_dirty")
"""Need a longer window for as many frames."""


def watched(name: str, folder: Path, arch: str = "riscv64", window_s: float = 0.0) -> SeenDriver:
    """Facts of one guest that runs now."""
    image = build_guest(name, folder / "out", arch)
    with running_guest(image, folder / name, arch, MANNERS_EVENTS) as machine:
        machine.wait_first_flush()
        time.sleep(0.2)
        return observe(machine, window_s or (1.5 if name in _SLOW else 0.4), pace=PACED.get(name, 0))


def recorded() -> dict[str, DriverFacts]:
    """Facts by guest."""
    plain = json.loads(lzma.decompress(RECORDED.read_bytes()))
    return {name: replace(_facts(one), pace=PACED.get(name, 0)) for name, one in plain.items()}


def _facts(plain: dict[str, Any]) -> DriverFacts:
    samples = tuple(
        RingSample(
            sample["number"], sample["interrupts"], tuple(sample["waiting"]), tuple(map(_command, sample["commands"]))
        )
        for sample in plain["samples"]
    )
    trace = parse_trace(plain["trace"].encode())
    return DriverFacts(
        trace, samples, CpuTime(**plain["cpu"]), RegisterReads(**plain["reads"]), tuple(plain["changed"])
    )


def _command(plain: dict[str, Any]) -> GivenCommand:
    box = plain.pop("rectangle")
    return GivenCommand(rectangle=(box[0], box[1], box[2], box[3]) if box else None, **plain)


def _plain(seen: SeenDriver) -> dict[str, Any]:
    facts = seen.facts
    assert facts.cpu is not None and facts.register_reads is not None
    return {
        "trace": seen.log.decode("utf-8", "backslashreplace"),
        "samples": [asdict(sample) for sample in facts.samples],
        "cpu": asdict(facts.cpu),
        "reads": asdict(facts.register_reads),
        "changed": list(facts.changed_px),
    }


def main() -> None:
    """Record every planted and every clean guest."""
    wanted = sys.argv[1:] or [*PLANTED, *CLEAN]
    before = json.loads(lzma.decompress(RECORDED.read_bytes())) if RECORDED.exists() else {}
    with tempfile.TemporaryDirectory() as place:
        new = {name: _plain(watched(name, Path(place))) for name in wanted}
    found = {name: one for name, one in {**before, **new}.items() if name in (*PLANTED, *CLEAN)}
    RECORDED.write_bytes(lzma.compress(json.dumps(found).encode(), preset=9))
    sys.stdout.write(f"{RECORDED.name}: {len(found)} guests, {RECORDED.stat().st_size >> 10} KiB\n")


if __name__ == "__main__":
    main()
