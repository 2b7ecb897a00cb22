"""Frame times of many launches of stand-in kernels, recorded once: for the rule about QEMU's table of translations.

``/usr/bin/python3 -m harness.tests.guestlaunches`` records all again, under a real QEMU; with names, these alone.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.core.device.frametimes import presented_frames
from harness.core.device.trace import parse_trace
from harness.tests.guestrun import build_guest, running_guest

RECORDED = Path(__file__).parent / "data" / "launches.json"
TRIPS, CLEAN = ("lottery",), ("forgets", "columns")
"""``columns`` never forgets a translation after boot, and has nothing that chance decides."""
LAUNCHES = 14
SETTLE_S, WINDOW_S = 0.3, 0.7


def launch_ms(image: Path, folder: Path) -> float:
    """Median frame time of one launch."""
    with running_guest(image, folder) as machine:
        machine.wait_first_flush()
        time.sleep(SETTLE_S)
        begin_ns = time.time_ns()
        time.sleep(WINDOW_S)
    times_ns = presented_frames(parse_trace(machine.trace_path.read_bytes())).time_ns
    shutil.rmtree(folder)
    return float(np.median(np.diff(times_ns[times_ns >= begin_ns]))) / 1e6


def launches_of(name: str, folder: Path, count: int = LAUNCHES) -> tuple[float, ...]:
    """Median frame times of ``count`` launches of one guest."""
    image = build_guest(name, folder / "out")
    return tuple(launch_ms(image, folder / name) for _ in range(count))


def recorded_launches() -> dict[str, tuple[float, ...]]:
    """By guest."""
    plain = json.loads(RECORDED.read_text(encoding="utf-8"))
    return {name: tuple(times) for name, times in plain.items()}


def main() -> None:
    """Record every guest."""
    found = recorded_launches() if RECORDED.exists() else {}
    for name in sys.argv[1:] or [*TRIPS, *CLEAN]:
        with tempfile.TemporaryDirectory() as place:
            found[name] = tuple(round(one, 3) for one in launches_of(name, Path(place)))
    RECORDED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
