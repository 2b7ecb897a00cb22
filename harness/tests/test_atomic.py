"""Files and folders are replaced whole, and what killed writers leave is cleared by the next one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.model.spec import ROOT, UsageError
from harness.platform.files import atomic
from harness.platform.files.atomic import append_line, clear_leftovers, whole_file, whole_folder, write_whole
from harness.platform.files.outputs import make_place


def fill(folder: Path, text: str) -> None:
    with whole_folder(folder) as part:
        (part / "sub").mkdir()
        (part / "sub" / "file").write_text(text)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_file_is_replaced(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two" and names(tmp_path) == ["a"]


def test_a_body_that_fails_changes_no_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "one")
    with pytest.raises(KeyError), whole_file(tmp_path / "a") as file:
        file.write(b"half")
        raise KeyError
    assert (tmp_path / "a").read_text() == "one" and names(tmp_path) == ["a"]


def test_a_folder_is_replaced_at_once(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "site"
    fill(target, "one")
    before = os.open(target, os.O_RDONLY)
    fill(target, "two")
    assert (target / "sub" / "file").read_text() == "two" and names(target.parent) == ["site"]
    assert os.fstat(before).st_ino != target.stat().st_ino
    os.close(before)


def test_a_body_that_fails_changes_no_folder(tmp_path: Path) -> None:
    fill(tmp_path / "site", "one")
    with pytest.raises(KeyError), whole_folder(tmp_path / "site") as part:
        (part / "sub").mkdir()
        raise KeyError
    assert (tmp_path / "site" / "sub" / "file").read_text() == "one" and names(tmp_path) == ["site"]


@pytest.fixture()
def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: errno.EINVAL)


@pytest.mark.usefixtures("without_exchange")
def test_a_file_system_without_exchange_gets_the_new_folder_too(tmp_path: Path) -> None:
    fill(tmp_path / "site", "one")
    fill(tmp_path / "site", "two")
    assert (tmp_path / "site" / "sub" / "file").read_text() == "two" and names(tmp_path) == ["site"]


@pytest.mark.usefixtures("without_exchange")
def test_a_kill_between_old_aside_and_new_in_is_mended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "site", "one")
    os.rename(tmp_path / "site", tmp_path / ".site.0123abcd.old")
    (tmp_path / ".site.0123abcd.part").mkdir()
    clear_leftovers(tmp_path / "site")
    assert (tmp_path / "site" / "sub" / "file").read_text() == "one" and names(tmp_path) == ["site"]


def test_only_leftovers_of_the_same_target_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".a.0123abcd.part").write_text("left")
    (tmp_path / ".b.0123abcd.part").write_text("another's")
    (tmp_path / ".a.0123abcd.part.txt").write_text("no part")
    write_whole(tmp_path / "a", "one")
    assert names(tmp_path) == [".a.0123abcd.part.txt", ".b.0123abcd.part", "a"]


def test_what_another_one_is_writing_is_no_leftover(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a") as part, whole_file(tmp_path / "b") as file:
        fill(tmp_path / "a", "other")
        write_whole(tmp_path / "b", "other")
        (part / "mine").write_text("mine")
        file.write(b"mine")
    assert names(tmp_path / "a") == ["mine"] and (tmp_path / "b").read_text() == "mine"
    assert names(tmp_path) == ["a", "b"]


_WRITER = """
import os, signal, sys
from pathlib import Path
from harness.platform.files.atomic import whole_folder
with whole_folder(Path(sys.argv[1])) as part:
    (part / "file").write_text("half")
    print(flush=True)
    signal.pause()
"""


def test_a_killed_writer_leaves_what_the_next_one_clears(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "site")], cwd=ROOT, stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline()
    writer.kill()
    writer.wait()
    writer.stdout.close()
    assert len(names(tmp_path)) == 1 and not (tmp_path / "site").exists()
    fill(tmp_path / "site", "new")
    assert names(tmp_path) == ["site"]


@pytest.mark.slow
def test_readers_never_see_none(tmp_path: Path) -> None:
    fill(tmp_path / "site", "0")
    code = (
        "import sys\nfrom pathlib import Path\nfrom harness.tests.test_atomic import fill\n"
        "for i in range(200): fill(Path(sys.argv[1]), str(i))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "site")], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    looks = 0
    while any(writer.poll() is None for writer in writers):
        assert (tmp_path / "site").is_dir()
        looks += 1
    assert looks > 100 and [writer.communicate()[1] for writer in writers] == [b"", b""]
    assert names(tmp_path) == ["site"]


@pytest.mark.usefixtures("main_thread")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_an_interrupt_while_a_folder_is_placed_is_heard_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    place = atomic._place

    def interrupted(part: Path, path: Path) -> None:
        os.kill(os.getpid(), how)
        place(part, path)

    monkeypatch.setattr(atomic, "_place", interrupted)
    before = signal.signal(how, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            fill(tmp_path / "site", "one")
    finally:
        signal.signal(how, before)
    assert (tmp_path / "site" / "sub" / "file").read_text() == "one" and names(tmp_path) == ["site"]


def test_a_line_after_a_torn_one_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    assert append_line(path, b"three")
    assert path.read_bytes() == b"one\ntw\nthree\n"
    assert append_line(path, b"four")
    assert path.read_bytes() == b"one\ntw\nthree\nfour\n"


def test_a_line_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert append_line(path, b"one", search_bytes=100)
    assert not append_line(path, b"one", search_bytes=100)
    assert append_line(path, b"ne", search_bytes=100)
    assert append_line(path, b"one")
    assert path.read_bytes() == b"one\nne\none\n"


_FULL = """
import resource, signal, sys
from pathlib import Path
from harness.platform.files.atomic import append_line
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
append_line(Path(sys.argv[1]), b"more than fits")
"""


def test_a_line_that_does_not_fit_leaves_no_half(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n")
    done = subprocess.run([sys.executable, "-c", _FULL, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert "No space left" in done.stderr or "File too large" in done.stderr
    assert path.read_bytes() == b"one\n"


def test_lines_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    code = (
        "import sys\nfrom pathlib import Path\nfrom harness.platform.files.atomic import append_line\n"
        "for i in range(50): append_line(Path(sys.argv[1]), sys.argv[2].encode() * 5000)"
    )
    began = time.monotonic()
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter], cwd=ROOT) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted(set(path.read_bytes().splitlines())) == [b"a" * 5000, b"b" * 5000]
    assert len(path.read_bytes().splitlines()) == 100 and time.monotonic() - began < 60


@pytest.mark.timeout(20)
def test_a_folder_that_is_not_there_is_an_error_and_no_wait(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "file", "text")
    assert names(tmp_path) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_a_place_where_nothing_can_be_made_is_an_error_and_no_wait(writer: Callable[[Path], Any]) -> None:
    with pytest.raises(OSError), writer(Path("/proc/self/file")):
        pass


def test_a_file_that_is_named_to_be_written_can_be(tmp_path: Path) -> None:
    make_place(tmp_path / "new" / "folders" / "file")
    write_whole(tmp_path / "new" / "folders" / "file", "")
    with pytest.raises(UsageError, match="is a folder: name a file"):
        make_place(tmp_path / "new")
    for below in ("x", "y/z"):
        with pytest.raises(UsageError, match="is not a folder"):
            make_place(tmp_path / "new" / "folders" / "file" / below)


@pytest.mark.parametrize("words", [("history", "export", "{}"), ("compare", "A=x", "B=x", "PAGE={}")])
def test_a_folder_that_is_named_to_be_written_is_a_usage_error(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HISTORY_URL", f"sqlite:///{tmp_path}/history.db")
    (tmp_path / "folder").mkdir()
    assert main([word.replace("{}", str(tmp_path / "folder")) for word in words]) == 2
    assert "is a folder: name a file" in capsys.readouterr().out
