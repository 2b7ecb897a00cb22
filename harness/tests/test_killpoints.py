"""The old or the new file is stored, at whatever write the writer is killed or interrupted, or the disk is full."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.model.declared import COMMANDS_DIR, command_table
from harness.robustness.killpoints import KILL, Ended, Writer, attack, find_points, python
from harness.robustness.writers import CODE, WITH_QEMU, WRITERS, covers

STRIDE = 50
"""Stride of the quick subset."""


def cases(writers: tuple[Writer, ...]) -> list[object]:
    return [pytest.param(one, how, id=f"{one.name}-{how}") for one in writers for how in one.hows]


QUICK = [
    pytest.param(one, one.hows[number % len(one.hows)], id=f"{one.name}-{one.hows[number % len(one.hows)]}")
    for number, one in enumerate(CODE)
]
"""Each writer disturbed in one way, and each way by some writer; the full tests disturb each in every way."""


def test_every_way_of_disturbing_is_tried_by_some_writer() -> None:
    assert {one.values[1] for one in QUICK} == {how for one in CODE for how in one.hows}


@pytest.mark.parametrize(("writer", "how"), QUICK)
@pytest.mark.slow
def test_nothing_stored_is_lost_at_the_last_writes(writer: Writer, how: str, tmp_path: Path) -> None:
    tally = attack(writer, tmp_path, how, STRIDE)
    assert tally.points and not tally.problems, tally.problems


@pytest.mark.full
@pytest.mark.parametrize(("writer", "how"), cases(WRITERS))
def test_nothing_stored_is_lost(writer: Writer, how: str, tmp_path: Path) -> None:
    tally = attack(writer, tmp_path, how)
    assert tally.points and not tally.problems, tally.problems


@pytest.mark.full
@pytest.mark.qemu
@pytest.mark.parametrize(("writer", "how"), cases(WITH_QEMU))
def test_nothing_stored_is_lost_under_a_real_qemu(writer: Writer, how: str, tmp_path: Path) -> None:
    tally = attack(writer, tmp_path, how)
    assert tally.points and not tally.problems, tally.problems


PIECES = {"RunFolder": "result", "write_whole": "page", "whole_folder": "site"}
"""What writes, and the program that stands for it."""


def undisturbed(sources: Mapping[str, str], covered: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Commands that write by a piece for which no program stands in the attacks."""
    return [
        f"{name}: {piece}"
        for name, source in sources.items()
        for piece, program in PIECES.items()
        if re.search(rf"\b{piece}\(", source) and not {program, name} & set(covered[name])
    ]


def test_every_command_has_its_writers() -> None:
    known = {writer.name for writer in (*WRITERS, *WITH_QEMU)}
    assert {name for names in covers().values() for name in names} == known
    assert {name for row in command_table().values() for name in row.writes} <= known
    assert not undisturbed({name: (COMMANDS_DIR / f"{name}.py").read_text() for name in command_table()}, covers())


def test_a_command_that_writes_undisturbed_is_found() -> None:
    sources = {"new": "write_whole(path, text)", "build": "whole_folder(place)", "perf": "RunFolder('perf')"}
    assert undisturbed(sources, covers() | {"new": ("result",)}) == ["new: write_whole"]


_CARELESS = """
import sys
from pathlib import Path
(Path(sys.argv[1]) / "kept").write_text("new")
"""


def test_a_careless_writer_is_found(tmp_path: Path) -> None:
    def fill(place: Path) -> None:
        (place / "kept").write_text("old")

    def problems(place: Path, ended: Ended) -> list[str]:
        text = (place / "kept").read_text()
        return [] if text in ("old", "new") else [f"it holds {text!r}"]

    writer = Writer("careless", python(_CARELESS), fill, problems)
    assert [name for name, _ in find_points(writer, _filled(tmp_path / "whole", writer), tmp_path / "log")]
    assert attack(writer, tmp_path, KILL).problems == ["careless, write 1 signal=KILL: it holds ''"]


def _filled(place: Path, writer: Writer) -> Path:
    place.mkdir()
    writer.fill(place)
    return place
