"""Results on disk: a folder a run, complete or not there at all.

A run works in ``results/.<name>.part``; :meth:`RunFolder.commit` renames it to ``results/<name>`` and turns the
``latest`` link. A run that fails leaves the part folder as evidence, one that was interrupted or never began leaves
nothing, and none leaves half a result.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import secrets
import shutil
import weakref
from pathlib import Path
from types import TracebackType

from harness.model import upgrade
from harness.model.errors import StoreError
from harness.model.result import Result, result_to_json
from harness.model.spec import ROOT, UsageError
from harness.platform.atomic import sync_folder, uninterrupted, write_whole
from harness.platform.bounded import read_bounded

RESULTS_DIR = ROOT / "results"
ROOM_BYTES = 1 << 16


class RunFolder:
    """The folder of one run while it is being written; as a context manager it cleans up after runs that fail."""

    def __init__(self, command: str, root: Path = RESULTS_DIR) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self.root = root
        self.started = now.isoformat(timespec="seconds")
        self._name = f"{now:%Y%m%dT%H%M%SZ}-{command}"
        self.path = root / f".{self._name}-{secrets.token_hex(4)}.part"
        self._committed = False
        # Before there is a folder: an interrupt may come when it exists and nobody has entered it yet.
        self._orphan = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        try:
            root.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(0o700)
        except OSError as error:
            raise StoreError(f"results cannot be written to {root}: {error.strerror}") from error

    @property
    def final(self) -> Path:
        """Where the run will lie, unless another of this second is there already."""
        return self.root / self._name

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._committed or error is None:
            return
        failed = isinstance(error, Exception) and not isinstance(error, UsageError)
        if not failed or not any(self.path.iterdir()):
            self.discard()
        self._orphan.detach()

    def commit(self, result: Result) -> Path:
        """Write ``result.json`` and ``exit_code``, and make the folder visible; returns its final path.

        Raises
        ------
        StoreError
            When it cannot be written; nothing of it is visible then.
        """
        try:
            write_whole(self.path / "result.json", result_to_json(result))
            write_whole(self.path / "exit_code", f"{result.exit_code}\n")
            self.path.chmod(0o755)
            sync_folder(self.path)
            with uninterrupted():
                final = self._rename()
                self._committed = True
                self._orphan.detach()
                turn_latest(self.root, final.name)
            return final
        except OSError as error:
            raise StoreError(f"the result cannot be written: {error.strerror}", self.path) from error

    def discard(self) -> None:
        """Remove the folder: nothing was measured in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _rename(self) -> Path:
        for number in range(1, 1000):
            final = self.root / (self._name if number == 1 else f"{self._name}-{number}")
            try:
                os.rename(self.path, final)
                return final
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
        raise StoreError(f"{self._name}: a thousand results of this second exist already", self.path)


def turn_latest(root: Path, name: str) -> None:
    """Let ``latest`` be this entry of the results folder."""
    link = root / f".latest-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(name)
    os.replace(link, root / "latest")
    sync_folder(root)


def check_room(folder: Path) -> None:
    """Raise when a folder takes nothing more: QEMU drops what it cannot trace without a word.

    Raises
    ------
    StoreError
        With the reason.
    """
    probe = folder / ".room"
    try:
        probe.write_bytes(bytes(ROOM_BYTES))
    except OSError as error:
        raise StoreError(f"the run's logs cannot be written: {error.strerror}", folder) from None
    finally:
        probe.unlink(missing_ok=True)


def saved_run(path: Path | None) -> Path:
    """The folder that RESULT= names; relative to here, or to the checkout where it is not here.

    Raises
    ------
    UsageError
        When it is no saved run.
    """
    named = path or RESULTS_DIR / "latest"
    folder = (named if named.exists() else RESULTS_DIR.parent / named).resolve()
    if not (folder / "result.json").is_file():
        raise UsageError(f"RESULT={named}: no saved run; 'ls results' lists them")
    return folder


def load_result(folder: Path) -> Result:
    """The result of a saved run.

    Raises
    ------
    StoreError
        When the folder holds none, or one that cannot be used.
    """
    path = folder / "result.json"
    try:
        text = read_bounded(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{folder} holds no readable result: {error}") from error
    return upgrade.load_result(text, str(folder))


def save_json(path: Path, value: object) -> None:
    """Write a JSON file whole."""
    write_whole(path, json.dumps(value, indent=1) + "\n")
