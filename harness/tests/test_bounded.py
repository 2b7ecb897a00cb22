"""A file from outside is regular, of bounded size and read in bounded time, or named with the reason."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from harness.cli import main
from harness.model.errors import GuestError
from harness.model.spec import ROOT, Limits
from harness.platform.bounded import read_bounded
from harness.platform.trace_file import read_trace


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3_000_000)
    assert read_bounded(tmp_path / "f") == b"x" * 3_000_000


def odd_file(folder: Path, kind: str) -> Path:
    path = folder / "odd.elf"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "sparse":
        with open(path, "wb") as file:
            file.truncate(1 << 40)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)
    return path


KINDS = ["fifo", "sparse", "folder", "/dev/zero", "/dev/tty", "/proc/kmsg", "/proc/self/mem"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(OSError):
        read_bounded(odd_file(tmp_path, kind), 1000)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", ["CONFIG", "KERNEL", "ISO"])
def test_a_setting_that_names_one_is_a_usage_error(
    setting: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert main(["perf", f"{setting}={odd_file(tmp_path, kind)}"]) == 2
    assert time.monotonic() - began < 20 and "Traceback" not in "".join(capsys.readouterr())


def test_growth_is_bounded_in_time(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(OSError, match="not read within"):
        read_bounded(tmp_path / "f", limit_s=-1)


OWN = {
    "commands/litmus.py",
    "explain/ablate.py",
    "gate/relink.py",
    "history/site.py",
    "model/declared.py",
    "model/faults.py",
    "model/spec.py",
    "platform/build.py",
    "platform/count_plugin.py",
    "platform/cpus.py",
    "platform/golden.py",
    "platform/host.py",
    "platform/host_doing.py",
    "platform/hostload.py",
    "platform/leases.py",
    "platform/linuxguest.py",
    "platform/oracle.py",
    "platform/shared_library.py",
    "proof/ordering.py",
    "report/movie.py",
    "report/render.py",
}
"""These read files of this tree, of its own builds, or of /proc, by names that do not come from outside."""
_READS = re.compile(r"\.read_(?:bytes|text)\(")
_STARTS = re.compile(r"\bsubprocess\.(?:run|Popen|call|check_\w+)\(|\bos\.(?:system|popen|spawn\w+)\(")


def _sources() -> dict[str, str]:
    folder = ROOT / "harness"
    files = [path for path in folder.rglob("*.py") if "tests" not in path.parts[len(folder.parts) :]]
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in files}


def test_no_other_module_reads_without_a_bound() -> None:
    assert {name for name, text in _sources().items() if _READS.search(text)} == OWN


def test_one_module_starts_processes() -> None:
    """With a deadline, bounded output, a clean environment. Help works where nothing is installed and has its own."""
    starting = {name for name, text in _sources().items() if _STARTS.search(text)}
    assert starting == {"platform/child.py", "front/help.py"}


def test_a_trace_beyond_its_limit_is_the_guest_s_doing(tmp_path: Path) -> None:
    trace = tmp_path / "trace.log"
    trace.write_bytes(b"x" * 2001)
    assert len(read_trace(trace, Limits(trace_bytes=1001))) == 2001
    with pytest.raises(GuestError, match="trace more than 1000 bytes"):
        read_trace(trace, Limits(trace_bytes=1000))
    trace.unlink()
    os.mkfifo(trace)
    with pytest.raises(OSError, match="not a regular file"):
        read_trace(trace)
