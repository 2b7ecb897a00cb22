"""Arms that were compared with the first one pair by pair, on any hosts, as one comparison of them all.

Each pair is a whole run of ``ab`` with two arms, A and B. Its B gets the letter that it has among all arms; files of
its A, which each pair has measured again, stand beside those of the first pair's A.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.arrays import F64
from harness.core.comparison.statistics import launch_effect
from harness.model.record import TimingRecord
from harness.model.result import Arm, Frames, Gate, Result
from harness.model.spec import Verdict
from harness.platform.files.bounded import read_bounded
from harness.report.files import frames_from_csv

_FIRST, _SECOND = "A", "B"


@dataclass(frozen=True)
class ArmPair:
    """The run that compared an arm with the first one."""

    name: str
    """Its letter among all arms."""
    result: Result
    folder: Path
    host: str

    @property
    def others_name(self) -> str:
        """What the first arm's folder of this pair is called among all."""
        return f"{_FIRST}-{self.name}"

    def renamed(self, text: str, first: bool) -> str:
        """A sentence or a file's name of the pair, as one of all arms.

        Parameters
        ----------
        first
            It is the first pair, whose A stands for all.
        """
        letters = {_FIRST: _FIRST if first else self.others_name, _SECOND: self.name}
        text = re.sub(r"(?<=\(see )([AB])(?=/)|^([AB])(?=/)", lambda m: letters[m[1] or m[2]], text)
        return re.sub(r"^B(?=:)", self.name, text)


def pair_words(arms: Mapping[str, Arm], first: str, name: str) -> str:
    """``acquire_progress (B) against seqcst_spin (A)``: both arms by what differs between their switches."""
    ours, theirs = arms[name].switches, arms[first].switches
    differing = [key for key in ours if key in theirs and ours[key] != theirs[key]]

    def called(arm: str, switches: Mapping[str, str]) -> str:
        words = [switches[key] if key == "BARRIER" else f"{key}={switches[key]}" for key in differing]
        return f"{' '.join(words)} ({arm})" if words else arm

    return f"{called(name, ours)} against {called(first, theirs)}"


def arms_together(pairs: Sequence[ArmPair]) -> dict[str, Arm]:
    """All arms, the first one as the first pair measured it."""
    return {_FIRST: pairs[0].result.arms[_FIRST]} | {pair.name: pair.result.arms[_SECOND] for pair in pairs}


def gates_together(pairs: Sequence[ArmPair], arms: Mapping[str, Arm]) -> tuple[Gate, ...]:
    """Each pair's judgement, with the letters of all arms."""
    found = []
    for pair in pairs:
        before = pair_words(pair.result.arms, _FIRST, _SECOND)
        for gate in pair.result.gates:
            why = pair_words(arms, _FIRST, pair.name) + gate.why.removeprefix(before)
            found.append(replace(gate, why=why))
    return tuple(found)


def together(pairs: Sequence[ArmPair], result: Result) -> Result:
    """The comparison of all arms.

    Parameters
    ----------
    pairs
        One for each arm but the first, in order.
    result
        What this run says of itself: sentence, start, source, notices.
    """
    worst = Verdict.worst(pair.result.verdict for pair in pairs)
    frames = [
        replace(pair.result.frames, evidence=tuple(pair.renamed(path, pair is pairs[0]) for path in evidence))
        for pair in pairs
        if pair.result.frames is not None and (evidence := pair.result.frames.evidence) is not None
    ]
    own = [pair.renamed(text, pair is pairs[0]) for pair in pairs for text in pair.result.notices]
    notices = [text for text in own if not re.match(r"[AB] is ", text)]
    arms = arms_together(pairs)
    return replace(
        result,
        verdict=worst,
        seconds=sum(pair.result.seconds for pair in pairs),
        host=pairs[0].result.host,
        qemu=pairs[-1].result.qemu,
        compiler=pairs[0].result.compiler,
        arms=arms,
        gates=gates_together(pairs, arms),
        frames=Frames.together(frames),
        notices=tuple(dict.fromkeys((*result.notices, *notices))),
        problems=tuple(pair.renamed(text, pair is pairs[0]) for pair in pairs for text in pair.result.problems),
        runs={_FIRST: pairs[0].result.runs[_FIRST]} | {pair.name: pair.result.runs[_SECOND] for pair in pairs},
    )


def copy_evidence(pairs: Sequence[ArmPair], folder: Path) -> None:
    """Bring what each pair's arms left into the folder of all arms."""
    for pair in pairs:
        first = _FIRST if pair is pairs[0] else pair.others_name
        for source, target in ((_FIRST, first), (_SECOND, pair.name)):
            if (pair.folder / source).is_dir():
                shutil.copytree(pair.folder / source, folder / target)


def times_together(pairs: Sequence[ArmPair]) -> tuple[dict[str, F64], list[tuple[float, int]]]:
    """Frame times by arm; the launches' effects where there is one comparison."""
    frame_ms: dict[str, F64] = {}
    effects: list[tuple[float, int]] = []
    for pair in pairs:
        record = pair.result.runs[_SECOND].of(TimingRecord)
        path = pair.folder / "frames.csv"
        if record is None or not record.launches or not path.is_file():
            continue
        known = frames_from_csv(read_bounded(path).decode("utf-8", "replace"))
        frame_ms |= {_FIRST: frame_ms.get(_FIRST, known[_FIRST])} if _FIRST in known else {}
        frame_ms |= {pair.name: known[_SECOND]} if _SECOND in known else {}
        effects = [(launch_effect(one.launch), one.launch.batch) for one in record.launches]
    return frame_ms, effects if len(pairs) == 1 else []
