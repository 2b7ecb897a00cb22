"""A calibration in parts that several hosts record, and their launches as one recording.

A part is a calibration of its own with fewer launches. A session keeps its two images and its host throughout, so the
launches of one pair of images on one host stay together, and those of another host are another pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.gate.calibration.power import RecordedPair, Series
from harness.gate.calibration.recording import FEWEST_ROUNDS, CalibrationRecording


@dataclass(frozen=True)
class RecordedPart:
    """What one host recorded."""

    host: str
    recording: CalibrationRecording


@dataclass(frozen=True)
class HostLaunches:
    """A host's share of the evidence."""

    host: str
    launches: int


def part_sizes(launches: int) -> tuple[int, ...]:
    """Launches of each part, as equal as can be; a part has at least two of each pair of images."""
    parts = max(launches // FEWEST_ROUNDS, 1)
    return tuple(launches // parts + (number < launches % parts) for number in range(parts))


def joined(parts: Sequence[RecordedPart]) -> CalibrationRecording:
    """All parts as one recording; each host's pairs of images in the order of its parts.

    Parameters
    ----------
    parts
        In the order of the plan, so that the same launches give the same recording in whichever order they came.
    """
    found: dict[str, dict[tuple[str, int], list[RecordedPair]]] = {}
    planted: dict[str, float] = {}
    for part in parts:
        for one in part.recording.series:
            planted[one.name] = one.planted
            pairs = found.setdefault(one.name, {})
            for number, pair in enumerate(one.pairs):
                pairs.setdefault((part.host, number), []).append(pair)
    series = tuple(
        Series(name, planted[name], tuple(_joined_pair(same) for _, same in sorted(by_place.items())))
        for name, by_place in found.items()
    )
    counts = [sum(len(one.effects) for one in part.recording.series) for part in parts]
    each_s = float(np.average([part.recording.each_s for part in parts], weights=counts))
    return CalibrationRecording(series, each_s)


def _joined_pair(pairs: Sequence[RecordedPair]) -> RecordedPair:
    names = set.intersection(*(set(pair.noted) for pair in pairs))
    noted = {name: np.concatenate([pair.noted[name] for pair in pairs]) for name in pairs[0].noted if name in names}
    effect, candidate_ms, reference_ms = (
        np.concatenate([getattr(pair, key) for pair in pairs]) for key in ("effect", "candidate_ms", "reference_ms")
    )
    return RecordedPair(effect, candidate_ms, reference_ms, noted)


def hosts_of(parts: Sequence[RecordedPart]) -> tuple[HostLaunches, ...]:
    """How many launches each host recorded, by name."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts[part.host] += sum(len(one.effects) for one in part.recording.series)
    return tuple(HostLaunches(host, number) for host, number in sorted(counts.items()))


def hosts_words(hosts: Sequence[Mapping[str, object]]) -> str:
    """The hosts of shared evidence in one line."""
    return "recorded by " + ", ".join(f"{one['host']} ({one['launches']} launches)" for one in hosts)
