"""Leftovers of a killed X server: a socket without a listener, and perhaps a lock."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import time
from pathlib import Path

from harness.platform.files.bounded import read_bounded

PLACE = Path("/tmp")
SETTLED_S = 60.0
"""A server that starts has a socket for a moment before it listens."""
_DOOR = re.compile(r"X(\d{1,5})")
_LOCK_BYTES_MAX = 64
_CONNECT_S = 1.0


def clear_leftovers(place: Path = PLACE, ended: int = -1) -> list[int]:
    """Remove what dead servers of this user left; returns their display numbers.

    A server whose socket answers, or whose lock names a process that lives, is left alone.

    Parameters
    ----------
    ended
        Display number of a server that is known to have ended.
    """
    cleared = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(place / ".X11-unix")):
            found = _DOOR.fullmatch(name)
            if found and _clear(place, int(found[1]), known=int(found[1]) == ended):
                cleared.append(int(found[1]))
    return cleared


def _clear(place: Path, number: int, *, known: bool) -> bool:
    lock, door = place / f".X{number}-lock", place / ".X11-unix" / f"X{number}"
    try:
        status = door.lstat()
        ours = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()
        if not ours or not (known or time.time() - status.st_mtime > SETTLED_S) or _lives(lock) or _answers(door):
            return False
        door.unlink()
        lock.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _lives(lock: Path) -> bool:
    """Whether a lock names a process that there is; of one that says something else nothing is known."""
    if not lock.exists():
        return False
    words = read_bounded(lock, _LOCK_BYTES_MAX).split()
    return len(words) != 1 or not words[0].isdigit() or Path(f"/proc/{int(words[0])}").exists()


def _answers(door: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(_CONNECT_S)
        try:
            knock.connect(str(door))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
