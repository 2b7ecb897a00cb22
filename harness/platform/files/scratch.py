"""Temporary folders that a kill leaves behind for a moment only: the next run clears what has no holder.

Each is held by an advisory lock on itself, as long as the process lives that made it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.model.errors import StoreError
from harness.platform.files.locks import try_lock

_NAME = re.compile(r"harness-[a-z]+-[0-9a-f]{8}")
_ATTEMPTS = 100


@contextlib.contextmanager
def scratch_folder(purpose: str, place: Path | None = None) -> Iterator[Path]:
    """A new folder, removed with all that is in it when the body ends; also clears what killed runs left beside it.

    Parameters
    ----------
    purpose
        A word of small letters, which is in its name.
    place
        The folder in which it is made; by default the system's for temporary files.

    Raises
    ------
    StoreError
        When it cannot be made.
    """
    try:
        place = place or Path(tempfile.gettempdir())
        clear_scratch(place)
        folder, descriptor = _held_folder(place, purpose)
    except OSError as error:
        raise StoreError(
            f"no temporary folder can be made{f' in {place}' if place else ''}: {error.strerror}"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def clear_scratch(place: Path | None = None) -> None:
    """Remove the folders of this user that a killed process left."""
    with contextlib.suppress(OSError):
        place = place or Path(tempfile.gettempdir())
        for name in os.listdir(place):
            if _NAME.fullmatch(name):
                with contextlib.suppress(OSError):
                    _clear(place / name)


def _held_folder(place: Path, purpose: str) -> tuple[Path, int]:
    """A folder of our own, and the descriptor that holds it."""
    for _ in range(_ATTEMPTS):
        folder = place / f"harness-{purpose}-{secrets.token_hex(4)}"
        # Until it is locked, another process takes it for one that was left.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            folder.mkdir(0o700)
            descriptor = _open(folder)
            with contextlib.suppress(OSError):
                try_lock(descriptor)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)
        if not place.is_dir():
            break
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))


def _clear(folder: Path) -> None:
    descriptor = _open(folder)
    try:
        # Without this, a stranger's folder in a shared place would be removed where the place permits it.
        if os.geteuid() in (0, os.fstat(descriptor).st_uid) and try_lock(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
