"""The serial line: kept whole, read in time, and its failures told from each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model.errors import GuestError, StoreError
from harness.model.spec import Limits
from harness.platform.machine import console as console_module
from harness.platform.machine.console import Console

LIMITS = Limits(serial_bytes=1000)


class Line:
    """A console and the guest's end of its pipe."""

    def __init__(self, log: Path, *, endless: bool = False) -> None:
        ours, self._theirs = os.pipe()
        self.console = Console(ours, log, LIMITS, endless=endless)
        self._open = True

    def send(self, content: bytes) -> None:
        os.write(self._theirs, content)

    def hang_up(self) -> None:
        if self._open:
            self._open = False
            os.close(self._theirs)
        self.console.join(60)
        assert self.console.closed


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    one = Line(tmp_path / "serial.log")
    yield one
    one.hang_up()


def test_every_byte_is_kept_and_on_disk(line: Line, tmp_path: Path) -> None:
    content = bytes(range(256)) + "wheel ⚙\r\n".encode()
    line.send(content[:100])
    line.send(content[100:])
    line.hang_up()
    assert line.console.content() == content == (tmp_path / "serial.log").read_bytes()
    assert line.console.size == len(content)
    assert line.console.first_byte_ns is not None


def test_a_line_in_two_pieces_is_found(line: Line) -> None:
    line.send(b"noise [BO")
    threading.Timer(0.1, line.send, [b"OT] kernel"]).start()
    line.console.wait_for(b"[BOOT]", 60, "first serial line")


def test_what_was_printed_before_is_found_at_once(line: Line) -> None:
    line.send(b"[DONE] status=ok\n")
    line.hang_up()
    line.console.wait_for(b"[DONE]", 60, "end")


def test_silence_is_named_with_its_limit(line: Line) -> None:
    assert line.console.first_byte_ns is None
    with pytest.raises(GuestError, match="no first serial line within 0.1 s"):
        line.console.wait_for(b"[BOOT]", 0.1, "first serial line")


def test_an_end_before_the_line_does_not_wait(line: Line) -> None:
    line.send(b"[BOO")
    line.hang_up()
    with pytest.raises(GuestError, match="the guest ended before first serial line"):
        line.console.wait_for(b"[BOOT]", 60, "first serial line")


def test_an_end_before_the_line_quotes_the_guest(line: Line) -> None:
    line.send(b"[BOOT] ok\nvirtio-gpu: error response, command 0x101 response 0x1201\nhalted\n")
    line.hang_up()
    with pytest.raises(GuestError, match="before end: virtio-gpu: error response, command 0x101 response 0x1201\n"):
        line.console.wait_for(b"[DONE]", 60, "end")


def test_a_panic_ends_the_wait_with_its_words(line: Line) -> None:
    line.send(b"[BOOT] ok\n[PAN")
    line.send(b"IC] gpu.c:12 \xff\xfe bad response\r\nregisters\n")
    with pytest.raises(GuestError, match=r"the guest panicked: gpu.c:12 \\xff\\xfe bad response" + "\n"):
        line.console.wait_for(b"[DONE]", 60, "end")


def test_half_a_panic_is_not_yet_one(line: Line) -> None:
    line.send(b"[PANIC] gpu.c:12 half a")
    with pytest.raises(GuestError, match="no end within 0.2 s"):
        line.console.wait_for(b"[DONE]", 0.2, "end")


def test_a_flood_is_named_and_no_longer_kept_but_still_drained(line: Line, tmp_path: Path) -> None:
    line.send(b"x" * 600)
    with pytest.raises(GuestError, match="no end within"):
        line.console.wait_for(b"[DONE]", 0.1, "end")
    for _ in range(300):
        line.send(b"y" * 1000)  # more than a pipe holds: blocks for ever if it is not read
    with pytest.raises(GuestError, match="the serial line brought more than 1000 bytes"):
        line.console.wait_for(b"[DONE]", 60, "end")
    line.hang_up()
    assert (tmp_path / "serial.log").stat().st_size <= LIMITS.serial_bytes


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_no_fault_of_the_guest(tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    log.symlink_to("/dev/full")
    line = Line(log)
    line.send(b"[BOOT] kernel\n")
    with pytest.raises(StoreError, match="the serial log cannot be written: No space left on device"):
        line.console.wait_for(b"[DONE]", 60, "end")
    line.hang_up()
    assert line.console.content() == b"[BOOT] kernel\n", "memory still has it"


def test_a_log_that_cannot_be_created_is_refused_at_once(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file").write_text("")
        Console(ours, tmp_path / "file" / "serial.log", LIMITS)
    os.close(ours)
    os.close(theirs)


def test_an_endless_guest_is_forgotten_but_for_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "FORGET_S", 0.0)
    monkeypatch.setattr(console_module, "REMEMBERED_BYTES", 100)
    line = Line(tmp_path / "serial.log", endless=True)
    for number in range(100):
        line.send(b"%099d\n" % number)
        line.console.wait_for(b"%099d\n" % number, 60, "line")
    assert line.console.size == 10_000 > LIMITS.serial_bytes, "no flood: it came in many minutes"
    assert len(line.console.content()) <= 200
    assert line.console.since(9_900) == b"%099d\n" % 99
    assert line.console.since(0) == line.console.content()
    line.send(b"[PANIC] at last\n")
    with pytest.raises(GuestError, match="panicked: at last"):
        line.console.wait_for(b"[DONE]", 60, "end")
    line.hang_up()
    assert (tmp_path / "serial.log").stat().st_size == 10_000 + len(b"[PANIC] at last\n")


def test_an_endless_guest_may_not_flood_either(tmp_path: Path) -> None:
    line = Line(tmp_path / "serial.log", endless=True)
    line.send(b"x" * 1001)
    with pytest.raises(GuestError, match="the serial line brought more than 1000 bytes"):
        line.console.wait_for(b"[DONE]", 60, "end")
    line.hang_up()
