"""What a result folder that came from another host says of the job that it came from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.model import codec
from harness.model.codec import CodecError
from harness.platform.files.bounded import read_bounded

JOB_FILE = "job.json"


@dataclass(frozen=True)
class JobNote:
    """One result's origin."""

    job: str
    """Its id."""
    label: str
    purpose: str
    host: str
    seconds: float


def placed(results: Path, purpose: str) -> Iterator[tuple[JobNote, Path]]:
    """Results that came from other hosts for one purpose, oldest first."""
    for path in sorted(results.glob(f"[0-9]*/{JOB_FILE}")):
        with contextlib.suppress(OSError, UnicodeDecodeError, CodecError):
            note = codec.from_json(JobNote, read_bounded(path).decode())
            if note.purpose == purpose:
                yield note, path.parent
