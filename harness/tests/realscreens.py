"""Screens of real guests: kernels of others that are targets of this tree, and stand-ins that dither and write.

``/usr/bin/python3 -m harness.tests.realscreens`` captures the small corpus of ``data/screens`` again;
``/usr/bin/python3 -m harness.tests.screenfigures`` judges many screens of each.
"""

from __future__ import annotations

import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from harness.core.arrays import Image
from harness.model.spec import Machine, RunSpec
from harness.model.target import capabilities_of, limits_of, machine_of
from harness.platform.kernels.targets import build_target, main_image, read_target, resolved
from harness.platform.machine.qemu import TIMING_EVENTS, Qemu
from harness.platform.machine.readiness import wait_ready
from harness.platform.pictures.screen import take_picture
from harness.tests.guestrun import build_guest, running_guest

SCREENS = Path(__file__).parent / "data" / "screens"
TARGETS = ("ovmf", "aavmf", "linux-console")
"""Examples of this tree: firmware of two architectures, and a console."""
GUESTS = ("dither", "text", "per_pixel")
SHOWN: tuple[str, ...] = (*TARGETS, *GUESTS)
KEPT_EACH = 6


@contextmanager
def running_target(name: str, folder: Path) -> Iterator[Qemu]:
    """A target of this tree, ready to be measured."""
    target = read_target(name)
    build_target(target)
    found, files = resolved(target)
    spec = RunSpec(
        main_image(files).path,
        machine_of(found, Machine(found.arch)),
        capabilities=capabilities_of(found),
        limits=limits_of(found),
        target=found,
    )
    with Qemu(spec, folder, TIMING_EVENTS, endless=True) as machine:
        wait_ready(machine)
        yield machine


def captured(machine: Qemu, count: int, limit_s: float, random_state: int = 1) -> list[Image]:
    """Different screens at random moments."""
    rng = np.random.default_rng(random_state)
    seen: set[int] = set()
    found: list[Image] = []
    ends = time.monotonic() + limit_s
    while len(found) < count and time.monotonic() < ends:
        picture = take_picture(machine).pixels
        crc = zlib.crc32(picture.tobytes())
        if crc not in seen:
            seen.add(crc)
            found.append(picture)
        time.sleep(float(rng.uniform(0, 0.02)))
    return found


def screens_of(name: str, folder: Path, count: int, limit_s: float) -> list[Image]:
    """Screens of a target or of a stand-in, by name."""
    if name in TARGETS:
        with running_target(name, folder / name) as machine:
            return captured(machine, count, limit_s)
    with running_guest(build_guest(name, folder / "out"), folder / name) as machine:
        machine.wait_first_flush()
        return captured(machine, count, limit_s)


def recorded_screens() -> dict[str, list[Image]]:
    """The small corpus, by guest."""
    found: dict[str, list[Image]] = {}
    for path in sorted(SCREENS.glob("*.png")):
        picture = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        found.setdefault(path.stem.rpartition("-")[0], []).append(np.asarray(picture, np.uint8))
    return found


def main() -> None:
    """Capture some screens of each guest."""
    SCREENS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SHOWN:
        with tempfile.TemporaryDirectory() as place:
            screens = screens_of(name, Path(place), KEPT_EACH * 8, 8)
        for number, picture in enumerate(screens[:: max(1, len(screens) // KEPT_EACH)][:KEPT_EACH]):
            path = SCREENS / f"{name}-{number}.png"
            cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
        sys.stdout.write(f"{name}: {len(screens)} different screens\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
