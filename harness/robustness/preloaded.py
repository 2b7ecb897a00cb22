"""``python3 -m harness`` in a process of its own that has the libraries loaded already: a second less of work a time.

A server loads the libraries, and of the harness's own modules those of rooms that read no environment; it forks for
each command line, or for a program. Its end of a pipe closes with the process that asks, and it ends. Tests of how the
harness itself starts and ends start it themselves.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.platform.processes.child import start_child

LIBRARIES = (
    "numpy",
    "scipy.stats",
    "cv2",
    "jinja2",
    "rich.console",
    "capstone",
    "unicorn",
    "elftools.elf.elffile",
    "cattrs",
    "sqlalchemy",
)
ROOMS = ("harness.core", "harness.model")
"""What they say does not depend on the process that they are loaded in."""
ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PTRACER = 0x59616D61


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = start_child(
            [sys.executable, "-B", "-m", "harness.robustness.preloaded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            environment=os.environ,
            cwd=ROOT,
        )
        self._held = False
        atexit.register(self.end)

    @property
    def ended(self) -> bool:
        """Whether something has killed it."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End it; what it has started ends by itself."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float, code: str = ""
    ) -> int:
        """Run a command line whose output goes to ``out`` and ``error`` of a folder; returns its exit code.

        Parameters
        ----------
        code
            A program that takes the words instead.

        Raises
        ------
        TimeoutExpired
            When it has not ended after ``limit_s``; it is killed then.
        """
        with self.held(words, environment, folder, code) as pid:
            os.kill(pid, signal.SIGCONT)
            return self.end_of(pid, limit_s)

    @contextlib.contextmanager
    def held(self, words: Sequence[str], environment: Mapping[str, str], folder: Path, code: str = "") -> Iterator[int]:
        """A process that is about to run, and stopped; yields its number. What has not ended afterwards is killed."""
        assert self._process.stdin is not None
        asked = {"words": list(words), "environment": dict(environment), "folder": str(folder), "code": code}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        pid = int(self._line(None))
        self._held = True
        try:
            yield pid
        finally:
            if self._held:
                os.kill(pid, signal.SIGKILL)
                self._line(None)

    def end_of(self, pid: int, limit_s: float) -> int:
        """Exit code of a process that was held and goes on; negative for a signal. Raises as :meth:`run`."""
        try:
            code = int(self._line(limit_s))
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(str(pid), limit_s) from error
        self._held = False
        return code

    def _line(self, limit_s: float | None) -> bytes:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            raise TimeoutError
        # No bound needed: its own server. What is read ahead would not be waited for.
        line = b""
        while not line.endswith(b"\n") and (byte := os.read(self._process.stdout.fileno(), 1)):
            line += byte
        assert line, "the server of preloaded processes has ended"
        return line


@functools.cache
def _server() -> Server:
    return Server()


def server() -> Server:
    """The server of this process; another one where something has killed it."""
    if _server().ended:
        _server.cache_clear()
    return _server()


def run_preloaded(words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> int:
    """Exit code of ``python3 -m harness`` with these words; see :meth:`Server.run`."""
    return server().run(words, environment, folder, limit_s)


def _become(words: Sequence[str], environment: Mapping[str, str], folder: Path, code: str) -> None:
    """In the fork: be the interpreter that ``python3 -m harness`` starts, once somebody has it go on."""
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((Path(os.devnull), folder / "out", folder / "error")):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = open(0, closefd=False), io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8")
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    # Where only a parent may trace, a process says who else may: anybody of this user.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, -1)
    os.kill(os.getpid(), signal.SIGSTOP)
    sys.dont_write_bytecode = bool(code) or "PYTHONDONTWRITEBYTECODE" in environment
    if code:
        sys.argv = ["-c", *words]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
        return
    sys.argv = [str(ROOT / "harness" / "__main__.py"), *words]
    runpy.run_module("harness", run_name="__main__", alter_sys=True)


def _serve() -> None:
    rooms = [importlib.import_module(room) for room in ROOMS]
    own = [one.name for room in rooms for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    for name in (*LIBRARIES, *own):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    while line := requests.readline():
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            replies.close()
            requests.close()
            _become(asked["words"], asked["environment"], Path(asked["folder"]), asked["code"])
            sys.exit(0)
        os.waitpid(pid, os.WUNTRACED)
        replies.write(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        replies.write(b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _serve()
