"""The hardware cursor of ``CURSOR=hw``, as the device's trace shows it: no capture of the screen has it. Pure.

Where it stands is a function of the frame's number and the picture's size (kernel/run/serial-protocol.md), so that each
move is compared with what it must be.
"""

from __future__ import annotations

import numpy as np

from harness.core.arrays import Image
from harness.core.device.trace import CURSOR_UPDATE, TRANSFER_2D, TRANSFERS_3D, Events, Trace
from harness.core.timing.sources import Numbered

SWAY_PX, SWAY_STEP, SWAY_FRAMES = 16, 7, 4096
IMAGE_PX, HOT = 64, (32, 63)
_LIGHT, _GOLD = (0xA8, 0xE9, 0xFF, 0xFF), (0x3E, 0x9A, 0xC7, 0xFF)
"""B, G, R and opacity, as kernel/scene/palette.h has the colours."""
IMAGE = 2
"""The resource that holds the cursor's image."""


def cursor_place(frame: int, size_px: tuple[int, int]) -> tuple[int, int]:
    """Where the hot spot stands in a frame."""
    width, height = size_px
    return width // 2 + frame % SWAY_FRAMES * SWAY_STEP % (2 * SWAY_PX + 1) - SWAY_PX, height // 4


def cursor_image() -> Image:
    """The image (kernel/run/pointer.c): a wedge that points down. Shape (64, 64, 4), B, G, R and opacity."""
    picture = np.zeros((IMAGE_PX, IMAGE_PX, 4), np.uint8)
    middle = IMAGE_PX // 2
    for y in range(IMAGE_PX):
        half = (IMAGE_PX - 1 - y) // 3
        picture[y, middle - half : middle] = _LIGHT
        picture[y, middle : middle + half + 1] = _GOLD
    return picture


def shape_problem(hot: tuple[int, int], pixels: Image) -> str:
    """What is wrong with a cursor as a viewer got it, B, G, R and opacity; empty when every pixel is right."""
    if pixels.shape != (IMAGE_PX, IMAGE_PX, 4):
        return f"the cursor is {pixels.shape[1]}x{pixels.shape[0]}, not {IMAGE_PX}x{IMAGE_PX}"
    if hot != HOT:
        return f"the cursor's hot spot is {hot[0]},{hot[1]}, not {HOT[0]},{HOT[1]}"
    wrong = int(np.count_nonzero((pixels != cursor_image()).any(axis=2)))
    return f"{wrong} of the cursor's {IMAGE_PX * IMAGE_PX} pixels are wrong" if wrong else ""


def cursor_problems(trace: Trace, numbered: Numbered | None, size_px: tuple[int, int]) -> tuple[str, ...]:
    """What is wrong with the cursor of a run that has one; one sentence a kind."""
    events = trace.of(CURSOR_UPDATE)
    if "move" not in events.args or "res" not in events.args:
        return ("the cursor was never shown",)
    updates = np.flatnonzero(events.args["move"] == 0)
    shown = updates[events.args["res"][updates] == IMAGE]
    found = ["the cursor was never shown"] if not len(shown) else []
    first = _first_image(trace)
    if len(shown) and (first is None or int(events.offset[shown[0]]) < first):
        found.append("the cursor queue overtook the control queue: the cursor was shown before its image was there")
    return (*found, *_misplaced(events, numbered, size_px))


def _first_image(trace: Trace) -> int | None:
    """Where in the log the cursor's image is transferred for the first time."""
    places = []
    for kind in (TRANSFER_2D, *TRANSFERS_3D):
        events = trace.of(kind)
        if "res" in events.args:
            places += events.offset[events.args["res"] == IMAGE].tolist()
    return min(places, default=None)


def _misplaced(events: Events, numbered: Numbered | None, size_px: tuple[int, int]) -> list[str]:
    """Frames whose cursor does not stand where it must once they are shown, and those without a move."""
    if numbered is None or len(numbered.frame) < 2:
        return []
    moves = np.flatnonzero(events.args["move"] == 1)
    times = events.time_ns[moves]
    at = np.searchsorted(times, numbered.shown_ns[:-1])
    unmoved = (at >= len(times)) | (np.append(times, 0)[np.minimum(at, len(times))] > numbered.shown_ns[1:])
    wrong = []
    for frame, place in zip(numbered.frame[:-1][~unmoved].tolist(), moves[at[~unmoved]].tolist()):
        stands = int(events.args["x"][place]), int(events.args["y"][place])
        if stands != cursor_place(frame, size_px):
            wrong.append((frame, stands))
    found = [f"{np.count_nonzero(unmoved)} frames were shown without a move of the cursor"] if unmoved.any() else []
    if wrong:
        frame, stands = wrong[0]
        must = cursor_place(frame, size_px)
        found.append(
            f"the cursor of {len(wrong)} frames stands in a wrong place, the first at {stands[0]},{stands[1]} in frame "
            f"{frame}, where it must stand at {must[0]},{must[1]}"
        )
    return found
