"""Fixtures that several test files use."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before any module of the harness is there to read it: what tests run never touches the results of this checkout.
if "HARNESS_RESULTS" not in os.environ:
    _place = tempfile.mkdtemp(prefix="results-of-tests-")
    os.environ["HARNESS_RESULTS"] = str(Path(_place) / "results")
    atexit.register(shutil.rmtree, _place, ignore_errors=True)

from harness.model.interrupts import INTERRUPTS
from harness.platform.processes import child
from harness.tests.fuzz import FULL
from harness.tests.printer import RecordingPrinter

Mounted = Callable[[Path, str], list[str]]


def pytest_sessionstart() -> None:
    """A worker on a loaded machine may run all tests in a thread of its own, which lasts as long as the worker."""
    child.LASTING_THREAD = threading.current_thread()


MEASURES = {"run_perf", "run_harness", "said_by", "put_through", "watched"}
"""A module whose tests measure under a real QEMU has one of these names."""
CORES = "cores"
"""The group of tests that measure."""


def _group_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker is not None else ""


@pytest.hookimpl(tryfirst=True)  # type: ignore[misc]
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that measures leases both of two cores: one worker runs them all, or the other would wait for its turn.

    The full tests are mostly such, and a kernel is built or judged while another is measured.

    Groups begin first, and the tests that measure before all: a group that begins late would be waited for at the end.
    """
    if FULL:
        return
    for item in items:
        module = getattr(item, "module", None)
        if item.get_closest_marker("qemu") and not MEASURES.isdisjoint(vars(module) if module else ()):
            item.add_marker(pytest.mark.xdist_group(CORES))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: (_group_of(item) != CORES, not _group_of(item)))


@pytest.fixture
def main_thread() -> None:
    """Skips a test that sends this process a signal, where tests do not run in the thread that Python interrupts."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("this worker runs its tests outside of the main thread")


@pytest.fixture
def printer() -> RecordingPrinter:
    """A printer that keeps what a command says."""
    return RecordingPrinter()


@pytest.fixture
def mounted() -> Mounted:
    """A function of a folder and mount options; gives the words to put before a command that shall see a file system of
    its own on that folder. Skips the test where this user may not mount one.
    """

    def words(folder: Path, options: str) -> list[str]:
        inside = f'mount -t tmpfs -o {options} none {folder} && exec "$@"'
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, "sh"]
        if subprocess.run([*command, "true"], capture_output=True, timeout=60, check=False).returncode:
            pytest.skip("this user may not mount a file system of its own")
        return command

    return words


@pytest.fixture(autouse=True)
def _signals_are_heard_again() -> Iterator[None]:
    """The command line ignores interrupts once it has ended; children would inherit that from a test that ran it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in INTERRUPTS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server of this file's tests."""
    from harness.platform.files.postgresql import postgresql

    with postgresql() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.db'}"
        return
    from harness.tests.databases import emptied

    with emptied(request.getfixturevalue("server")) as address:
        yield address
