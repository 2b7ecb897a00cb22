"""What the judging detector answers on many screens of real guests, kept in ``data/screens``.

``/usr/bin/python3 -m harness.tests.screenfigures`` captures and judges the screens of every guest, or of those named;
``make docs`` writes a table of the answers.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.arrays import Image
from harness.core.pictures.detector_accuracy import Confusion
from harness.core.pictures.golden_features import LEARNT_FEWEST, learn_golden
from harness.core.pictures.screen_accuracy import measure_screens
from harness.model import codec
from harness.tests.realscreens import GUESTS, SCREENS, SHOWN, TARGETS, screens_of

MEASURED = SCREENS / "measured.json"
SCREENS_EACH: Mapping[str, int] = {**dict.fromkeys(TARGETS, 60), **dict.fromkeys(GUESTS, 120)}
"""Those of targets are larger."""
CAPTURE_S = 60.0
CLEAN = "clean"


@dataclass(frozen=True)
class Answers:
    """How many pictures of one kind were judged, and how many of them were called a fault."""

    judged: int = 0
    faults: int = 0

    def __add__(self, other: "Answers") -> "Answers":
        return Answers(self.judged + other.judged, self.faults + other.faults)


@dataclass(frozen=True)
class ScreenFigures:
    """The detector's answers on the screens of one guest, by kind of damage; ``clean`` are the screens as they are."""

    screens: int
    mode: str
    alone: Mapping[str, Answers]
    """Each screen judged by itself."""
    golden: Mapping[str, Answers]
    """Half of the screens judged by the other half."""

    @property
    def damaged(self) -> Answers:
        """All damage, judged either way."""
        return damaged(self.alone) + damaged(self.golden)


@dataclass(frozen=True)
class KeptFigures:
    """The file of them."""

    guests: dict[str, ScreenFigures]


def damaged(answers: Mapping[str, Answers]) -> Answers:
    """Every kind of damage together."""
    return sum((one for kind, one in answers.items() if kind != CLEAN), Answers())


def judged_screens(screens: Sequence[Image]) -> ScreenFigures:
    """Judge each screen by itself; then learn from half of them, and judge the other half."""
    usual = [one for one in screens if one.shape == screens[-1].shape]
    assert len(usual) >= 2 * LEARNT_FEWEST, f"{len(usual)} screens of one size"
    alone = measure_screens(screens, None, 3)
    golden = measure_screens(usual[1::2], learn_golden(usual[::2]), 4)
    height, width = screens[-1].shape[:2]
    return ScreenFigures(len(screens), f"{width}x{height}", _answers(alone), _answers(golden))


def _answers(confusion: Confusion) -> dict[str, Answers]:
    return {one.kind: Answers(one.planted, one.found) for one in (*confusion.damaged, confusion.clean)}


def kept_figures() -> dict[str, ScreenFigures]:
    """What was measured last, by guest."""
    if not MEASURED.is_file():
        return {}
    return codec.from_json(KeptFigures, MEASURED.read_text(encoding="utf-8")).guests


def screens_markdown() -> str:
    """A row for each guest, and one for all of them."""
    figures = kept_figures()
    head = [
        "| screens of | how many | size | false alarms alone | damage found alone | false alarms by golden pictures "
        "| damage found by golden pictures |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [_row(f"`{name}`", one.screens, one.mode, [one]) for name, one in figures.items()]
    every = tuple(figures.values())
    rows.append(_row("all", sum(one.screens for one in every), "", every))
    return "\n".join([*head, *rows]) + "\n"


def _row(name: str, screens: int, mode: str, figures: Sequence[ScreenFigures]) -> str:
    cells = [name, str(screens), mode]
    for kinds in ([one.alone for one in figures], [one.golden for one in figures]):
        clean = sum((answers[CLEAN] for answers in kinds), Answers())
        found = sum((damaged(answers) for answers in kinds), Answers())
        cells += [f"{one.faults} of {one.judged}" for one in (clean, found)]
    return f"| {' | '.join(cells)} |"


def measure(names: Sequence[str]) -> None:
    """Judge many screens of each guest, and keep the answers."""
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            screens = screens_of(name, Path(place), SCREENS_EACH[name], CAPTURE_S)
        figures = {**kept_figures(), name: judged_screens(screens)}
        ordered = {one: figures[one] for one in SHOWN if one in figures}
        MEASURED.write_text(codec.to_json(KeptFigures(ordered)) + "\n", encoding="utf-8")
        sys.stdout.write(f"{name}: {figures[name]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    measure(sys.argv[1:] or SHOWN)
