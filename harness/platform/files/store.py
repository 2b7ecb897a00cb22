"""Results on disk: one folder a run, complete or absent.

A run works in ``results/.<name>.part``; :meth:`RunFolder.commit` renames it to ``results/<name>`` and turns the
``latest`` link. A run that fails keeps its files as evidence under its visible name, with ``exit_code`` and no
``result.json``. Of one that was interrupted or never began, ``latest`` is a hidden folder with ``exit_code``, what was
said and its reports (:func:`record_ending`), which goes when ``latest`` turns again. None leaves half a result. What a
killed run left is hidden and held by nobody: the next run clears it.
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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.model import upgrade
from harness.model.errors import HarnessError, StoreError
from harness.model.result import ReplayError, Result, result_to_json
from harness.model.spec import UsageError, Verdict
from harness.platform.files.atomic import sync_folder, uninterrupted, write_whole
from harness.platform.files.bounded import read_bounded
from harness.platform.files.latest import RESULTS_DIR as RESULTS_DIR
from harness.platform.files.latest import clear_killed, hold_results, turn_latest
from harness.platform.files.locks import try_lock
from harness.platform.files.scratch import clear_scratch

ROOM_BYTES = 1 << 16
LATEST = Path("results/latest")
"""The run that a command takes where none is named."""


@dataclass(frozen=True)
class KeptRun:
    """The remains of a run that an error ended."""

    folder: Path
    complete: bool
    """It has its result: the error came after it."""


class RunFolder:
    """The folder of one run while it is being written; as a context manager it cleans up after runs that fail."""

    def __init__(self, command: str, root: Path = RESULTS_DIR) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self.root = root
        self.started = now.isoformat(timespec="seconds")
        self._name = f"{now:%Y%m%dT%H%M%SZ}-{command}"
        self.path = root / f".{self._name}-{secrets.token_hex(4)}.part"
        self._committed: Path | None = None
        # Set before the folder is made, because an interrupt may come before the folder is entered.
        self._orphan = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
        try:
            root.mkdir(parents=True, exist_ok=True)
            self._held = weakref.finalize(self, os.close, _make_part(self.path))
        except OSError as error:
            raise StoreError(f"results cannot be written to {root}: {error.strerror}") from error

    @property
    def final(self) -> Path:
        """Where the run will lie, unless another of this second is there already."""
        return self.root / self._name

    @property
    def place(self) -> Path:
        """Where the run lies now."""
        return self._committed or self.path

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if self._committed is not None:
            _note(error, KeptRun(self._committed, True))
            return
        failed = isinstance(error, Exception) and not isinstance(error, UsageError)
        if failed and any(self.path.iterdir()):
            self._keep(error)
        else:
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
                self._committed = final
                self._orphan.detach()
                self._held()
                turn_latest(self.root, final.name)
            return final
        except OSError as error:
            raise StoreError(f"the result cannot be written: {error.strerror}", self.path) from error

    def discard(self) -> None:
        """Remove the folder: nothing was measured in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held()

    def _keep(self, error: BaseException) -> None:
        """Make the evidence visible; if that fails, it stays where it is, so that the error itself is reported."""
        verdict = error.verdict if isinstance(error, HarnessError) else Verdict.HARNESS_FAILED
        with contextlib.suppress(OSError, StoreError):
            # A result that could not be stored whole is discarded.
            (self.path / "result.json").unlink(missing_ok=True)
            write_whole(self.path / "exit_code", f"{verdict.exit_code}\n")
            self.path.chmod(0o755)
            with uninterrupted():
                final = self._rename()
                _move_words(error, self.path, final)
                turn_latest(self.root, final.name)
                _note(error, KeptRun(final, False))

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


def _make_part(part: Path) -> int:
    """Make a hidden folder, after clearing what killed runs left; the descriptor shows that it has a writer."""
    with hold_results(part.parent) as alone:
        if alone:
            clear_killed(part.parent)
            clear_scratch()
        part.mkdir(0o700)
        return _hold(part)


@contextlib.contextmanager
def passing_folder(root: Path, name: str) -> Iterator[Path]:
    """A hidden folder beside the results, to fill and rename; what is still there at the end is removed.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    part = root / f".{name}-{secrets.token_hex(4)}.part"
    root.mkdir(parents=True, exist_ok=True)
    held = _make_part(part)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(held)


def _hold(folder: Path) -> int:
    """A descriptor that shows others that a folder's writer lives; where there are no locks, nobody asks."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with contextlib.suppress(OSError):
        try_lock(descriptor)
    return descriptor


def add_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files beside what a failed run left; those that it has stay.

    Raises
    ------
    StoreError
        When they cannot be written.
    """
    try:
        for name, text in files.items():
            if not (folder / name).exists():
                write_whole(folder / name, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise StoreError(f"{folder} lacks its report: {error.strerror}") from error


def kept_of(error: BaseException) -> KeptRun | None:
    """Folder of the run that this error ended."""
    kept = getattr(error, "kept_run", None)
    return kept if isinstance(kept, KeptRun) else None


def _note(error: BaseException, kept: KeptRun) -> None:
    setattr(error, "kept_run", kept)


def _move_words(error: BaseException, source: Path, target: Path) -> None:
    """Let an error name its files where they are now."""
    if isinstance(error, HarnessError):
        error.message = error.message.replace(str(source), str(target))
        if error.evidence is not None and error.evidence.is_relative_to(source):
            error.evidence = target / error.evidence.relative_to(source)
    elif isinstance(error, OSError):
        for name in ("filename", "filename2"):
            place = getattr(error, name)
            if isinstance(place, (str, Path)):
                setattr(error, name, str(place).replace(str(source), str(target)))


def check_room(folder: Path) -> None:
    """Raise when a folder cannot be written: QEMU drops what it cannot trace without a message.

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


def saved_run(path: Path | None, setting: str = "RESULT") -> Path:
    """The folder that a setting names; ``results/…`` is the results folder, wherever that is.

    Other paths are relative to here, or to the checkout where it is not here.

    Raises
    ------
    UsageError
        When it is not a saved run.
    """
    named = _among_results(path or LATEST)
    folder = (named if named.exists() else RESULTS_DIR.parent / named).resolve()
    if not (folder / "result.json").is_file():
        what = "that run ended without a result" if (folder / "exit_code").is_file() else "no saved run"
        last = max((one.parent for one in RESULTS_DIR.glob("[0-9]*/result.json")), default=None)
        hint = f"the last that has one is {last}" if last else "'make perf' makes one"
        raise UsageError(f"{setting}={named}: {what}; {hint}")
    return folder


def _among_results(path: Path) -> Path:
    """Where ``results/…`` lies; ``results/latest`` never means that of another results folder."""
    if path.is_absolute() or path.parts[:1] != LATEST.parts[:1]:
        return path
    there = RESULTS_DIR.joinpath(*path.parts[1:])
    return there if path == LATEST or there.exists() else path


def load_result(folder: Path) -> Result:
    """The result of a saved run.

    Raises
    ------
    ReplayError
        When the folder holds none that can be read or used.
    """
    path = folder / "result.json"
    try:
        text = read_bounded(path).decode("utf-8")
    except OSError as error:
        why = error.strerror or error
        raise ReplayError(f"{folder} cannot be replayed: its result.json cannot be read: {why}") from error
    except UnicodeDecodeError as error:
        raise ReplayError(f"{folder} cannot be replayed: its result.json is not text: {error}") from error
    return upgrade.load_result(text, str(folder))


def save_json(path: Path, value: object) -> None:
    """Write a JSON file whole."""
    write_whole(path, json.dumps(value, indent=1) + "\n")
