"""The wheel measured from pictures: silent on good frames, and finds scene bugs that kernel and oracle share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.core.arrays import Image
from harness.core.pictures.geometry import geometry_problems, measure_wheel, rotation_deg, rotation_problem
from harness.platform.pictures.oracle import Oracle
from harness.tests.scenes import Patch, build_mutant, replaced, swap_red_and_blue

MODES = [(320, 240), (333, 777), (641, 487), (800, 600), (1024, 768), (1920, 240), (1920, 1080)]
PHASES = [0, 75, 391, 450, 466, 1103, 4294967295]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.slow
def test_good_frames_have_no_problem(mode: tuple[int, int]) -> None:
    for seed in (1, 12345):
        oracle = Oracle(*mode, seed)
        for frame in PHASES:
            assert geometry_problems(oracle.picture(frame)) == ()


@pytest.mark.full
@pytest.mark.parametrize("mode", MODES)
def test_no_false_alarm_in_many_frames(mode: tuple[int, int]) -> None:
    for seed in range(4):
        oracle = Oracle(*mode, seed)
        for frame in range(0, 3000, 13):
            assert geometry_problems(oracle.picture(frame)) == (), (seed, frame)


@pytest.mark.parametrize("mode", [(320, 240), (1024, 768)])
def test_measures_agree_with_each_other(mode: tuple[int, int]) -> None:
    wheel = measure_wheel(Oracle(*mode).picture(200))
    assert len(wheel.edges_deg) == len(wheel.colours) == 12
    assert sorted(wheel.colours) == ["black"] * 6 + ["red"] * 6
    assert wheel.hub_px < wheel.ring_px < wheel.radius_px < wheel.rim_px
    assert abs(wheel.cx - mode[0] / 2) < 1


def test_the_winner_is_lit_at_rest() -> None:
    wheel = measure_wheel(Oracle(1024, 768).picture(470))
    assert wheel.colours.count("lit") == 1
    start = wheel.edges_deg[wheel.colours.index("lit")]
    assert start < 90 < start + 30


def test_rotation_is_clockwise_and_bounded() -> None:
    oracle = Oracle(640, 480)
    for frame in (10, 40, 59, 60, 100, 300, 420, 470):
        before, after = oracle.picture(frame), oracle.picture(frame + 1)
        assert rotation_problem(before, after, 1) == ""
    turned = rotation_deg(measure_wheel(oracle.picture(60)), measure_wheel(oracle.picture(61)))
    assert -14 < turned < -4


def test_rotation_over_many_frames_is_not_guessed() -> None:
    picture = Oracle(320, 240).picture(1)
    with pytest.raises(ValueError, match="ambiguous"):
        rotation_problem(picture, picture, 3)


MUTANTS: dict[str, tuple[dict[str, Patch], str]] = {
    "eleven wedges' spacing": (
        {"spin.h": replaced("TRIG_TURN / SPIN_SEGMENTS;", "TRIG_TURN / 11;")},
        "degrees wide",
    ),
    "swapped channels": (
        {name: swap_red_and_blue for name in ("palette.h", "backdrop_wheel.c")},
        "red and blue are swapped",
    ),
    "two red neighbours": (
        {"segment.c": replaced("return segment % 2 == 0;", "return segment % 2 == 0 || segment == 3;")},
        "neighbouring segments are red",
    ),
    "pointer off the top": (
        {
            "backdrop_wheel.c": replaced(
                "int32_t side = dx < 0 ? -dx : dx;", "int32_t side = (dx -= 400) < 0 ? -dx : dx;"
            )
        },
        "pointer",
    ),
    "no pointer": (
        {"backdrop_wheel.c": replaced("if (inside <= -POINTER_OUTLINE * SUB)", "if (inside > -100000)")},
        "no pointer",
    ),
    "wheel off the middle": (
        {"layout.c": replaced("layout.cx = layout.width / 2;", "layout.cx = layout.width / 2 + 9;")},
        "centre",
    ),
    "small hub": (
        {"layout.c": replaced("layout.radius * 14 / 64", "layout.radius * 8 / 64")},
        "hub",
    ),
    "ring too far out": (
        {"layout.c": replaced("layout.radius * 39 / 64", "layout.radius * 44 / 64")},
        "ring",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.parametrize("mode", [(320, 240), (1024, 768)])
@pytest.mark.slow
def test_scene_bugs_are_found(name: str, mode: tuple[int, int], tmp_path: Path) -> None:
    patches, told = MUTANTS[name]
    oracle = Oracle(*mode, library=build_mutant(tmp_path, patches))
    for frame in (3, 200, 470):
        problems = geometry_problems(oracle.picture(frame))
        assert any(told in problem for problem in problems), (name, frame, problems)


@pytest.mark.slow
def test_mirrored_rotation_is_found(tmp_path: Path) -> None:
    patch = replaced("(from - spin_travelled(way, in_spin))", "(from + spin_travelled(way, in_spin))")
    oracle = Oracle(640, 480, library=build_mutant(tmp_path, {"spin.c": patch}))
    for frame in (30, 60, 200):
        problem = rotation_problem(oracle.picture(frame), oracle.picture(frame + 1), 1)
        assert "counter-clockwise" in problem


def test_too_fast_a_wheel_is_found() -> None:
    oracle = Oracle(640, 480)
    assert "degrees in 1 frames" in rotation_problem(oracle.picture(60), oracle.picture(63), 1)


@pytest.mark.parametrize("mode", [(320, 240), (1024, 768)])
def test_eleven_equal_wedges_are_found(mode: tuple[int, int]) -> None:
    """The disc bent so that eleven of its segments fill the turn."""
    picture = Oracle(*mode).picture(200)
    wheel = measure_wheel(picture)
    y, x = np.mgrid[: mode[1], : mode[0]].astype(np.float32) + 0.5
    radius = np.hypot(x - wheel.cx, y - wheel.cy)
    angle = np.mod(np.arctan2(wheel.cy - y, x - wheel.cx) - np.radians(wheel.edges_deg[0]), 2 * np.pi) * 11 / 12
    angle += np.radians(wheel.edges_deg[0])
    source_x = (wheel.cx + radius * np.cos(angle) - 0.5).astype(np.float32)
    source_y = (wheel.cy - radius * np.sin(angle) - 0.5).astype(np.float32)
    bent = cv2.remap(picture, source_x, source_y, cv2.INTER_NEAREST)
    eleven: Image = np.where((radius < wheel.radius_px * 0.9)[..., None], bent, picture)
    problems = geometry_problems(eleven)
    assert any("11 segments" in problem or "neighbouring" in problem for problem in problems), problems


@pytest.mark.parametrize("shape", [(240, 320, 3), (8, 288, 3)])
def test_what_holds_no_wheel_is_said(shape: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    for picture in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise):
        assert geometry_problems(picture) != ()
