"""The monitor's client against a recorded dialogue with QEMU 7.2, and against monitors that misbehave."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.model.errors import QmpError
from harness.model.spec import Limits
from harness.platform.machine import qmp as qmp_module
from harness.platform.machine.qmp import Qmp
from harness.platform.pictures.capture import CaptureError, screendump

DIALOGUE = (Path(__file__).parent / "data" / "qmp-qemu-7.2.log").read_text(encoding="utf-8").splitlines()
GREETING = DIALOGUE[0].removeprefix("< ").encode() + b"\n"
LIMIT_S = 0.5

Answer = Callable[[dict[str, object]], bytes]


@contextmanager
def monitor(serve: Callable[[socket.socket], None]) -> Iterator[Qmp]:
    """A client whose other end is served by a thread; the thread must end once the client has closed."""
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=serve, args=(theirs,))
    server.start()
    client = Qmp(ours, 60.0)
    try:
        yield client
    finally:
        client.close()
        server.join(60)
        theirs.close()
        assert not server.is_alive()


def answering(answer: Answer) -> Callable[[socket.socket], None]:
    """A server that greets, and gives each command what ``answer`` makes of it."""

    def serve(sock: socket.socket) -> None:
        sock.sendall(GREETING)
        with sock.makefile("rb") as requests:
            for line in requests:
                try:
                    sock.sendall(answer(json.loads(line)))
                except OSError:
                    return

    return serve


def good(request: dict[str, object]) -> bytes:
    return json.dumps({"return": {}, "id": request["id"]}).encode() + b"\n"


def good_but(command: str, instead: Callable[[dict[str, object]], bytes]) -> Answer:
    """Answers everything well except one command."""
    return lambda request: instead(request) if request["execute"] == command else good(request)


def test_a_recorded_dialogue_is_spoken_word_for_word() -> None:
    def serve(sock: socket.socket) -> None:
        with sock.makefile("rwb") as stream:
            for line in DIALOGUE:
                if line.startswith("> "):
                    assert json.loads(stream.readline()) == json.loads(line[2:])
                else:
                    stream.write(line[2:].encode() + b"\n")
                    stream.flush()

    with monitor(serve) as client:
        assert client.handshake() == "7.2.22"
        assert client.execute("cont") == {}
        assert client.execute("query-cpus-fast")[0]["thread-id"] == 24774
        client.execute("trace-event-set-state", name="virtio_gpu_cmd_res_flush", enable=True)
        with pytest.raises(QmpError, match="screendump: refused: failed to open file '/dev/null/x': Not a directory"):
            client.execute("screendump", filename="/dev/null/x")
        client.execute("stop")
        with pytest.raises(QmpError, match="no-such-command: refused: The command no-such-command has not been found"):
            client.execute("no-such-command")
        client.execute("quit")
        events = client.poll_events()
        assert [event["event"] for event in events] == ["RESUME", "STOP", "SHUTDOWN"]
        assert events[-1]["data"]["reason"] == "host-qmp-quit"
        assert client.poll_events() == []


@pytest.mark.parametrize(
    ("greeting", "says"),
    [
        (b"", "QMP greeting: QEMU closed the monitor"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "QMP greeting: not JSON: b'SSH-2.0"),
        (b"[1, 2]\n", "QMP greeting: not an object"),
        (b'{"QMP": 7}\n', "QMP: no greeting, but"),
        (b'{"return": {}}\n', "QMP: no greeting, but"),
        (b"\xff\xfe\x00\n", "QMP greeting: not JSON"),
        (b"[" * 100_000 + b"\n", "QMP greeting: not JSON"),
        (b"x" * (qmp_module.LINE_BYTES_MAX + 100_000), "QMP greeting: a line of more than 1048576 bytes"),
    ],
)
@pytest.mark.slow
def test_whatever_is_no_monitor_is_said_so(greeting: bytes, says: str) -> None:
    def serve(sock: socket.socket) -> None:
        try:
            sock.sendall(greeting)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client has given up

    with monitor(serve) as client, pytest.raises(QmpError, match=says.replace("[", r"\[")):
        client.handshake()


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        (lambda request: b"", "QMP stop: no answer within 0.5 s"),
        (lambda request: b'{"return": {', "QMP stop: no answer within 0.5 s"),
        (lambda request: b"garbage\n", "QMP stop: not JSON: b'garbage'"),
        (lambda request: b'{"error": "just words"}\n', "QMP stop: refused: just words"),
        (lambda request: b'{"event": "TICK"}\n' * (qmp_module.EVENTS_MAX + 1), "more than 10000 events"),
    ],
)
@pytest.mark.slow
def test_a_command_that_is_not_answered_well_names_itself(
    instead: Callable[[dict[str, object]], bytes], says: str
) -> None:
    with monitor(answering(good_but("stop", instead))) as client:
        client.handshake()
        client._timeout_s = LIMIT_S if "no answer" in says else 60.0
        begun = time.monotonic()
        with pytest.raises(QmpError, match=says):
            client.execute("stop")
        assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_the_late_answer_to_a_given_up_command_is_no_answer_to_the_next() -> None:
    late = b'{"return": {"status": "late"}, "id": 2}\n'
    given_up = good_but("query-status", lambda request: b"")
    with monitor(answering(lambda r: late + good(r) if r["execute"] == "stop" else given_up(r))) as client:
        client.handshake()
        client._timeout_s = LIMIT_S
        with pytest.raises(QmpError, match="no answer"):
            client.execute("query-status")
        client._timeout_s = 60.0
        assert client.execute("stop") == {}


def test_a_monitor_that_closes_mid_run_is_named() -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(GREETING)
        sock.recv(4096)
        sock.sendall(b'{"return": {}, "id": 1}\n')
        sock.recv(4096)
        sock.shutdown(socket.SHUT_RDWR)

    with monitor(serve) as client:
        client.handshake()
        with pytest.raises(QmpError, match="QMP stop: QEMU closed the monitor"):
            client.execute("stop")
        with pytest.raises(QmpError, match="QMP cont: (cannot be sent|QEMU closed)"):
            client.execute("cont")


def dump(content: bytes) -> Answer:
    """A monitor whose screendumps hold ``content``."""

    def write(request: dict[str, object]) -> bytes:
        arguments = request["arguments"]
        assert isinstance(arguments, dict)
        Path(arguments["filename"]).write_bytes(content)
        return good(request)

    return good_but("screendump", write)


def test_a_screendump_becomes_a_picture_and_no_file_stays(tmp_path: Path) -> None:
    with monitor(answering(dump(b"P6\n2 1\n255\nabcdef"))) as client:
        client.handshake()
        picture = screendump(client, tmp_path)
    assert picture.pixels.tolist() == [[[97, 98, 99], [100, 101, 102]]]
    assert picture.before_ns <= picture.time_ns <= picture.after_ns
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not a binary PPM"), (b"P6\n2 2\n255\n" + b"x" * 300, "more than the limit of 100")],
)
def test_a_screendump_that_is_no_picture_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    with monitor(answering(dump(content))) as client:
        client.handshake()
        with pytest.raises(CaptureError, match=says):
            screendump(client, tmp_path, Limits(picture_bytes=100))
    assert not list(tmp_path.iterdir())


def test_a_screendump_that_was_not_written_is_said_so(tmp_path: Path) -> None:
    with monitor(answering(good)) as client:
        client.handshake()
        with pytest.raises(CaptureError, match="cannot be read: No such file"):
            screendump(client, tmp_path)
