"""Virtual displays: what is drawn on them is read exactly, and they never stay."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness.core.arrays import Image
from harness.core.pictures.stamp import decode_frame
from harness.model.spec import Device, Display, Limits, Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import Qemu
from harness.platform.pictures.capture import CaptureError
from harness.platform.pictures.display import DisplayError, Xvfb, parse_xwd, screen_for, session_environment, window_of
from harness.platform.pictures.display_leftovers import clear_leftovers
from harness.platform.pictures.oracle import DEFAULT_SEED, Oracle
from harness.platform.pictures.screen import take_picture
from harness.tests.programs import assert_dies_with, fake_program

MODE = (800, 600)


@pytest.mark.parametrize(
    ("session", "kinds"),
    [
        ({}, "x11"),
        ({"DISPLAY": ":0"}, "x11"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wayland"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0", "SDL_VIDEODRIVER": "offscreen"}, "wayland,x11"),
    ],
)
def test_a_window_is_on_a_display_of_the_session(
    session: dict[str, str], kinds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in session.items():
        monkeypatch.setenv(name, value)
    assert session_environment()["SDL_VIDEODRIVER"] == kinds
    assert session_environment()["PATH"] == os.environ["PATH"]


RGB = (0xFF0000, 0xFF00, 0xFF)
PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def dump(picture: Image, order: int = 0, **changes: int) -> bytes:
    """A window dump of a picture, with a name, two colours and a gap after each row."""
    height, width = picture.shape[:2]
    names = "header version form depth width height x order unit bit_order pad bits row class".split()
    fields = dict.fromkeys(names, 0) | {
        "header": 104, "version": 7, "form": 2, "depth": 24, "width": width, "height": height,
        "order": order, "bits": 32, "row": width * 4 + 4,
    }  # fmt: skip
    values = list((fields | changes).values()) + list(RGB) + [8, 256, 2, 0, 0, 0, 0, 0]
    body = b""
    for row in picture.astype(np.uint32):
        pixels = row[:, 0] << 16 | row[:, 1] << 8 | row[:, 2]
        body += pixels.astype(">u4" if order else "<u4").tobytes() + b"gap!"
    return struct.pack(">25I", *values) + b"win\0" + bytes(2 * 12) + body


@pytest.mark.parametrize("order", [0, 1])
def test_a_window_dump_is_read_in_both_byte_orders(order: int) -> None:
    assert parse_xwd(dump(PICTURE, order)).tolist() == PICTURE.tolist()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cut off after 0 bytes"),
        (dump(PICTURE)[:-1], "cut off: "),
        (dump(PICTURE, version=6), "version 6"),
        (dump(PICTURE, form=1), "format 1"),
        (dump(PICTURE, bits=16), "24 of 16 bits"),
        (dump(PICTURE, width=0), "which cannot be"),
        (dump(PICTURE, width=1 << 30), "which cannot be"),
        (dump(PICTURE, row=8), "which cannot be"),
        (dump(PICTURE, header=1 << 31), "cut off: "),
        (dump(PICTURE).replace(struct.pack(">I", 0xFF0000), struct.pack(">I", 0xF00000)), "has channels 0xf00000"),
    ],
)
def test_a_broken_window_dump_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        parse_xwd(content, Limits(picture_bytes=1 << 20))


def test_the_window_lies_whole_on_its_screen() -> None:
    for mode in ((320, 240), (640, 480), MODE, (1024, 768), (1920, 1080), (801, 601)):
        width, height = screen_for(mode)
        screen = np.zeros((height, width, 3), np.uint8)
        assert window_of(screen, mode).shape == (mode[1], mode[0], 3)


def test_a_display_starts_black_and_goes(tmp_path: Path) -> None:
    with Xvfb(tmp_path, (320, 200)) as one, Xvfb(tmp_path / "other", (640, 480)) as other:
        assert one.number != other.number
        assert one.picture().shape == (200, 320, 3) and not one.settled_picture(2).any()
        assert (tmp_path / "xauthority").stat().st_mode & 0o77 == 0, "nobody else may read the cookie"
    assert not Path(f"/tmp/.X{one.number}-lock").exists()
    with pytest.raises(CaptureError, match="the virtual display has ended"):
        one.picture()


def greet(number: int, cookie: bytes) -> int:
    """First byte of an X server's answer to a connection: 1 when it admits us, 0 when not."""
    protocol = b"MIT-MAGIC-COOKIE-1"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(f"/tmp/.X11-unix/X{number}")
        lengths = struct.pack("<2sHHHHH", b"l", 11, 0, len(protocol), len(cookie), 0)
        client.sendall(lengths + protocol + bytes(2) + cookie)
        return client.recv(1)[0]


def test_only_those_with_the_cookie_may_draw(tmp_path: Path) -> None:
    with Xvfb(tmp_path, (320, 200)) as display:
        cookie = Path(display.environment["XAUTHORITY"]).read_bytes()[-16:]
        assert greet(display.number, cookie) == 1
        assert greet(display.number, bytes(16)) == 0


def test_a_missing_xvfb_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DisplayError, match="Xvfb is not installed: install the package xvfb"), Xvfb(tmp_path, MODE):
        pass


@pytest.mark.parametrize(
    ("script", "says"),
    [("echo 'no room' >&2; exit 1", "Xvfb ended at once: no room"), ("sleep 60", "Xvfb did not start within 0.5 s")],
)
@pytest.mark.slow
def test_an_xvfb_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    fake_program(tmp_path, "Xvfb", script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("harness.platform.pictures.display.START_S", 0.5)
    with pytest.raises(DisplayError, match=says), Xvfb(tmp_path / "run", MODE):
        pass
    assert not [one for one in psutil.Process().children(recursive=True) if "Xvfb" in " ".join(one.cmdline())]


_HOLD = """
import sys, time
from pathlib import Path
from harness.platform.pictures.display import Xvfb
with Xvfb(Path(sys.argv[1]), (320, 200)) as display:
    print(display._process.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_display_does_not_outlive_a_killed_harness(tmp_path: Path) -> None:
    assert_dies_with(_HOLD, str(tmp_path))


def test_a_killed_display_leaves_neither_lock_nor_socket(tmp_path: Path) -> None:
    with Xvfb(tmp_path, MODE) as display:
        os.kill(display.pid, signal.SIGKILL)
    lock, door = Path(f"/tmp/.X{display.number}-lock"), Path(f"/tmp/.X11-unix/X{display.number}")
    assert not lock.exists() and not door.exists()


def test_only_what_a_dead_server_left_is_cleared(tmp_path: Path) -> None:
    """Displays by number: 7 is dead, 8 lives by its lock, 9 answers, 10 may just start, 11 has a strange lock, 12 is
    not a socket, and 13 just ended.
    """
    doors = tmp_path / ".X11-unix"
    doors.mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    for number, said in {7: str(gone.pid), 8: str(os.getpid()), 11: "x" * 100}.items():
        (tmp_path / f".X{number}-lock").write_text(f"{said:>10}\n")
    with ExitStack() as stack:
        for number in (7, 8, 9, 10, 11, 13):
            listening = stack.enter_context(socket.socket(socket.AF_UNIX))
            listening.bind(str(doors / f"X{number}"))
            if number == 9:
                listening.listen()
        (doors / "X12").touch()
        for number in (7, 8, 9, 11, 12):
            os.utime(doors / f"X{number}", (1.0, 1.0))
        assert clear_leftovers(tmp_path, ended=13) == [13, 7]
    assert {path.name for path in doors.iterdir()} == {"X8", "X9", "X10", "X11", "X12"}
    assert {path.name for path in tmp_path.glob(".X*-lock")} == {".X8-lock", ".X11-lock"}


@pytest.mark.qemu
@pytest.mark.parametrize("device", Device)
def test_what_qemu_shows_is_read_exactly(tmp_path: Path, device: Device) -> None:
    """A stopped machine's window, pixel by pixel against the oracle's picture of the frame that it claims to be."""
    machine = Machine(vcpus=1, maxcpus=2, device=device, display=Display.XVFB)
    spec = RunSpec(build_kernel(Switches()).path, machine, RunParams(seconds=60.0, mode=MODE))
    with Qemu(spec, tmp_path) as guest:
        guest.wait_first_flush()
        frame = None
        for _ in range(200):
            picture = take_picture(guest)
            frame = decode_frame(picture.pixels)
            if frame is not None:
                break
        assert frame is not None, "no stamp on the screen"
        assert np.array_equal(picture.pixels, Oracle(*MODE, DEFAULT_SEED).picture(frame))
