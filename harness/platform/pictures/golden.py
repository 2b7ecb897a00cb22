"""The golden list: the pixels of 1,000 frames, as a person approved them.

``kernel/scene/golden.txt`` holds the hashes, ``kernel/test/golden.h`` a few of them for the kernel's own suite, and
``baselines/pictures`` some frames to look at. The kernel names the list's own hash in its [BOOT] line.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.arrays import Image
from harness.model.spec import KERNEL_DIR
from harness.platform.pictures.oracle import DEFAULT_SEED, Oracle

GOLDEN = KERNEL_DIR / "scene" / "golden.txt"
KERNEL_GOLDEN = KERNEL_DIR / "test" / "golden.h"
_FRAMES = 1 << 32
_KERNEL_MODES = ((320, 240), (333, 777), (641, 487))

GOLDEN_MODES: tuple[tuple[tuple[int, int], int], ...] = (
    ((320, 240), 200),
    ((333, 777), 50),
    ((640, 480), 100),
    ((641, 487), 100),
    ((800, 600), 50),
    ((1024, 768), 400),
    ((1366, 768), 50),
    ((1920, 1080), 50),
)
"""Modes and numbers of frames of the golden list: small, tall, odd, usual and large."""

GOLDEN_PICTURES: tuple[tuple[tuple[int, int], int], ...] = (
    ((1024, 768), 0),
    ((1024, 768), 150),
    ((1024, 768), 470),
    ((320, 240), 1100),
    ((1366, 768), 700),
)
"""Before a spin, within one, and results."""


def golden_frames(count: int) -> list[int]:
    """Frame numbers that fall on every phase of several spins, and the last one."""
    return sorted({index * 37 % 7200 for index in range(count - 1)} | {_FRAMES - 1})


def golden_lines(library: Path | None = None) -> Iterator[str]:
    """The golden list: ``<frame> <mode> <hash>``.

    The hash is the CRC-32 of the picture's bytes B, G, R, 0, row by row from the top left, in eight hex digits.
    """
    for (width_px, height_px), count in GOLDEN_MODES:
        oracle = Oracle(width_px, height_px, DEFAULT_SEED, library)
        for frame in golden_frames(count):
            yield f"{frame} {width_px}x{height_px} {zlib.crc32(oracle.draw(frame).data):08x}"


def kernel_golden(lines: Sequence[str]) -> str:
    """A few frames of the golden list as a header, for the suite that draws them inside the kernel."""
    rows, most = [], 0
    for width_px, height_px in _KERNEL_MODES:
        known = [line.split() for line in lines if line.split()[1] == f"{width_px}x{height_px}"]
        chosen = [known[index * (len(known) - 1) // 3] for index in range(4)]
        rows += [f"    {{{frame}u, {width_px}, {height_px}, 0x{crc}u}}," for frame, _, crc in chosen]
        most = max(most, width_px * height_px)
    return _KERNEL_HEADER.format(seed=DEFAULT_SEED, most=most, rows="\n".join(rows)).replace("    ", "\t")


_KERNEL_HEADER = """/* Written by make golden: CRC-32 of some frames' pixels, as in scene/golden.txt. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <stdint.h>

#define GOLDEN_SEED {seed}u
#define GOLDEN_PIXELS_MAX {most}u

struct golden_frame {{
    uint32_t frame, width_px, height_px, crc;
}};

/* clang-format off */
static const struct golden_frame golden_frames[] = {{
{rows}
}};
/* clang-format on */

#endif
"""


def scene_hash(kernel_dir: Path = KERNEL_DIR) -> str:
    """The scene's name in a kernel of this source: the golden list's first SHA-256 digits; zeros without a list."""
    path = kernel_dir / "scene" / GOLDEN.name
    # No bound needed: hashes of this tree.
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else "0" * 16


def golden_problem(library: Path | None = None, most: int = 40) -> str:
    """Compare the oracle with the approved frames; the first difference in words, or an empty text.

    Parameters
    ----------
    most
        How many frames to check, spread evenly over the list.
    """
    lines = GOLDEN.read_text(encoding="ascii").split("\n")[:-1]
    chosen = [lines[index * len(lines) // most] for index in range(most)] if len(lines) > most else lines
    oracles: dict[str, Oracle] = {}
    for line in chosen:
        frame, mode, crc = line.split()
        if mode not in oracles:
            width_px, height_px = mode.split("x")
            oracles[mode] = Oracle(int(width_px), int(height_px), DEFAULT_SEED, library)
        if zlib.crc32(oracles[mode].draw(int(frame)).data) != int(crc, 16):
            return (
                f"the scene no longer draws frame {frame} at {mode} as approved; if it is meant to, run 'make golden'"
            )
    return ""


def golden_pictures() -> Iterator[tuple[str, Image]]:
    """The pictures that a person approves, with their names."""
    for (width_px, height_px), frame in GOLDEN_PICTURES:
        yield f"{width_px}x{height_px}-{frame}", Oracle(width_px, height_px).picture(frame)
