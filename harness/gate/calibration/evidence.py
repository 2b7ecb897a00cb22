"""A calibration's evidence: every launch and every rate, as JSON, written and read again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.core.arrays import F64
from harness.gate.calibration.places import CalibrationPlace, place_from
from harness.gate.calibration.power import (
    DetectionRates,
    Promise,
    RecordedPair,
    ReferenceMethodRates,
    Series,
    Synthetic,
)
from harness.gate.calibration.recording import LOADED, CalibrationRecording
from harness.model.result import Result, ResultError
from harness.model.spec import Switches

SCHEMA = 3
"""Schema of a calibration's evidence."""
_PLAIN_LIST = re.compile(r"\[\n\s*([^][{}]+?)\n\s*\]")
PAIR_KEYS = ("effect", "candidate_ms", "reference_ms")
PROVENANCE = ("schema", "started", "host", "source", "switches", "notices", "place")
"""Keys of evidence that say how and where its launches were recorded."""
HOSTS = "hosts"
"""Key of evidence that several hosts recorded: each with its number of launches."""


def upgraded_evidence(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence as this schema has it.

    Schema 1 named what was injected and the reference methods in its own words; until 2 the place stood in the notices.
    """
    found = dict(plain)
    if found["schema"] == 1:
        launches = [{"injected" if key == "truth" else key: one[key] for key in one} for one in found["launches"]]
        found = {key: value for key, value in found.items() if key != "rivals"}
        found |= {"schema": 2, "launches": launches, "reference_methods": plain["rivals"]}
    if found["schema"] == 2:
        place = CalibrationPlace(load=int(LOADED in found["notices"]))
        found |= {"schema": SCHEMA, "place": dict(place.words())}
    return found


def provenance_of(result: Result, switches: Switches, place: CalibrationPlace) -> dict[str, Any]:
    """How and where launches were recorded."""
    return {
        "schema": SCHEMA,
        "started": result.started,
        "host": asdict(result.host) if result.host else None,
        "source": dict(result.source),
        "switches": switches.everything(),
        "notices": list(result.notices),
        "place": dict(place.words()),
    }


def evidence_text(
    provenance: Mapping[str, Any],
    recording: CalibrationRecording,
    cells: Sequence[DetectionRates],
    references: Sequence[ReferenceMethodRates],
    made_up: Sequence[Synthetic],
    promised: Sequence[Promise],
) -> str:
    """Everything, recorded launches included."""
    launches = [
        {"injected": one.name, "planted": one.planted, "pairs": [_pair_plain(pair) for pair in one.pairs]}
        for one in recording.series
    ]
    plain: dict[str, Any] = {
        **provenance,
        "each_s": recording.each_s,
        "launches": launches,
        "sessions": [asdict(cell) for cell in cells],
        "reference_methods": [asdict(reference) for reference in references],
        "synthetic": [asdict(one) for one in made_up],
        "targets": [{**asdict(target), "met": target.met} for target in promised],
    }
    return lists_on_lines(json.dumps(plain, indent=1, allow_nan=False)) + "\n"


def lists_on_lines(text: str) -> str:
    """Indented JSON with each list of plain values on one line: a recording then is a line for each of its figures."""
    return _PLAIN_LIST.sub(lambda found: "[" + re.sub(r",\n\s*", ", ", found[1]) + "]", text)


def _pair_plain(pair: RecordedPair) -> dict[str, Any]:
    found: dict[str, Any] = {
        "effect": [round(value, 6) for value in pair.effect.tolist()],
        "candidate_ms": [round(value, 5) for value in pair.candidate_ms.tolist()],
        "reference_ms": [round(value, 5) for value in pair.reference_ms.tolist()],
    }
    noted = {
        name: [round(value, 6) if math.isfinite(value) else None for value in values.tolist()]
        for name, values in pair.noted.items()
    }
    return found | ({"noted": noted} if noted else {})


def recording_from_evidence(text: str, label: str) -> tuple[CalibrationRecording, dict[str, Any]]:
    """Records of an earlier calibration, and its provenance.

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
            Series(str(one["injected"]), float(one["planted"]), tuple(_pair(pair) for pair in one["pairs"]))
            for one in plain["launches"]
        )
        recording = CalibrationRecording(series, float(plain["each_s"]))
        place_from(plain["place"])
        if not (series and all(_sound(pair) for one in series for pair in one.pairs) and recording.each_s > 0):
            raise ValueError("launches are missing or not finite")
        shared = {HOSTS: list(plain[HOSTS])} if HOSTS in plain else {}
        return recording, {key: plain[key] for key in PROVENANCE} | shared
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResultError(f"{label}: not the evidence of a calibration: {error!r}") from error


def _pair(plain: Mapping[str, Any]) -> RecordedPair:
    effect, candidate_ms, reference_ms = (np.array(plain[key], np.float64) for key in PAIR_KEYS)
    noted = {str(name): _numbers(values) for name, values in plain.get("noted", {}).items()}
    return RecordedPair(effect, candidate_ms, reference_ms, noted)


def _numbers(values: Sequence[float | None]) -> F64:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def _sound(pair: RecordedPair) -> bool:
    arrays = [getattr(pair, key) for key in PAIR_KEYS]
    shapes = {array.shape for array in (*arrays, *pair.noted.values())}
    return len(shapes) == 1 and len(pair) >= 2 and all(np.isfinite(array).all() for array in arrays)
