"""Files from outside: regular files only, up to a size, within a time, so that none can hang or fill the harness."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

READ_S = 60.0
TEXT_BYTES_MAX = 64 << 20
KERNEL_BYTES_MAX = 1 << 30
"""The most bytes of a kernel or a disc, which is read whole."""
LOG_BYTES_MAX = 2 << 30
"""Limit for a file that a run wrote: more than QEMU may write to one file."""
HISTORY_BYTES_MAX = 1 << 30
_CHUNK = 1 << 20


def why_unread(error: Exception) -> str:
    """Why a file could not be read, without its name."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def read_bounded(path: Path, most: int = TEXT_BYTES_MAX, limit_s: float = READ_S) -> bytes:
    """All of a regular file.

    Raises
    ------
    OSError
        When it is another kind of file, holds more than ``most`` bytes, takes longer than ``limit_s``, or cannot be
        read; ``strerror`` says which.
    """
    # Without O_NONBLOCK, opening a fifo waits for a writer, and reading /proc/kmsg waits for a message.
    try:
        # No bound needed: this is what bounds the others.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError as error:  # a NUL byte, or a lone surrogate, which no file system's name encodes
        raise OSError(errno.EINVAL, "no name of a file", ascii(str(path))) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"{status.st_size} bytes, at most {most} are read", str(path))
        return _read(descriptor, path, most, limit_s)
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: Path, most: int, limit_s: float) -> bytes:
    """Files of /proc have no size: the bytes are counted while reading."""
    deadline = time.monotonic() + limit_s
    content = bytearray()
    while chunk := os.read(descriptor, _CHUNK):
        content += chunk
        if len(content) > most:
            raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
        if time.monotonic() > deadline:
            raise OSError(errno.ETIMEDOUT, f"not read within {limit_s:g} s", str(path))
    return bytes(content)
