"""A file from outside is regular, of bounded size and read in bounded time, or named with the reason."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.cli import main
from harness.platform.bounded import read_bounded


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
