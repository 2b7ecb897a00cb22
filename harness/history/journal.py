"""The journal of a nightly run: its plan, and each cell as it finishes, so that a killed run can continue.

One folder a machine, one night at a time. Every line is on the disk before the next cell starts; a line that a crash
cut short is ignored.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.model import codec
from harness.model.codec import CodecError
from harness.model.errors import HarnessError, StoreError
from harness.platform.files.atomic import append_line
from harness.platform.files.bounded import HISTORY_BYTES_MAX, read_bounded
from harness.platform.files.locks import Busy, lock
from harness.platform.files.store import RESULTS_DIR

NIGHT_DIR = RESULTS_DIR / ".night"

_JOURNAL = "journal.jsonl"
STALE_S = 20 * 3600.0
"""An unfinished nightly run that began longer ago than this is not continued."""


class NightRunning(HarnessError):
    """Another night holds this machine."""


@dataclass(frozen=True)
class NightPlan:
    """The tasks of a nightly run."""

    started: str
    """UTC, ISO 8601."""
    digest: str
    """Hash of the matrix."""
    commit: str


@dataclass(frozen=True)
class CellStarted:
    """A cell that has started."""

    cell: str
    at: float
    """By the clock of the files."""


@dataclass(frozen=True)
class CellFinished:
    """A cell that has run."""

    cell: str
    verdict: str
    sentence: str
    folder: str
    """Name of its results folder; empty when it left none."""
    seconds: float


@contextlib.contextmanager
def only_night(folder: Path = NIGHT_DIR) -> Iterator[None]:
    """Hold the machine for one night.

    Raises
    ------
    NightRunning
        When another one does, naming its process.
    """
    try:
        with lock(folder / ".lock", wait_s=0, purpose="nightly"):
            yield
    except Busy as error:
        raise NightRunning(f"another nightly is running on this machine ({error.holder})") from error


class Journal:
    """The journal of the current nightly run; hold :func:`only_night` meanwhile."""

    def __init__(self, folder: Path = NIGHT_DIR) -> None:
        self._path = folder / _JOURNAL
        self.plan: NightPlan | None = None
        self.finished: list[CellFinished] = []
        self.begun: tuple[str, float] | None = None
        """The cell that was running when the journal ended, and when it began, by the clock of the files."""
        self._read()

    def _read(self) -> None:
        try:
            lines = read_bounded(self._path, HISTORY_BYTES_MAX).decode("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            with contextlib.suppress(CodecError, KeyError):
                plain = codec.parse_object(line)
                kind = plain.pop("kind")
                if kind == "plan":
                    self.plan, self.finished, self.begun = codec.from_plain(NightPlan, plain), [], None
                elif kind == "begun":
                    begun = codec.from_plain(CellStarted, plain)
                    self.begun = begun.cell, begun.at
                elif kind == "finished":
                    self.finished.append(codec.from_plain(CellFinished, plain))
                    self.begun = None

    def resumable(self, digest: str, commit: str, now: datetime.datetime) -> bool:
        """Whether the night in the journal is the one that is wanted now."""
        if self.plan is None or (self.plan.digest, self.plan.commit) != (digest, commit):
            return False
        age_s = (now - datetime.datetime.fromisoformat(self.plan.started)).total_seconds()
        return abs(age_s) < STALE_S

    def start(self, plan: NightPlan) -> None:
        """Begin a new night; the journal's earlier content is removed."""
        self._path.unlink(missing_ok=True)
        self.plan, self.finished, self.begun = plan, [], None
        self._write({"kind": "plan", **asdict(plan)})

    def begin(self, cell: str) -> None:
        """A cell starts."""
        self._write({"kind": "begun", "cell": cell, "at": _now_of_files(self._path)})

    def finish(self, finished: CellFinished) -> None:
        """A cell has run."""
        self.finished.append(finished)
        self._write({"kind": "finished", **asdict(finished)})

    def close(self) -> None:
        """The night is over and reported."""
        self._path.unlink(missing_ok=True)

    def _write(self, plain: dict[str, object]) -> None:
        try:
            append_line(self._path, codec.to_json(plain, indent=None).encode().rstrip())
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}") from error


def _now_of_files(path: Path) -> float:
    """The time stamp of a file written now: comparable with those of the results, whatever the clock did."""
    probe = path.with_name(".now")
    probe.touch()
    return probe.stat().st_mtime
