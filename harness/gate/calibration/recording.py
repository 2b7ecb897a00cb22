"""Recording launches of a known effect: the same source against itself, and against injected slow-downs.

Images are linked in several orders, so that candidate and reference are never the same bytes. Effects and pairs of
images alternate from launch to launch, so that a host that changes its speed meets all of them alike.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.arrays import F64
from harness.core.statistics import CANDIDATE, REFERENCE, launch_effect
from harness.gate.calibration.power import RecordedPair, Series
from harness.gate.measuring.launch import measure_launch
from harness.gate.measuring.protocol import Protocol
from harness.model.result import ResultError
from harness.model.spec import RunSpec

SCHEMA = 2
"""Of a calibration's evidence."""
LOADED = "beside a competing load"
"""The notice of evidence that was recorded so."""
PAIR_KEYS = ("effect", "candidate_ms", "reference_ms")


@dataclass(frozen=True)
class InjectedEffect:
    """One planted effect: its arms, one mapping a pair of images."""

    name: str
    planted: float
    pairs: tuple[Mapping[str, RunSpec], ...]


@dataclass(frozen=True)
class CalibrationRecording:
    """All launches, and what one took."""

    series: tuple[Series, ...]
    each_s: float


PROVENANCE = ("schema", "started", "host", "source", "switches", "notices")
"""Of evidence: how and where its launches were recorded."""


def upgraded_evidence(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence as this schema has it: schema 1 named what was injected and the reference methods in its own words."""
    if plain["schema"] != 1:
        return dict(plain)
    launches = [{"injected" if key == "truth" else key: one[key] for key in one} for one in plain["launches"]]
    kept = {key: value for key, value in plain.items() if key != "rivals"}
    return {**kept, "schema": SCHEMA, "launches": launches, "reference_methods": plain["rivals"]}


def recording_from_evidence(text: str, label: str) -> tuple[CalibrationRecording, dict[str, Any]]:
    """What an earlier calibration recorded, and its provenance.

    Raises
    ------
    ResultError
        When the text is not the evidence of a calibration.
    """
    try:
        plain = upgraded_evidence(json.loads(text))
        if plain["schema"] != SCHEMA:
            raise ResultError(f"{label}: schema {plain['schema']}, this harness reads {SCHEMA}: calibrate again")
        series = tuple(
            Series(
                str(one["injected"]),
                float(one["planted"]),
                tuple(RecordedPair(*(np.array(pair[key], np.float64) for key in PAIR_KEYS)) for pair in one["pairs"]),
            )
            for one in plain["launches"]
        )
        recording = CalibrationRecording(series, float(plain["each_s"]))
        sound = series and all(_sound(pair) for one in series for pair in one.pairs)
        if not sound or not recording.each_s > 0:
            raise ValueError("launches are missing or not finite")
        return recording, {key: plain[key] for key in PROVENANCE}
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{label}: not the evidence of a calibration: {error!r}") from error


def _sound(pair: RecordedPair) -> bool:
    shapes = {getattr(pair, key).shape for key in PAIR_KEYS}
    return len(shapes) == 1 and len(pair) >= 2 and all(np.isfinite(getattr(pair, key)).all() for key in PAIR_KEYS)


def record(
    injected_effects: Sequence[InjectedEffect],
    launches: int,
    folder: Path,
    protocol: Protocol,
    seed: int,
    progress: Callable[[str], None],
) -> CalibrationRecording:
    """Measure every effect this many times.

    Raises
    ------
    GuestError
        When a guest fails: a calibration must be complete.
    """
    rng = np.random.default_rng(seed)
    rows: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    begun = time.monotonic()
    for number in range(launches):
        for place in rng.permutation(len(injected_effects)):
            injected = injected_effects[int(place)]
            pair = number % len(injected.pairs)
            progress(f"calibrate: launch {number + 1} of {launches}, {injected.name}")
            measured = measure_launch(injected.pairs[pair], folder / "launch", protocol, rng, 0)
            shutil.rmtree(folder / "launch")
            times = [float(measured.frame_ms[role].mean()) for role in (CANDIDATE, REFERENCE)]
            rows.setdefault((injected.name, pair), []).append((launch_effect(measured.launch), times[0], times[1]))
    each_s = (time.monotonic() - begun) / (launches * len(injected_effects))
    series = tuple(
        Series(
            injected.name,
            injected.planted,
            tuple(
                _pair(rows[injected.name, pair]) for pair in range(len(injected.pairs)) if (injected.name, pair) in rows
            ),
        )
        for injected in injected_effects
    )
    return CalibrationRecording(series, each_s)


def _pair(rows: list[tuple[float, float, float]]) -> RecordedPair:
    table: F64 = np.array([row for row in rows if np.isfinite(row[0])])
    return RecordedPair(table[:, 0], table[:, 1], table[:, 2])
