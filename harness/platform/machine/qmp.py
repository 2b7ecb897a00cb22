"""A small synchronous QMP client over a connected socket.

Every wait has a limit. Whatever is not QMP (garbage, an endless line, silence, a closed socket) is a
:class:`QmpError` that names the command.
"""

from __future__ import annotations

import array
import json
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from harness.model.errors import QmpError

LINE_BYTES_MAX = 1 << 20
EVENTS_MAX = 10_000
"""More unread bytes than this mean a broken monitor."""
_POLL_S = 0.0005


class Qmp:
    """One monitor connection.

    Parameters
    ----------
    sock
        Connected to QEMU's ``-mon mode=control``.
    timeout_s
        Longest wait for the greeting and for each answer.
    """

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self._sock = sock
        self._timeout_s = timeout_s
        self._buffer = b""
        self._sent = 0
        self.events: list[dict[str, Any]] = []
        """Events in order of arrival, as QEMU sent them; read and cleared by the owner."""

    def handshake(self) -> str:
        """Read the greeting, leave negotiation mode; returns QEMU's version, as ``7.2.22``."""
        greeting = self._message("greeting", time.monotonic() + self._timeout_s)
        try:
            version = greeting["QMP"]["version"]["qemu"]
            text = f"{version['major']}.{version['minor']}.{version['micro']}"
        except (KeyError, TypeError) as error:
            raise QmpError(f"QMP: no greeting, but {str(greeting)[:80]}") from error
        self.execute("qmp_capabilities")
        return text

    def send_descriptor(self, name: str, descriptor: int) -> None:
        """Hand QEMU a descriptor of a file or a socket, which a later command names.

        Raises
        ------
        QmpError
            As :meth:`execute`.
        """
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        self._execute("getfd", {"fdname": name}, passed)

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run one command and return what it returns.

        Raises
        ------
        QmpError
            When QEMU refuses it, does not answer in time, or closes the socket.
        """
        return self._execute(command, arguments, [])

    def _execute(
        self, command: str, arguments: Mapping[str, Any], ancillary: Sequence[tuple[int, int, array.array[int]]]
    ) -> Any:
        self._sent += 1
        request = {"execute": command, "id": self._sent} | ({"arguments": dict(arguments)} if arguments else {})
        deadline = time.monotonic() + self._timeout_s
        try:
            self._sock.settimeout(self._timeout_s)
            content = json.dumps(request).encode() + b"\n"
            sent = self._sock.sendmsg([content], ancillary) if ancillary else 0
            if sent < len(content):
                self._sock.sendall(content[sent:])
        except OSError as error:
            raise QmpError(f"QMP {command}: cannot be sent: {error}") from error
        while True:
            message = self._message(command, deadline)
            if "event" in message:
                self._keep_event(message)
            elif message.get("id", self._sent) != self._sent:
                continue  # the late answer to a command that timed out
            elif "return" in message:
                return message["return"]
            elif "error" in message:
                refusal = message["error"]
                said = refusal.get("desc", refusal) if isinstance(refusal, dict) else refusal
                raise QmpError(f"QMP {command}: refused: {said}")

    def poll_events(self) -> list[dict[str, Any]]:
        """Take the events that have arrived, without waiting."""
        try:
            while True:
                message = self._message("event", time.monotonic() + _POLL_S)
                if "event" in message:
                    self._keep_event(message)
        except QmpError:
            taken, self.events = self.events, []
            return taken

    def close(self) -> None:
        self._sock.close()

    def _keep_event(self, event: dict[str, Any]) -> None:
        if len(self.events) >= EVENTS_MAX:
            raise QmpError(f"QMP: more than {EVENTS_MAX} events")
        self.events.append(event)

    def _message(self, what: str, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            self._receive(what, deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise QmpError(f"QMP {what}: not JSON: {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise QmpError(f"QMP {what}: not an object: {line[:80]!r}")
        return message

    def _receive(self, what: str, deadline: float) -> None:
        if len(self._buffer) > LINE_BYTES_MAX:
            raise QmpError(f"QMP {what}: a line of more than {LINE_BYTES_MAX} bytes")
        try:
            self._sock.settimeout(max(deadline - time.monotonic(), _POLL_S))
            chunk = self._sock.recv(65536)
        except (TimeoutError, BlockingIOError) as error:
            raise QmpError(f"QMP {what}: no answer within {self._timeout_s:g} s") from error
        except OSError as error:
            raise QmpError(f"QMP {what}: {error}") from error
        if not chunk:
            raise QmpError(f"QMP {what}: QEMU closed the monitor")
        self._buffer += chunk
