"""Whether a picture shows the roulette wheel, judged only with NumPy, without the scene's code or constants.

The oracle shares its source with the kernel, so that a scene bug is in both. This check knows only what a
person sees: a wheel stands in the middle of green felt; it has twelve equal segments in turn red and black
(one may be lit in gold), gold dividers between them, a ring across them, a hub; a pointer of two faces stands at its
top, the light face on the left; the wheel turns clockwise and never faster than 14 degrees a frame.

Pictures are arrays of shape (height, width, 3), uint8, channels R, G, B. Angles are in degrees, counter-clockwise
from the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.arrays import I64, Image, Mask

SEGMENTS = 12
SPEED_MAX_DEG = 14.0
"""Fastest turn of the wheel in one frame."""
_STEPS = 5760
"""Samples around the wheel."""
_OTHER, _RED, _BLACK, _GOLD = range(4)


class GeometryError(Exception):
    """The picture shows no wheel that can be measured; the message says what is missing."""


@dataclass(frozen=True)
class Wheel:
    """What was measured. Lengths in pixels, angles in degrees."""

    cx: float
    cy: float
    rim_px: float
    """Outer radius."""
    radius_px: float
    """Radius of the segments."""
    ring_px: float
    hub_px: float
    edges_deg: tuple[float, ...]
    """Where dividers stand, ascending."""
    colours: tuple[str, ...]
    """Colours of the segments, from each divider counter-clockwise: ``red``, ``black`` or ``lit``."""
    pointer_deg: float | None
    """Where the pointer's two faces meet."""


def measure_wheel(picture: Image) -> Wheel:
    """Find the wheel and measure it.

    Raises
    ------
    GeometryError
        When the picture holds no wheel, or one of other colours.
    """
    _check_colours(picture[::2, ::2])
    cx, cy, rim_px = _find_rim(picture)
    hub_px, ring_px, radius_px = _find_radii(picture, cx, cy, rim_px)
    edges_deg, colours = _find_segments(_around(picture, cx, cy, ring_px + 0.15 * (radius_px - ring_px)))
    pointer = _find_pointer(picture, cx, cy, radius_px)
    return Wheel(cx, cy, rim_px, radius_px, ring_px, hub_px, edges_deg, colours, pointer)


def geometry_problems(picture: Image) -> tuple[str, ...]:
    """Faults of the wheel in a picture, one sentence each; empty when there are none."""
    try:
        wheel = measure_wheel(picture)
    except GeometryError as error:
        return (str(error),)
    problems = []
    height, width = picture.shape[:2]
    if len(wheel.edges_deg) != SEGMENTS:
        problems.append(f"the wheel has {len(wheel.edges_deg)} segments, not {SEGMENTS}")
    spacing = np.diff(wheel.edges_deg, append=wheel.edges_deg[0] + 360.0)
    if np.abs(spacing - 360.0 / len(spacing)).max() > _edge_tolerance_deg(wheel):
        problems.append(f"segments are between {spacing.min():.1f} and {spacing.max():.1f} degrees wide")
    problems += _colour_problems(wheel.colours)
    if abs(wheel.cx - width / 2) > 1.5 or not 0.35 < wheel.cy / height < 0.65:
        problems.append(f"the wheel's centre is at {wheel.cx:.0f},{wheel.cy:.0f}")
    for name, share, low, high in (
        ("segments", wheel.radius_px / wheel.rim_px, 0.84, 0.93),
        ("ring", wheel.ring_px / wheel.radius_px, 0.56, 0.66),
        ("hub", wheel.hub_px / wheel.radius_px, 0.18, 0.30),
    ):
        if not low < share < high:
            problems.append(f"the radius of the {name} has a share of {share:.2f}, not {low} to {high}")
    if wheel.pointer_deg is None:
        problems.append("there is no pointer at the top of the wheel")
    elif abs(wheel.pointer_deg - 90.0) > 1.0 + 60.0 / wheel.radius_px:
        problems.append(f"the pointer stands at {wheel.pointer_deg:.1f} degrees, not at the top")
    return tuple(problems)


def rotation_deg(before: Wheel, after: Wheel) -> float:
    """How far the wheel turned between two pictures, counter-clockwise, as far as colours can tell: -30 … 30.

    Colours repeat every second segment, so only turns of less than a segment are unambiguous.
    """
    period = 2 * 360.0 / SEGMENTS
    turned = (_colour_phase(after) - _colour_phase(before)) % period
    return turned - period if turned > period / 2 else turned


def rotation_problem(before: Image, after: Image, frames: int) -> str:
    """Whether the wheel turned the wrong way, or too fast, in `frames` (1 or 2) frames; empty when it did not.

    Raises
    ------
    ValueError
        When more frames passed than colours can follow.
    """
    if not 1 <= frames <= 2:
        raise ValueError(f"rotation over {frames} frames is ambiguous")
    try:
        turned = rotation_deg(measure_wheel(before), measure_wheel(after))
    except GeometryError as error:
        return str(error)
    if turned > 0.5:
        return f"the wheel turned {turned:.1f} degrees counter-clockwise in {frames} frames"
    if turned < -SPEED_MAX_DEG * frames - 0.5:
        return f"the wheel turned {-turned:.1f} degrees in {frames} frames"
    return ""


def _edge_tolerance_deg(wheel: Wheel) -> float:
    """About a pixel and a half where segments are measured."""
    return 0.4 + float(np.degrees(1.5 / wheel.ring_px))


def _colour_problems(colours: tuple[str, ...]) -> list[str]:
    lit = colours.count("lit")
    if lit > 1:
        return [f"{lit} segments are lit"]
    for i, colour in enumerate(colours):
        if colour == colours[i - 1]:
            return [f"two neighbouring segments are {colour}"]
    return []


def _split(picture: Image) -> tuple[npt.NDArray[np.int16], ...]:
    channels = picture.astype(np.int16)
    return channels[..., 0], channels[..., 1], channels[..., 2]


def _reds(first: npt.NDArray[np.int16], second: npt.NDArray[np.int16], third: npt.NDArray[np.int16]) -> Mask:
    mask: Mask = (first >= 100) & (2 * first > 5 * second) & (third >= second)
    return mask


def _check_colours(picture: Image) -> None:
    """A wheel in swapped channels has no red but plenty of what red becomes."""
    red, green, blue = _split(picture)
    least = 0.02 * red.size * min(1.0, picture.shape[0] / picture.shape[1])
    felt = np.count_nonzero((green - red >= 16) & (green > blue))
    if np.count_nonzero(_reds(red, green, blue)) >= least and felt >= 2 * least:
        return
    if np.count_nonzero(_reds(blue, green, red)) >= least:
        raise GeometryError("red and blue are swapped: the wheel's red segments are blue")
    if np.count_nonzero(_reds(green, red, blue)) >= least or np.count_nonzero(_reds(green, blue, red)) >= least:
        raise GeometryError("channels are swapped: the wheel's red segments are green")
    raise GeometryError("there are no red segments on green felt")


def _find_rim(picture: Image) -> tuple[float, float, float]:
    """Centre and radius of the circle that felt surrounds, from where each row first meets felt."""
    red, green, blue = _split(picture)
    felt = (green - red >= 16) & (green > blue)
    middle = picture.shape[1] // 2
    right = felt[:, middle:].argmax(axis=1)
    left = felt[:, middle - 1 :: -1].argmax(axis=1)
    rows = _longest_run((right > 0) & (left > 0))
    x = np.concatenate([middle + right[rows], middle - left[rows]]).astype(float)
    y = np.concatenate([rows, rows]) + 0.5
    for _ in range(12):
        if len(x) < 40:
            raise GeometryError("there is no wheel on the felt")
        # (x - a)^2 + (y - b)^2 = r^2 is linear in a, b and r^2 - a^2 - b^2 (Kasa, IEEE Trans. Instrum. Meas. 25, 1976).
        terms = np.column_stack([2 * x, 2 * y, np.ones_like(x)])
        (cx, cy, rest), *_ = np.linalg.lstsq(terms, x * x + y * y, rcond=None)
        radius = float(np.sqrt(max(rest + cx * cx + cy * cy, 0.0)))
        off = np.abs(np.hypot(x - cx, y - cy) - radius)
        keep = off <= max(1.5, 3.0 * float(np.median(off)))
        if keep.all():
            break
        x, y = x[keep], y[keep]
    return float(cx), float(cy), radius


def _longest_run(mask: Mask) -> I64:
    """Indices of the longest run of True: the wheel's rows rather than the title's or the banner's."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    if not len(edges):
        return np.zeros(0, np.int64)
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    return np.arange(edges[2 * longest], edges[2 * longest + 1])


def _classes(colours: Image) -> npt.NDArray[np.int8]:
    red, green, blue = _split(colours)
    classes = np.full(red.shape, _OTHER, np.int8)
    classes[(red > blue + 24) & (green > blue + 8) & (red >= green) & (red > 70)] = _GOLD
    classes[(red < 48) & (green < 56) & (blue < 52) & (green - red < 16)] = _BLACK
    classes[_reds(red, green, blue)] = _RED
    return classes


def _around(
    picture: Image, cx: float, cy: float, radius_px: float | npt.NDArray[np.float64], steps: int = _STEPS
) -> npt.NDArray[np.int8]:
    """Classes of the pixels on circles, shape (*radii, steps), counter-clockwise from the right."""
    angles = np.arange(steps) * (2 * np.pi / steps)
    radii = np.asarray(radius_px, float)[..., np.newaxis]
    x = np.floor(cx + radii * np.cos(angles)).astype(int).clip(0, picture.shape[1] - 1)
    y = np.floor(cy - radii * np.sin(angles)).astype(int).clip(0, picture.shape[0] - 1)
    return _classes(picture[y, x])


def _find_radii(picture: Image, cx: float, cy: float, rim_px: float) -> tuple[float, float, float]:
    """Radii of hub, ring and segments: where circles begin to be of segment colours, are gold, and cease to be."""
    radii = np.arange(0.06 * rim_px, rim_px, 0.5)
    classes = _around(picture, cx, cy, radii, _STEPS // 8)
    coloured = np.mean((classes == _RED) | (classes == _BLACK), axis=1)
    gold = np.mean(classes == _GOLD, axis=1)
    segments = np.flatnonzero(coloured > 0.55)
    if len(segments) < 0.4 * len(radii):
        raise GeometryError("the wheel has no red and black segments")
    inner, outer = segments[0], segments[-1]
    between = slice(inner + (outer - inner) // 4, outer - (outer - inner) // 4)
    ring = between.start + int(np.argmax(gold[between]))
    if gold[ring] < 0.6:
        raise GeometryError("there is no ring across the segments")
    return float(radii[inner]), float(radii[ring]), float(radii[outer])


def _runs(classes: npt.NDArray[np.int8]) -> list[tuple[int, float, float]]:
    """Runs of one class around the circle: class, first and last angle in degrees; the first may begin below 0."""
    change = np.flatnonzero(classes != np.roll(classes, 1))
    if not len(change):
        raise GeometryError("the wheel is of one colour")
    ends = np.append(change[1:], change[0] + len(classes))
    scale = 360.0 / len(classes)
    return [(int(classes[start]), start * scale, end * scale) for start, end in zip(change, ends, strict=True)]


def _find_segments(classes: npt.NDArray[np.int8]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Dividers and colours along a circle that crosses nothing but segments and dividers.

    A lit segment is gold as its dividers are, so its run holds both of them: half a divider's width is put back.
    """
    names = {_RED: "red", _BLACK: "black", _GOLD: "lit"}
    wide = [run for run in _runs(classes) if run[0] in names and run[2] - run[1] > 8.0]
    gaps = [run[1] - (wide[i - 1][2] - (360.0 if i == 0 else 0.0)) for i, run in enumerate(wide)]
    half = float(np.median(gaps)) / 2
    edges = []
    for i, run in enumerate(wide):
        edge = run[1] - gaps[i] / 2
        if run[0] == _GOLD:
            edge = run[1] + half
        elif wide[i - 1][0] == _GOLD:
            edge = run[1] - gaps[i] - half
        edges.append(edge % 360.0)
    order = np.argsort(edges)
    return tuple(float(edges[i]) for i in order), tuple(names[wide[i][0]] for i in order)


def _find_pointer(picture: Image, cx: float, cy: float, radius_px: float) -> float | None:
    """The angle at which the pointer's light face ends and its darker one begins, near the segments' outer edge."""
    y = int(cy - 0.96 * radius_px)
    red, green, blue = _split(picture[y])
    light = np.flatnonzero((red > 235) & (green > 215) & (blue > 140) & (blue < 200))
    near = light[np.abs(light - cx) < 0.2 * radius_px]
    if not len(near):
        return None
    last = int(near[-1]) + 1
    dark = picture[y, min(last + 1, picture.shape[1] - 1)].astype(int)
    if not (dark[0] > dark[2] + 60 and dark[0] > 150):
        return None
    return float(np.degrees(np.arctan2(cy - y - 0.5, last - cx)))


def _colour_phase(wheel: Wheel) -> float:
    """Where red segments begin, counter-clockwise, modulo two segments."""
    period = 2 * 360.0 / SEGMENTS
    phases = [
        (edge - (0.0 if colour == "red" else period / 2)) % period
        for edge, colour in zip(wheel.edges_deg, wheel.colours, strict=True)
        if colour != "lit"
    ]
    turns = np.exp(2j * np.pi * np.array(phases) / period)
    return float(np.angle(turns.mean()) * period / (2 * np.pi)) % period
