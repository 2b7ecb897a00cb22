"""``python3 -m harness`` in a process of its own that has the libraries loaded already: a second less of work a time.

A server loads the libraries, and of the harness's own modules those of rooms that read no environment; it forks for
each command line. Its end of a pipe closes with the test process, and it ends. Tests of how the harness itself starts
and ends start it themselves.
"""

from __future__ import annotations

import atexit
import contextlib
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
from collections.abc import Mapping, Sequence
from pathlib import Path

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
)
ROOMS = ("harness.core", "harness.model")
"""What they say does not depend on the process that they are loaded in."""
ROOT = Path(__file__).resolve().parents[2]


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.tests.preloaded"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what is read ahead would not be waited for
        )
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

    def run(self, words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> int:
        """Run a command line whose output goes to ``out`` and ``error`` of a folder; returns its exit code.

        Raises
        ------
        TimeoutExpired
            When it has not ended after ``limit_s``; it is killed then.
        """
        assert self._process.stdin is not None
        asked = {"words": list(words), "environment": dict(environment), "folder": str(folder)}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        pid = int(self._line(None))
        try:
            return int(self._line(limit_s))
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            self._line(None)
            raise subprocess.TimeoutExpired(list(words), limit_s) from error

    def _line(self, limit_s: float | None) -> bytes:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], limit_s)[0]:
            raise TimeoutError
        line = self._process.stdout.readline()
        assert line, "the server of preloaded processes has ended"
        return line


@functools.cache
def _server() -> Server:
    return Server()


def run_preloaded(words: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> int:
    """Exit code of ``python3 -m harness`` with these words; see :meth:`Server.run`."""
    if _server().ended:
        _server.cache_clear()
    return _server().run(words, environment, folder, limit_s)


def _become(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """In the fork: be the interpreter that ``python3 -m harness`` starts."""
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((Path(os.devnull), folder / "out", folder / "error")):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = open(0, closefd=False), io.TextIOWrapper(open(1, "wb", closefd=False), "utf-8")
    sys.stderr = io.TextIOWrapper(open(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
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
            _become(asked["words"], asked["environment"], Path(asked["folder"]))
            sys.exit(0)
        replies.write(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        replies.write(b"%d\n" % os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _serve()
