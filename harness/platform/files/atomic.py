"""Files and folders that are replaced whole: a reader sees the old one or the new one, whenever a process is killed.

A part being written has a name of its own beside its target, ``.<name>.<8 hex digits>.part``, and is locked by its
writer. A part without a lock was left by a killed writer: the next writer of the same target clears it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.model.interrupts import listen
from harness.platform.files.locks import acquire, try_lock

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
"""renameat2's errors on a kernel or file system that cannot exchange."""
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)

APPEND_WAIT_S = 10.0
"""An append takes milliseconds: a holder that takes longer is stuck."""

_libc = ctypes.CDLL(None, use_errno=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace a file; text is written as UTF-8.

    Raises
    ------
    OSError
        When it cannot be written; the file is then as it was.
    UnicodeEncodeError
        When the text has no UTF-8 form.
    """
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which replaces ``path`` when the body ends without an error; raises as :func:`write_whole`."""
    clear_leftovers(path)
    part, descriptor = _new_part(path, folder=False)
    placed = False
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, path)
            placed = True
            _sync_placed(path.parent)
    finally:
        if not placed:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which replaces ``path`` when the body ends without an error.

    An interrupt while it is put in place is heard when it is there.

    Raises
    ------
    OSError
        When it cannot be written; the folder is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(path)
    part, descriptor = _new_part(path, folder=True)
    try:
        yield part
        _sync_tree(part)
        part.chmod(0o755)
        with uninterrupted(heard_after=True):
            _place(part, path)
            _sync_placed(path.parent)
    finally:
        # The part, or the folder that it has replaced.
        shutil.rmtree(part, ignore_errors=True)
        os.close(descriptor)


def clear_leftovers(path: Path) -> None:
    """Remove what killed writers of this file or folder left beside it.

    Where folders cannot be exchanged, a kill may leave the folder under its old name: it is put back.
    """
    if not path.parent.is_dir():
        return
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.(part|old)")
    for name in sorted(os.listdir(path.parent)):
        found = pattern.fullmatch(name)
        if found:
            _clear(path.parent / name, path, aside=found[1] == "old")


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_placed(folder: Path) -> None:
    """As :func:`sync_folder`, for a name that is already in place: a failure is not reported."""
    with contextlib.suppress(OSError):
        sync_folder(folder)


def append_line(path: Path, line: bytes, *, search_bytes: int = 0) -> bool:
    """Append one line; it is on the disk when this returns. A line that a crash cut short is closed first.

    Parameters
    ----------
    line
        Without its end.
    search_bytes
        The last bytes of the file that are searched for the line; if it is there, nothing is written.

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    OSError
        When it cannot be; the file then ends where it did.
    Busy
        When somebody else holds the file.
    """
    line += b"\n"
    with open(path, "a+b", buffering=0) as file:
        acquire(file.fileno(), path, APPEND_WAIT_S)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - max(search_bytes, 1)))
        tail = file.read()
        if search_bytes and (b"\n" + tail).find(b"\n" + line) >= 0:
            return False
        content = line if not tail or tail.endswith(b"\n") else b"\n" + line
        try:
            written = file.write(content)
            if written != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise
    return True


@contextlib.contextmanager
def uninterrupted(*, heard_after: bool = False) -> Iterator[None]:
    """Ignore interrupts while something becomes visible, or hear the first of them afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = listen(lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard and heard_after:
        signal.raise_signal(heard[0])


def _new_part(path: Path, *, folder: bool) -> tuple[Path, int]:
    """A part of our own, locked: its path, and the descriptor that holds the lock."""
    while True:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        # Until it is locked, another writer takes it for a leftover.
        descriptor = _make(part, folder)
        if descriptor is None:
            continue
        if _hold(descriptor) and part.exists():
            return part, descriptor
        os.close(descriptor)


def _make(part: Path, folder: bool) -> int | None:
    """Its descriptor; None when another writer was quicker to remove it."""
    if not folder:
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    part.mkdir(0o700)
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _hold(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:
        return True  # without locks on this file system, leftovers are not cleared there either


def _clear(leftover: Path, path: Path, *, aside: bool) -> None:
    try:
        # No bound needed: what it has just written.
        descriptor = os.open(leftover, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if not try_lock(descriptor):
            return
        if aside and not path.exists():
            os.rename(leftover, path)
        elif leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(place) / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(place))


def _place(part: Path, path: Path) -> None:
    """Put a folder where another may be; that one is ``part`` afterwards, or gone."""
    while True:
        try:
            os.rename(part, path)  # works where there is none, or an empty one
            return
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
        number = _exchange(part, path)
        if number == 0:
            return
        if number in _NO_EXCHANGE:
            _replace_by_steps(part, path)
            return
        if number != errno.ENOENT:
            raise OSError(number, os.strerror(number), str(path))


def _exchange(one: Path, other: Path) -> int:
    """Exchange two names in one step; returns 0 or the error's number."""
    if not hasattr(_libc, "renameat2"):
        return errno.ENOSYS
    if _libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return 0
    return ctypes.get_errno()


def _replace_by_steps(part: Path, path: Path) -> None:
    """Move the old one aside, the new one in, remove the old one; :func:`clear_leftovers` repairs a kill meanwhile."""
    old = part.with_suffix(".old")
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _hold(descriptor)
        os.rename(path, old)
        try:
            os.rename(part, path)
        except OSError:
            os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        os.close(descriptor)
