"""A plugin of pytest: workers of pytest-xdist run their tests in their main thread.

A worker's main thread takes the first thing that it is asked for. With ``-v`` pytest-xdist asks about the interpreter
first, and the tests may come before that has ended: then they run in another thread, where no signal can be handled.
Its answer is known already.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True, optionalhook=True)  # type: ignore[misc]
def pytest_xdist_newgateway(gateway: Any) -> None:
    """Keep what pytest-xdist asks a new worker for."""
    gateway._cache_rinfo = SimpleNamespace(
        platform=sys.platform, version_info=sys.version_info, cwd=os.getcwd(), executable=sys.executable, pid=0
    )
