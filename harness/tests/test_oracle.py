"""The oracle and the golden list: the same pixels from every compiler, and a scene that changed is noticed."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.errors import BuildError
from harness.platform.pictures import oracle as oracle_module
from harness.platform.pictures.golden import (
    GOLDEN,
    KERNEL_GOLDEN,
    golden_lines,
    golden_problem,
    kernel_golden,
    scene_hash,
)
from harness.platform.pictures.oracle import Oracle, Rect, build_oracle
from harness.tests.scenes import build_mutant, replaced

LINES = GOLDEN.read_text(encoding="ascii").splitlines()


@pytest.mark.slow
def test_the_golden_list_is_what_the_scene_draws() -> None:
    assert len(LINES) == 1000 and len(set(LINES)) == 1000
    assert list(golden_lines()) == LINES
    assert golden_problem() == ""


def test_the_kernels_own_golden_frames_are_those_of_the_list() -> None:
    assert KERNEL_GOLDEN.read_text(encoding="ascii") == kernel_golden(LINES)


def test_the_scene_hash_is_the_lists() -> None:
    assert len(scene_hash()) == 16 and int(scene_hash(), 16) >= 0


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [("gcc", ("-O0",)), ("gcc", ("-O3", "-march=native")), ("clang", ("-O2",)), ("gcc", ("-DFILL=pixel",))],
)
@pytest.mark.slow
def test_every_compiler_draws_the_same(compiler: str, flags: tuple[str, ...]) -> None:
    assert golden_problem(build_oracle(flags=flags, compiler=compiler), most=100) == ""


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("palette.h", "0xb01e28u", "0xb01e29u"),
        ("spin.c", "segment / 6", "segment / 7"),
        ("framestamp.h", "0xb2u", "0xb3u"),
    ],
)
@pytest.mark.slow
def test_a_changed_scene_is_noticed(name: str, old: str, new: str, tmp_path: Path) -> None:
    assert "no longer draws frame" in golden_problem(build_mutant(tmp_path, {name: replaced(old, new)}))


@pytest.mark.slow
def test_one_library_for_one_content() -> None:
    assert build_oracle() == build_oracle()
    assert build_oracle() != build_oracle(flags=("-DSOMETHING",))


@pytest.mark.slow
def test_sources_that_do_not_compile_are_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="oracle does not build.*error"):
        build_mutant(tmp_path, {"spin.c": lambda text: text + "\n#error planted\n"})


def test_a_library_cut_short_is_named(tmp_path: Path) -> None:
    short = tmp_path / "short.so"
    short.write_bytes(build_oracle().read_bytes()[:500])
    with pytest.raises(BuildError, match="cannot be loaded"):
        Oracle(320, 240, library=short)


def test_no_compiler_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no-such-compiler"):
        build_oracle(compiler="no-such-compiler")


@pytest.mark.parametrize("mode", [(319, 240), (320, 239), (1921, 1080), (1920, 1081), (0, 0)])
def test_modes_outside_the_limits_are_refused(mode: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not offer"):
        Oracle(*mode)


def test_channels_and_shape_of_a_picture() -> None:
    oracle = Oracle(333, 777)
    picture, drawn = oracle.picture(9), oracle.draw(9)
    assert picture.shape == (777, 333, 3) and drawn.shape == (777, 333, 4)
    assert np.array_equal(picture, drawn[..., 2::-1]) and not drawn[..., 3].any()
    assert oracle.shows(picture, 9) and not oracle.shows(picture, 10)


def test_the_seed_changes_results_and_nothing_else_of_the_still_parts() -> None:
    pictures = [Oracle(640, 480, seed).picture(470) for seed in (1, 2)]
    changed = (pictures[0] != pictures[1]).any(axis=2)
    assert changed.any() and not changed[:40].any() and not changed[:, :100].any()


def assert_dirty_equals_full(mode: tuple[int, int], seed: int, frames: list[int]) -> None:
    """Draw by damage along a sequence; every frame must be what it is drawn whole, and damage must be reported."""
    by_damage, whole = Oracle(*mode, seed), Oracle(*mode, seed)
    by_damage.draw(frames[0])
    for previous, frame in zip(frames, frames[1:]):
        before = whole.draw(previous).copy()
        after, rects = by_damage.draw_dirty(previous, frame)
        assert len(rects) <= 4 and zlib.crc32(after.data) == zlib.crc32(whole.draw(frame).data), (previous, frame)
        changed = (before != after).any(axis=2)
        for rect in rects:
            assert 0 <= rect.x0 < rect.x1 <= mode[0] and 0 <= rect.y0 < rect.y1 <= mode[1]
            changed[rect.y0 : rect.y1, rect.x0 : rect.x1] = False
        assert not changed.any(), (previous, frame)
        assert not _overlap(rects)


def _overlap(rects: tuple[Rect, ...]) -> bool:
    boxes = [(r.x0, r.y0, r.x1, r.y1) for r in rects]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :]]
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for a, b in pairs)


MODES = st.tuples(st.integers(320, 420), st.integers(240, 320))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(MODES, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 700), st.lists(st.integers(0, 700), min_size=30))
@pytest.mark.slow
def test_damage_gives_the_same_pixels(mode: tuple[int, int], seed: int, start: int, steps: list[int]) -> None:
    assert_dirty_equals_full(mode, seed, [start + step for step in steps])


@pytest.mark.slow
def test_a_whole_spin_by_damage() -> None:
    assert_dirty_equals_full((320, 240), 7, list(range(1, 1300)))


@pytest.mark.full
@pytest.mark.parametrize("mode", [(1024, 768), (641, 487), (333, 777)])
def test_many_spins_by_damage(mode: tuple[int, int]) -> None:
    assert_dirty_equals_full(mode, 3, list(range(0, 3000)))


@pytest.mark.slow
def test_forgotten_damage_is_noticed(tmp_path: Path) -> None:
    """The property above must be able to fail: a banner that is not redrawn."""
    library = build_mutant(tmp_path, {"roulette.c": replaced("before.phase != now.phase", "0")})
    drawn = Oracle(320, 240, library=library)
    drawn.draw(449)
    after, _ = drawn.draw_dirty(449, 450)
    assert not np.array_equal(after, Oracle(320, 240).draw(450))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "\n__attribute__((constructor)) static void go(void) { _Exit(0); }\n", "status 0 while it was loaded"),
        ("\n\t*(volatile int *)0 = 1;", "", "SIGSEGV while it drew frame 7"),
        ("\n\tfor (volatile int i = 0;; i++)\n\t\t;", "", "no answer within 1 s while it drew frame 7"),
    ],
    ids=["exit", "null store", "endless"],
)
@pytest.mark.slow
def test_a_hostile_scene_ends_only_its_own_process(
    old: str, new: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plant(text: str) -> str:
        head, body, rest = text.partition("void roulette_draw(")
        assert body
        begin, brace, end = rest.partition("{")
        exits = "void _Exit(int);\n" if new else ""
        return exits + head + body + begin + brace + old + end + new

    monkeypatch.setattr(oracle_module, "REQUEST_S", 1.0)
    library = build_mutant(tmp_path, {"roulette.c": plant})
    with pytest.raises(BuildError, match=f"kernel/scene.*{library.name}.*{says}"):
        Oracle(320, 240, library=library).draw(7)
    assert Oracle(320, 240).draw(7).any(), "the next one draws"


def test_the_scene_runs_with_nothing_that_it_does_not_need() -> None:
    oracle = Oracle(320, 240)
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{oracle._child.pid}/status").read_text().splitlines() if ":" in line
    )
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapEff"], 16) == 0, "no capability"
    assert os.getuid() or set(status["Uid"].split()) == {"65534"}
    limits = Path(f"/proc/{oracle._child.pid}/limits").read_text()
    for name, most in (("Max file size", "0"), ("Max processes", "0"), ("Max core file size", "0")):
        assert re.search(rf"^{name} +{most} ", limits, re.MULTILINE), limits
    assert re.search(r"^Max address space +\d+ ", limits, re.MULTILINE)
    assert re.search(r"^Max cpu time +\d+ ", limits, re.MULTILINE)
