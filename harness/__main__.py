"""``python3 -m harness``: runs the command line, under the interpreter that sees Debian's modules."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from types import FrameType

DEBIAN_PYTHON = "/usr/bin/python3"
NEEDED = ("numpy", "scipy", "cv2", "rich", "jinja2")


def _reexecute() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if os.path.realpath(sys.executable) != os.path.realpath(DEBIAN_PYTHON) and os.access(DEBIAN_PYTHON, os.X_OK):
        os.execv(DEBIAN_PYTHON, [DEBIAN_PYTHON, "-m", "harness", *sys.argv[1:]])
    sys.stderr.write(f"harness: Python modules are missing: {' '.join(missing)}: run 'make setup perf'\n")
    sys.exit(5)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    sys.stderr.write("harness-failed: interrupted before anything began\n")
    os._exit(5)


if __name__ == "__main__":
    # Loading takes a moment; until the command line takes over, an interrupt just ends it.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    _reexecute()
    from harness.cli import main

    code = main(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)
