"""How good the detectors are: measured on generated pictures, damaged and clean, with the truth known.

The caller hands in the function that draws the pictures, so that this stays pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.core.arrays import I64, DrawFrame, Image
from harness.core.pictures.frames import FrameClass, check_picture
from harness.core.pictures.golden_features import learn_golden
from harness.core.pictures.planted_pictures import KINDS, DamagedPicture, plant
from harness.core.pictures.stamp import STRIP_ROWS
from harness.core.pictures.unknown_pictures import judge_picture

GROSS_KINDS = tuple(kind for kind in KINDS if kind not in ("pixel", "levels"))
"""Those that a person could see; one pixel by one level is not."""
LEARNT = 160
"""Good pictures that the judging detector learns from, of each drawing."""
SPINS_FRAMES = 100_000
"""Frame numbers are drawn from below this."""


@dataclass(frozen=True)
class KindTable:
    """A detector's answers to one kind of damage (or to clean pictures), by class."""

    kind: str
    answers: Mapping[str, int]

    @property
    def planted(self) -> int:
        return sum(self.answers.values())

    @property
    def found(self) -> int:
        """Answers other than intact."""
        return self.planted - self.answers.get(FrameClass.INTACT.value, 0)


@dataclass(frozen=True)
class Confusion:
    """A detector's confusion matrix."""

    damaged: tuple[KindTable, ...]
    clean: KindTable

    @property
    def found_share(self) -> float:
        planted = sum(table.planted for table in self.damaged)
        return sum(table.found for table in self.damaged) / planted if planted else 0.0

    @property
    def false_alarm_share(self) -> float:
        return self.clean.found / self.clean.planted if self.clean.planted else 0.0

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """For a table: kind, planted, then the answers in the order of :class:`FrameClass`."""
        return tuple(
            (table.kind, str(table.planted), *(str(table.answers.get(kind.value, 0)) for kind in FrameClass))
            for table in (*self.damaged, self.clean)
        )


def measure_exact(
    draws: Sequence[DrawFrame], damaged: int, clean: int, random_state: int
) -> tuple[Confusion, tuple[str, ...]]:
    """Measure the exact detector; also returns every wrong answer in words.

    Parameters
    ----------
    draws
        What to draw frames with, taken in turn: modes, scenes.
    damaged, clean
        How many pictures; kinds are taken in turn.
    """
    rng = np.random.default_rng(random_state)
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "clean")}
    wrong = []
    for index in range(damaged):
        draw = draws[index % len(draws)]
        planted = plant(KINDS[index % len(KINDS)], draw, int(rng.integers(SPINS_FRAMES)), rng)
        checked = check_picture(planted.picture, draw)
        answers[planted.kind][checked.kind.value] += 1
        if checked.kind not in planted.answers:
            wrong.append(f"{planted.kind} in frame {planted.frame} was called {checked.kind.value}: {checked.why}")
    for index in range(clean):
        draw = draws[index % len(draws)]
        frame = int(rng.integers(SPINS_FRAMES))
        checked = check_picture(draw(frame), draw)
        answers["clean"][checked.kind.value] += 1
        if checked.kind is not FrameClass.INTACT or checked.frame != frame:
            wrong.append(f"clean frame {frame} was called {checked.kind.value}: {checked.why}")
    return _confusion(answers), tuple(wrong)


def measure_judge(draws: Sequence[DrawFrame], damaged: int, clean: int, random_state: int) -> Confusion:
    """Measure the judging detector on gross damage, on pictures without stamps.

    Parameters are those of :func:`measure_exact`; damage that a person would not see is planted again.
    """
    rng = np.random.default_rng(random_state)
    bare = [_without_stamps(draw) for draw in draws]
    golden = [learn_golden(_Drawn(draw, rng.integers(0, SPINS_FRAMES, LEARNT))) for draw in bare]
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in (*KINDS, "clean")}
    for index in range(damaged):
        draw = bare[index % len(bare)]
        planted = _plant_gross(GROSS_KINDS[index % len(GROSS_KINDS)], draw, rng)
        if planted is not None:
            answers[planted.kind][judge_picture(planted.picture, golden[index % len(bare)]).kind.value] += 1
    for index in range(clean):
        picture = bare[index % len(bare)](int(rng.integers(SPINS_FRAMES)))
        answers["clean"][judge_picture(picture, golden[index % len(bare)]).kind.value] += 1
    return _confusion(answers)


def _plant_gross(kind: str, draw: DrawFrame, rng: np.random.Generator, tries: int = 25) -> DamagedPicture | None:
    for _ in range(tries):
        planted = plant(kind, draw, int(rng.integers(SPINS_FRAMES)), rng)
        if planted.is_gross(draw(planted.frame)):
            return planted
    return None


def _without_stamps(draw: DrawFrame) -> DrawFrame:
    """A kernel without an oracle has no stamp either: its counter would show new colours in old places."""

    def bare(frame: int) -> Image:
        picture = draw(frame)
        picture[:STRIP_ROWS] = picture[0, -1]
        picture[-STRIP_ROWS:] = picture[0, -1]
        return picture

    return bare


class _Drawn:
    """Pictures drawn when they are asked for."""

    def __init__(self, draw: DrawFrame, frames: I64) -> None:
        self._draw = draw
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Image:
        return self._draw(int(self._frames[index]))


def _confusion(answers: Mapping[str, Counter[str]]) -> Confusion:
    tables = [KindTable(kind, dict(counted)) for kind, counted in answers.items() if kind != "clean"]
    return Confusion(tuple(tables), KindTable("clean", dict(answers["clean"])))
