"""The process that draws for the oracle: it runs the code of a candidate's scene with few privileges.

Run as a script, isolated and without site packages, by :mod:`harness.platform.pictures.oracle`, which passes a socket,
the library and the canvas as descriptors. A request is three words: 1 to draw what differs, the frame on the canvas,
the frame. Its answer is the number of rectangles and the four of them.
"""

import ctypes
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from typing import TypeAlias

REQUEST = struct.Struct("=III")
ANSWER = struct.Struct("=I16i")
READY, NO_MODE = b"ready", b"no such mode"
CPU_S = 10
"""Processor time for one request."""
_MEMORY_BYTES = 1 << 30
_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38


class _Canvas(ctypes.Structure):
    """``struct canvas`` of kernel/scene/canvas.h."""

    _fields_ = [
        ("pixels", ctypes.c_void_p),
        ("width_px", ctypes.c_uint32),
        ("height_px", ctypes.c_uint32),
        ("stride_px", ctypes.c_uint32),
    ]


_Buffer: TypeAlias = "ctypes.Array[ctypes.c_char]"


class _Damage(ctypes.Structure):
    """``struct roulette_damage`` of kernel/scene/roulette.h; a rectangle is x0, y0, x1, y1."""

    _fields_ = [("count", ctypes.c_uint32), ("rects", ctypes.c_int32 * 16)]


def _confine(parent: int, nobody: bool, canvas_bytes: int) -> None:
    """Give up everything that drawing does not need."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = _MEMORY_BYTES + canvas_bytes
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if nobody:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # Changing the user id clears the parent-death signal.
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _allow_time() -> None:
    """Let the next request have its processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_S, hard))


def _serve(channel: socket.socket, scene: ctypes.CDLL, roulette: _Buffer, canvas: _Canvas) -> None:
    damage = _Damage()
    while True:
        request = channel.recv(REQUEST.size)
        if len(request) != REQUEST.size:
            return
        dirty, previous, frame = REQUEST.unpack(request)
        _allow_time()
        damage.count = 0
        if dirty:
            scene.roulette_draw_dirty(
                roulette,
                ctypes.byref(canvas),
                ctypes.c_uint32(previous),
                ctypes.c_uint32(frame),
                ctypes.byref(damage),
            )
        else:
            scene.roulette_draw(roulette, ctypes.byref(canvas), ctypes.c_uint32(frame))
        channel.send(ANSWER.pack(damage.count, *damage.rects))


def main(words: list[str]) -> None:
    """``socket library canvas width height seed parent nobody``, all of them numbers."""
    channel_fd, library_fd, canvas_fd, width, height, seed, parent, nobody = map(int, words)
    channel = socket.socket(fileno=channel_fd)
    pixels = mmap.mmap(canvas_fd, width * height * 4)
    canvas = _Canvas(ctypes.addressof(ctypes.c_char.from_buffer(pixels)), width, height, width)
    try:
        _confine(parent, bool(nobody), len(pixels))
        _allow_time()
        scene = ctypes.CDLL(f"/proc/self/fd/{library_fd}")
        scene.roulette_size.restype = ctypes.c_uint32
        roulette = ctypes.create_string_buffer(scene.roulette_size())
        failed = scene.roulette_init(roulette, width, height, ctypes.c_uint32(seed))
    except (OSError, AttributeError, ValueError, MemoryError) as error:
        channel.send(f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:500])
        return
    channel.send(NO_MODE if failed else READY)
    if not failed:
        _serve(channel, scene, roulette, canvas)


if __name__ == "__main__":
    main(sys.argv[1:])
