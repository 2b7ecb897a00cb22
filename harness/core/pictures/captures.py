"""The captures of a verification window as they are kept with a run, and the verdict reached from them again.

``captures.json`` holds ``schema``, ``frozen_after_ns``, ``judged``, ``judged_as``, ``rounded`` and ``captures``, one
object each: ``kind``, ``why``, ``frame``, ``time_ns``, ``due``, ``crc``, ``evidence``, ``damage``, ``tear_rows``.
``kind`` is the class of the single picture, before the order of captures was checked; ``evidence`` begins the names of
the pictures kept of it, or is empty.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.core.pictures.damage import Damage
from harness.core.pictures.frames import Capture, CheckedPicture, FrameClass, Verification, verify

SCHEMA = 1
CAPTURES_FILE = "captures.json"


class CapturesError(ValueError):
    """A file that does not hold captures of this schema."""


@dataclass(frozen=True)
class SavedCapture:
    """One capture, and what was kept of it."""

    capture: Capture
    crc: int
    """CRC-32 of the captured bytes R, G, B."""
    evidence: str = ""


@dataclass(frozen=True)
class SavedCaptures:
    """Everything needed to verify a run again."""

    captures: tuple[SavedCapture, ...]
    frozen_after_ns: int
    judged: bool = False
    judged_as: str = ""
    """In words, where no oracle knows the pictures, or not every bit of them."""
    rounded: bool = False
    """A host's renderer drew them: what rounding may change was settled first."""

    def verify(self) -> Verification:
        """Reach the verdict again."""
        verification = verify([one.capture for one in self.captures], self.frozen_after_ns)
        frames = replace(verification.frames, judged_as=self.judged_as)
        return replace(verification, judged=self.judged, frames=frames)


def captures_to_json(saved: SavedCaptures) -> str:
    """The text of ``captures.json``."""
    rows = [_row(one) for one in saved.captures]
    head = {
        "schema": SCHEMA,
        "frozen_after_ns": saved.frozen_after_ns,
        "judged": saved.judged,
        "judged_as": saved.judged_as,
        "rounded": saved.rounded,
    }
    return json.dumps(head | {"captures": rows}, indent=0) + "\n"


def captures_from_json(text: str) -> SavedCaptures:
    """Parse ``captures.json``.

    Raises
    ------
    CapturesError
        When the text is not such a file.
    """
    try:
        plain = json.loads(text)
        if plain["schema"] != SCHEMA:
            raise CapturesError(f"captures have schema {plain['schema']}, this harness writes {SCHEMA}")
        rows = tuple(_saved(row) for row in plain["captures"])
        return SavedCaptures(
            rows,
            _integer(plain["frozen_after_ns"]),
            bool(plain["judged"]),
            str(plain.get("judged_as", "")),
            bool(plain.get("rounded", False)),
        )
    except CapturesError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CapturesError(f"not the captures of a run: {type(error).__name__}: {error}") from error


def _row(one: SavedCapture) -> dict[str, Any]:
    checked = one.capture.checked
    return {
        "kind": checked.kind.value,
        "why": checked.why,
        "frame": checked.frame,
        "time_ns": one.capture.time_ns,
        "due": one.capture.due,
        "crc": one.crc,
        "evidence": one.evidence,
        "damage": asdict(checked.damage) if checked.damage else None,
        "tear_rows": checked.tear_rows,
    }


def _saved(row: dict[str, Any]) -> SavedCapture:
    tear = row["tear_rows"]
    checked = CheckedPicture(
        FrameClass(row["kind"]),
        str(row["why"]),
        None if row["frame"] is None else _integer(row["frame"]),
        Damage(**row["damage"]) if row["damage"] else None,
        (_integer(tear[0]), _integer(tear[1])) if tear else None,
    )
    due = None if row["due"] is None else _integer(row["due"])
    evidence = str(row["evidence"])
    if "/" in evidence or "\0" in evidence:
        raise CapturesError(f"{evidence!r} is not the name of a picture")
    return SavedCapture(Capture(checked, _integer(row["time_ns"]), due), _integer(row["crc"]), evidence)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CapturesError(f"{value!r} is not a whole number")
    return value
