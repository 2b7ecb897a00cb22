"""Modes that change while a kernel runs: what the trace and the serial line say of them, the viewer, and real runs."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.core.device.mode_changes import GAP_MS, edid_notes, gap_words, mode_changes, refusals
from harness.core.device.scanouts import scanouts_of
from harness.core.device.trace import parse_trace
from harness.front.words import parse
from harness.gate.measuring.modes import PICTURES, measure_modes, pitch_words
from harness.model.modes_record import AskedMode, ModeChange
from harness.model.spec import ARCHES, Machine, RunParams, RunSpec, Switches, UsageError
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qmp import Qmp
from harness.platform.machine.rfb import VERSION, RfbError, Viewer
from harness.tests.programs import UNORDERED, run_harness, run_perf

FIRST, SECOND = (800, 600), (640, 480)
PERIOD_US = 10_000


def line(at_us: int, text: str) -> bytes:
    return f"1@{1000 + at_us // 1_000_000}.{at_us % 1_000_000:06d}:{text}\n".encode()


def frame(at_us: int, res: int, size: tuple[int, int]) -> bytes:
    transfer = line(at_us - 100, f"virtio_gpu_cmd_res_xfer_toh_2d res {res:#x}")
    return transfer + line(at_us, f"virtio_gpu_cmd_res_flush res {res:#x}, w {size[0]}, h {size[1]}, x 0, y 0")


def scanout(at_us: int, res: int, size: tuple[int, int]) -> bytes:
    return line(at_us, f"virtio_gpu_cmd_set_scanout id 0, res {res:#x}, w {size[0]}, h {size[1]}, x 0, y 0")


def changes(gap_us: int) -> tuple[ModeChange, ...]:
    """Ten frames of one size, and ten of the next behind a gap, asked for 3 ms before the last old frame."""
    log = scanout(0, 1, FIRST)
    log += b"".join(frame(1000 + number * PERIOD_US, 1, FIRST) for number in range(10))
    begins_us = 1000 + 9 * PERIOD_US + gap_us
    log += line(begins_us - 100, "virtio_gpu_cmd_res_xfer_toh_2d res 0x3") + scanout(begins_us - 50, 3, SECOND)
    log += line(begins_us, f"virtio_gpu_cmd_res_flush res 0x3, w {SECOND[0]}, h {SECOND[1]}, x 0, y 0")
    log += b"".join(frame(begins_us + number * PERIOD_US, 3, SECOND) for number in range(1, 10))
    trace = parse_trace(log)
    assert not trace.problems
    return mode_changes(trace, 0, asked(1_000 * 10**9 + (1000 + 9 * PERIOD_US - 3000) * 1000))


def asked(at_ns: int, waited_ns: int = 0) -> tuple[AskedMode, ...]:
    return AskedMode(FIRST, 0, 6, 6), AskedMode(SECOND, at_ns, 9, 9, waited_ns)


@pytest.mark.parametrize("gap_us", [4_000, 30_000, 80_000])
def test_the_gap_of_a_change_is_from_the_last_old_frame_to_the_first_new_one(gap_us: int) -> None:
    assert changes(gap_us) == (ModeChange(SECOND, (gap_us + 3000) * 1000, gap_us * 1000),)


def test_a_trace_without_a_change_has_none() -> None:
    log = scanout(0, 1, FIRST) + frame(1000, 1, FIRST) + scanout(2000, 2, FIRST) + frame(3000, 2, FIRST)
    assert mode_changes(parse_trace(log), 0, asked(0)) == ()


def test_a_gap_beyond_the_bound_fails_unless_the_host_made_it() -> None:
    assert gap_words(changes(int(GAP_MS * 1000)), asked(0)) == ("", "")
    slow, disturbed = gap_words(changes(80_000), asked(0))
    assert "80.0 ms at the change to 640x480" in slow and not disturbed
    slow, disturbed = gap_words(changes(80_000), asked(0, waited_ns=40_000_000))
    assert not slow and "waited for a core of the host for 40.0 ms" in disturbed


def test_refusals_and_notes_are_read_from_the_serial_line() -> None:
    log = (
        b"virtio-gpu: mode 800x600 from frame 3, by EDID\n"
        b"virtio-gpu: mode 640x480 from frame 9, by display info, not EDID: its checksum is wrong\n"
        b"virtio-gpu: mode 8000x8000 refused: there is no memory for its picture; 640x480 stays\n"
    )
    assert refusals(log) == ("8000x8000 refused: there is no memory for its picture; 640x480 stays",)
    assert edid_notes(log) == ("640x480: its checksum is wrong",)


def test_the_pitch_of_a_mode_before_is_named() -> None:
    why = "frame 3 is corrupt: wrong stride: rows are written 800 px long and shown 640 px long"
    assert "the pitch of 800x600, the mode before, was kept" in pitch_words(why, SECOND, [FIRST, SECOND])
    assert pitch_words(why, SECOND, [(1024, 768), SECOND]) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("MODE=800x600,800x600", "another one"),
        ("MODE=800x600,1x1", "between"),
        ("MODE=800x600,640x480 STAGES=window", "needs the stage modes"),
        ("MODE=800x600,640x480 MODES=off", "leave MODES=off out"),
        ("MODE=800x600,640x480 VIRGL=1", "needs the 2D device"),
        ("STAGES=window,modes", "needs several sizes"),
        ("FAULT=old_pitch", "add MODE=800x600,640x480"),
        ("FAULT=one_head", "add HEADS=2"),
    ],
)
def test_what_cannot_be_is_refused(words: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(["perf", *words.split()])


def test_several_sizes_are_one_run() -> None:
    arguments = parse(["perf", "MODE=800x600,1366x768,801x601"])
    assert arguments.modes() == ((800, 600), (1366, 768), (801, 601)) and arguments.run_params().mode == (800, 600)


Serve = Callable[[socket.socket], None]


def greeted(sock: socket.socket) -> None:
    """A VNC server's part of the greeting, with a screen of 8x8."""
    sock.sendall(VERSION)
    assert sock.recv(12) == VERSION
    sock.sendall(bytes([1, 1]))
    assert sock.recv(1) == b"\1"
    sock.sendall(bytes(4))
    assert sock.recv(1) == b"\1"
    sock.sendall(struct.pack(">HH16xI", 8, 8, 4) + b"QEMU")
    assert len(sock.recv(12, socket.MSG_WAITALL)) == 12


def answers_size(status: int) -> Serve:
    def serve(sock: socket.socket) -> None:
        greeted(sock)
        kind, width, height, screens = struct.unpack(">BxHHBx", sock.recv(24, socket.MSG_WAITALL)[:8])
        assert (kind, width, height, screens) == (251, 640, 480, 1)
        rectangle = struct.pack(">HHHHi", 1, status, width, height, -308)
        sock.sendall(struct.pack(">BxH", 0, 1) + rectangle + bytes([1, 0, 0, 0]) + bytes(16))

    return serve


def shows_cursor(sock: socket.socket) -> None:
    greeted(sock)
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).tobytes()
    sock.sendall(struct.pack(">BxH", 0, 1) + struct.pack(">HHHHi", 1, 2, 3, 2, -314) + bytes(4) + pixels)


def cut_off(sock: socket.socket) -> None:
    sock.sendall(VERSION[:5])


def other(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200")


def endless(sock: socket.socket) -> None:
    sock.sendall(VERSION + bytes([1, 1]) + bytes(4) + struct.pack(">HH16xI", 8, 8, 1 << 30))


class FakeQmp(Qmp):
    """A monitor whose VNC server is a function."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.thread: threading.Thread | None = None

    def send_descriptor(self, name: str, descriptor: int) -> None:
        sock = socket.socket(fileno=socket.dup(descriptor))

        def work() -> None:
            with sock:
                self._serve(sock)

        self.thread = threading.Thread(target=work)

    def execute(self, command: str, **arguments: object) -> object:
        assert command == "add_client" and self.thread is not None
        self.thread.start()
        return {}


def test_a_viewer_gives_its_size_and_gets_the_cursor() -> None:
    with Viewer(FakeQmp(answers_size(4)), 20) as viewer:
        viewer.resize(640, 480)
    with Viewer(FakeQmp(shows_cursor), 20) as viewer:
        shape = viewer.wait_cursor()
    assert shape.hot == (1, 2) and shape.pixels.shape == (2, 3, 4) and shape.pixels[1, 0, 0] == 12


@pytest.mark.parametrize("serve", [cut_off, other, endless])
def test_a_server_that_is_none_is_an_error(serve: Serve) -> None:
    with pytest.raises(RfbError):
        with Viewer(FakeQmp(serve), 5):
            pass


def test_a_size_that_is_not_handed_on_is_an_error() -> None:
    with Viewer(FakeQmp(answers_size(3)), 20) as viewer:
        with pytest.raises(RfbError, match="no size of 640x480"):
            viewer.resize(640, 480)


@pytest.mark.qemu
@pytest.mark.parametrize(("arch", "switch"), [(arch, "COMPLETION=irq") for arch in ARCHES] + [("x86_64", "DRAW=dirty")])
def test_a_kernel_follows_its_display(arch: str, switch: str) -> None:
    """Polled ones are tried by the tests below."""
    words = (f"ARCH={arch}", switch, "MODE=640x480,1366x768,801x601", "STAGES=modes", UNORDERED)
    _, result = run_perf(*words)
    record = result["runs"]["candidate"]["stages"]["modes"]
    assert [one["size"] for one in record["changes"]] == [[1366, 768], [801, 601]], result["sentence"]
    assert all(one["checked"] == one["intact"] > PICTURES - 1 for one in record["asked"]) and not record["bad"]
    assert not [text for text in result["problems"] if "waited for a core" not in text], result["problems"]
    again = run_harness("analyze", result["folder"])
    assert again.code == result_code(result), again.said


def result_code(result: dict[str, object]) -> int:
    return {"inconclusive": 4, "guest-failed": 3, "pass": 0}[str(result["verdict"])]


@pytest.mark.qemu
def test_two_heads_show_the_picture_and_follow_the_display() -> None:
    words = ("HEADS=2", "MODE=640x480,800x600", "STAGES=pictures,modes", "PICTURES=12", UNORDERED)
    _, result = run_perf(*words)
    assert not [text for text in result["problems"] if "waited for a core" not in text], result["problems"]
    assert result["frames"]["intact"] == result["frames"]["checked"] == 12, "of either head, in turn"
    trace = parse_trace((Path(result["folder"]) / "modes" / "trace.log").read_bytes())
    assert [len(scanouts_of(trace, head).time_ns) for head in (0, 1)] == [2, 2]


@pytest.mark.qemu
def test_a_mode_that_cannot_be_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    """Without an EDID: one size without memory for it, one that the scene does not know, and one that can be."""
    kernel = build_kernel(Switches().but(MODES="on")).path
    machine = Machine(vcpus=1, extra=("-global", "virtio-gpu-device.edid=off"))
    spec = RunSpec(kernel, machine, RunParams())
    found = measure_modes(spec, tmp_path, (FIRST, (9000, 9000), (200, 200), SECOND)).record
    assert [text.partition(" ")[0] for text in found.refused] == ["9000x9000", "200x200"]
    assert "no memory" in found.refused[0] and "no such size" in found.refused[1]
    assert not found.bad and all(one.checked == one.intact for one in found.asked)
    assert [one.size for one in found.changes] == [SECOND]
    assert found.notes == ("640x480: it is not offered",)
