"""``python3 -m harness``: runs the command line, under the interpreter that sees Debian's modules."""

from __future__ import annotations

import importlib.util
import os
import sys

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


if __name__ == "__main__":
    _reexecute()
    from harness.cli import main

    sys.exit(main(sys.argv[1:]))
