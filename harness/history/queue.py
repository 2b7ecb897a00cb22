"""Runs that could not be delivered to the history: one file each, delivered in order as soon as it answers.

The folder lies beside the results of this machine. Files are written whole, and numbered in the order of the runs,
which no clock can change. A file leaves only after the history has committed it; delivering one twice does nothing.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from harness.history.series import HistoryRun, record_from_line, record_to_line
from harness.history.store import History, HistoryDamaged, HistoryUnreachable
from harness.model.errors import StoreError
from harness.model.result import ResultError
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import read_bounded
from harness.platform.files.locks import lock
from harness.platform.files.store import RESULTS_DIR

QUEUE_DIR = RESULTS_DIR / "history-queue"
LOCK_WAIT_S = 120.0
"""How long to wait for another process that delivers: an unreachable history takes its time limit for each run."""

_NAME = re.compile(r"(\d{8})-.*\.json")


@dataclass(frozen=True)
class Delivery:
    """Outcome for queued runs."""

    delivered: int
    waiting: int
    said: tuple[str, ...]
    """Notices: why runs wait, which files could not be used."""


def remember(record: HistoryRun, url: str | None = None, folder: Path = QUEUE_DIR) -> Delivery:
    """Bring a run into the history, after all that wait before it; queue it where the history does not answer.

    Raises
    ------
    StoreError
        When even the queue cannot be written.
    """
    with _locked(folder):
        numbers = [int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        name = f"{max(numbers, default=0) + 1:08d}-{re.sub(r'[^A-Za-z0-9._-]', '_', record.run_id)[:120]}.json"
        write_whole(folder / name, record_to_line(record) + "\n")
        return _deliver(url, folder)


def deliver(url: str | None = None, folder: Path = QUEUE_DIR) -> Delivery:
    """Deliver what waits."""
    if not folder.is_dir():
        return Delivery(0, 0, ())
    with _locked(folder):
        return _deliver(url, folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    """One process at a time numbers and delivers."""
    return lock(folder / ".lock", wait_s=LOCK_WAIT_S, purpose="delivering runs to the history")


def _deliver(url: str | None, folder: Path) -> Delivery:
    files = _files(folder)
    if not files:
        return Delivery(0, 0, ())
    try:
        with History(url) as history:
            return _deliver_into(history, files)
    except (HistoryUnreachable, HistoryDamaged) as error:
        return _postponed(error, 0, len(files), [])
    except StoreError as error:
        return _postponed(error, 0, len(files), [])


def _deliver_into(history: History, files: list[Path]) -> Delivery:
    delivered = 0
    said: list[str] = []
    for index, path in enumerate(files):
        try:
            history.append(record_from_line(read_bounded(path)))
        except (HistoryUnreachable, HistoryDamaged) as error:
            return _postponed(error, delivered, len(files) - index, said)
        except (OSError, ResultError, StoreError) as error:
            kept = path.with_suffix(".rejected")
            path.rename(kept)
            said.append(f"{kept.name}: not delivered and kept: {error}")
            continue
        path.unlink()
        delivered += 1
    return Delivery(delivered, 0, tuple(said))


def _postponed(error: StoreError, delivered: int, count: int, said: list[str]) -> Delivery:
    runs = "1 run waits" if count == 1 else f"{count} runs wait"
    return Delivery(delivered, count, (*said, f"{error.message}; {runs} in {QUEUE_DIR.name}, delivered next time"))
