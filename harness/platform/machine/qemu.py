"""One QEMU, from launch to its end.

Launch from the main thread, whose death QEMU follows. The monitor is a socket pair, the serial line a pipe: nothing has
a name that another run could take.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from harness.model.errors import GuestError, QemuError, QmpError
from harness.model.spec import WINDOWS, Display, RunSpec, UsageError
from harness.platform.files.bounded import read_bounded
from harness.platform.files.store import check_room
from harness.platform.kernels.target_command import SERIAL_LINE
from harness.platform.machine.console import Console, serial_fifos, serial_pipe
from harness.platform.machine.ending import Ending, ending_of, last_lines
from harness.platform.machine.host_doing import HOST_REASONS, HostEnded, name_stop
from harness.platform.machine.qemu_command import QEMU_LOG, TRACE_LOG, gpu_id, qemu_command
from harness.platform.machine.qmp import Qmp
from harness.platform.machine.sandbox import sandboxed
from harness.platform.machine.trace_events import FLUSH_EVENT as FLUSH_EVENT
from harness.platform.machine.trace_events import FRAME_EVENTS as FRAME_EVENTS  # noqa: F401
from harness.platform.machine.trace_events import TIMING_EVENTS as TIMING_EVENTS
from harness.platform.machine.trace_file import read_trace
from harness.platform.machine.words_of_guest import device_hint, guest_said, limit_words, panic_of, refused_by_qemu
from harness.platform.pictures.display import Xvfb, screen_for, session_environment
from harness.platform.processes.child import end_child, start_child

TRACE_POLL_S = 0.005
END_POLL_S = 0.05


@dataclass(frozen=True)
class Threads:
    """Thread ids of a QEMU."""

    main: int
    vcpus: tuple[int, ...]


class Qemu:
    """A running machine; use as a context manager.

    Parameters
    ----------
    spec
        What to boot, and how.
    folder
        Private to this launch; receives ``serial.log``, ``trace.log``, ``qemu.log``, ``command`` and the scratch disk.
    events
        Trace events enabled from the start.
    paused
        Start with the CPUs stopped.
    endless
        The guest runs until somebody ends it; of its serial line only the last part stays in memory.

    Raises
    ------
    QemuError
        When QEMU is missing or refuses its arguments; carries the command, exit code and last lines.
    DisplayError
        When the machine's virtual display does not start.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path,
        events: Sequence[str] = TIMING_EVENTS,
        *,
        paused: bool = False,
        endless: bool = False,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.limits = spec.limits.scaled(spec.machine)
        self.serial_path = folder / "serial.log"
        self.trace_path = folder / TRACE_LOG
        self.log_path = folder / QEMU_LOG
        self.version = ""
        self._events = tuple(events)
        self._paused = paused
        self._endless = endless
        self.takes_turns = False
        """The harness itself stops and continues this machine by signals."""
        self.display: Xvfb | None = None
        """The virtual display of a machine that has one, while it runs."""
        self._process: subprocess.Popen[bytes] | None = None
        self._console: Console | None = None
        self._qmp: Qmp | None = None
        self._held = contextlib.ExitStack()

    def __enter__(self) -> "Qemu":
        if self._process is None:
            self.spawn()
        self._begin()
        return self

    def spawn(self) -> None:
        """Start QEMU, which prepares its machine until it is entered. One that is never entered must be killed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        qmp_ours, qmp_theirs = socket.socketpair()
        serial_ours, serial_theirs = self._serial_ends()
        # A named pipe that has no writer yet would look closed.
        self._held.callback(os.close, serial_theirs)
        try:
            self.command = qemu_command(self.spec, self.folder, qmp_theirs.fileno(), serial_theirs, self._events)
            self._launch([qmp_theirs.fileno(), serial_theirs], self._environment())
            panic = panic_of(self.spec)
            self._console = Console(serial_ours, self.serial_path, self.limits, endless=self._endless, panic=panic)
        except BaseException:
            self.kill()
            qmp_ours.close()
            raise
        finally:
            qmp_theirs.close()
            os.close(serial_ours)
        self._qmp = Qmp(qmp_ours, self.limits.qmp_s)

    def _begin(self) -> None:
        """Greet the monitor and let the guest run."""
        try:
            with self._held:
                self.version = self.qmp.handshake()
            # Only now: events are lost before the handshake, and a guest may end its machine within milliseconds.
            if not self._paused:
                self.qmp.execute("cont")
        except QmpError as error:
            self._failed_start(error)
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def console(self) -> Console:
        assert self._console is not None, "the machine was not entered"
        return self._console

    @property
    def qmp(self) -> Qmp:
        assert self._qmp is not None, "the machine was not entered"
        return self._qmp

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def processes(self) -> tuple[int, ...]:
        """QEMU, and every other process that works for each frame."""
        return (self.pid,) if self.display is None else (self.pid, self.display.pid)

    def threads(self) -> Threads:
        """Main and vCPU threads; the others do nothing while frames are drawn."""
        vcpus = self.qmp.execute("query-cpus-fast")
        return Threads(self.pid, tuple(int(cpu["thread-id"]) for cpu in vcpus))

    def trace_event(self, name: str, enable: bool) -> None:
        """Switch one trace event while the machine runs."""
        self.qmp.execute("trace-event-set-state", name=name, enable=enable)

    def check(self) -> None:
        """Raise what is already known to be wrong, causes on the host first."""
        self._name_stop()
        self.console.check()

    @property
    def gpu_id(self) -> str:
        """The GPU's name for the monitor; empty where it is the only display device and has one head."""
        machine = self.spec.machine
        return gpu_id(machine.gpu) if self.spec.target or machine.heads > 1 else ""

    @property
    def status(self) -> int | None:
        """QEMU's exit status; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    def exited(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def wait_for(self, needle: bytes, timeout_s: float, what: str) -> None:
        """Wait for serial output; a QEMU that goes away first is named as such."""
        try:
            self.console.wait_for(needle, timeout_s, what)
        except GuestError:
            self._name_stop()
            self._name_death()
            check_room(self.folder)
            raise

    def wait_first_flush(self) -> None:
        """Wait until the trace shows a flush: the first frame.

        Raises
        ------
        GuestError
            When there is none within the limit, the guest panics, or ends.
        QemuError, StoreError
            When that is the doing of QEMU, of somebody who ended it, or of a full disk.
        """
        deadline = time.monotonic() + self.limits.first_frame_s
        needle = FLUSH_EVENT.encode()
        while not (self.trace_path.exists() and needle in read_trace(self.trace_path, self.limits)):
            self.check()
            if self.exited():
                raise GuestError(f"no frame was shown: {self._last_said(1.0)}{device_hint(self)}", self.serial_path)
            if time.monotonic() > deadline:
                limit = f"{self.limits.first_frame_s:g} s of the launch{limit_words(self.spec, 'first_frame_s')}"
                self._fail(f"no frame within {limit}: {guest_said(self)}")
            time.sleep(TRACE_POLL_S)

    def wait_progress(self) -> None:
        """Wait until the guest has drawn or printed something more, which takes no time unless it hangs.

        Raises
        ------
        GuestError
            When it has not within the limit for one frame, panics, or ends.
        """
        seen, deadline = self._signs_of_life(), time.monotonic() + self.limits.frame_s
        while self._signs_of_life() == seen:
            self.console.check()
            if self.exited():
                raise GuestError(f"the guest ended too early: {self._last_said(1.0)}", self.serial_path)
            if time.monotonic() > deadline:
                self._fail(f"the guest hangs: neither a frame nor a serial line for {self.limits.frame_s:g} s")
            time.sleep(TRACE_POLL_S)

    def wait_end(self, timeout_s: float) -> Ending:
        """Wait for the guest to end its machine.

        Raises
        ------
        GuestError
            When it has not within ``timeout_s``, hangs, or makes the trace grow without end.
        QemuError
            When QEMU crashed or was killed from outside.
        StoreError
            When the disk is full.
        """
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        seen, moved_s = self._signs_of_life(), time.monotonic()
        while True:
            try:
                code = self._process.wait(min(END_POLL_S, max(deadline - time.monotonic(), 0.01)))
                break
            except subprocess.TimeoutExpired:
                self.check()
                if self._signs_of_life() != seen:
                    seen, moved_s = self._signs_of_life(), time.monotonic()
                if seen[0] > self.limits.trace_bytes:
                    self._fail(f"the guest made the device trace more than {self.limits.trace_bytes} bytes")
                if self._events and time.monotonic() - moved_s > self.limits.frame_s:
                    self._fail(f"the guest hangs: neither a frame nor a serial line for {self.limits.frame_s:g} s")
                if time.monotonic() >= deadline:
                    self._fail(f"the guest has not ended after {timeout_s:g} s")
        self.console.join(self.limits.shutdown_s)
        return self._ending(code)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """While the guest's CPUs and clocks stand still."""
        self.qmp.execute("stop")
        yield
        self.qmp.execute("cont")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Around a monitor command: when it fails because the guest has died, the guest's end is what is raised.

        Raises
        ------
        GuestError, QemuError
            When the guest panicked or ended, or QEMU did.
        QmpError
            When QEMU lives and yet did not answer.
        """
        try:
            yield
        except QmpError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert self._process is not None
                self._process.wait(self.limits.shutdown_s)
            self.console.check()
            if self.exited():
                reason = self._last_said(self.limits.shutdown_s)
                raise GuestError(f"the guest ended too early: {reason}", self.serial_path) from None
            check_room(self.folder)
            raise

    def kill(self) -> None:
        """End QEMU and its display now, whatever they do; returns when both have ended. Harmless when they have."""
        self._held.close()
        if self._process is not None:
            end_child(self._process)
        if self.display is not None:
            self.display.__exit__(None, None, None)
        if self._qmp is not None:
            self._qmp.close()
        if self._console is not None:
            self._console.join(self.limits.shutdown_s)

    def _serial_ends(self) -> tuple[int, int]:
        """Our end of the serial line, and QEMU's, which is none where the line has a name."""
        if self.spec.target is None or not self.spec.target.input:
            return serial_pipe()
        ours = serial_fifos(self.folder / SERIAL_LINE)
        return ours, os.open(self.folder / f"{SERIAL_LINE}.out", os.O_WRONLY | os.O_CLOEXEC)

    def _ending(self, code: int) -> Ending:
        if code < 0:
            how = " from outside" if code in (-signal.SIGKILL, -signal.SIGTERM) else f": {last_lines(self.log_path)}"
            raise QemuError(f"QEMU was ended by {signal.Signals(-code).name}{how}", self.log_path)
        reasons = [event["data"].get("reason", "") for event in self.qmp.poll_events() if event["event"] == "SHUTDOWN"]
        if reasons and reasons[-1].startswith(HOST_REASONS):
            raise HostEnded(f"QEMU was ended from outside: {reasons[-1]}", self.log_path, reasons[-1])
        said = read_bounded(self.log_path) if code == 1 else b""
        ending = ending_of(self.spec.machine.arch, code, reasons, self.console.last_words(), said)
        if ending is None:
            raise QemuError(f"QEMU ended with status {code}: {last_lines(self.log_path)}", self.log_path)
        return ending

    def _last_said(self, timeout_s: float) -> str:
        """How a guest ended too early, with its own last words, which an unclean ending quotes already."""
        ending = self.wait_end(timeout_s)
        said = self.console.last_words() if ending.clean else ""
        return f"{ending.reason}: {said}" if said else ending.reason

    def _signs_of_life(self) -> tuple[int, int]:
        """Sizes of trace and serial log: a guest that draws or prints makes one of them grow."""
        trace = self.trace_path.stat().st_size if self.trace_path.exists() else 0
        return trace, self.console.size

    def _name_stop(self) -> None:
        """Raise when somebody has stopped QEMU, even if it was continued."""
        if not self.takes_turns and self._process is not None and self._process.returncode is None:
            name_stop(self.pid, self.log_path)

    def _fail(self, text: str) -> NoReturn:
        """Blame the guest, unless somebody stopped it or the logs that show its progress cannot be written."""
        self._name_stop()
        check_room(self.folder)
        raise GuestError(text, self.serial_path) from None

    def _name_death(self) -> None:
        """Raise when QEMU has ended and not by its guest."""
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ending(self._process.wait(0.2))

    def _failed_start(self, cause: Exception) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.kill()
            raise cause from None
        self.kill()
        if code == 1 and (refused := refused_by_qemu(last_lines(self.log_path), self.spec)):
            raise UsageError(refused) from None
        how = f"status {code}" if code >= 0 else signal.Signals(-code).name
        raise QemuError(f"QEMU did not start ({how}): {last_lines(self.log_path)}", self.log_path) from None

    def _environment(self) -> dict[str, str] | None:
        """All of QEMU's environment; None for next to nothing. Starts the virtual display."""
        if self.spec.machine.display is Display.XVFB:
            display = Xvfb(self.folder / "display", screen_for(self.spec.params.mode))
            self.display = display.__enter__()
            threads = self.spec.machine.render_threads
            return self.display.environment | ({} if threads is None else {"LP_NUM_THREADS": str(threads)})
        return session_environment() if self.spec.machine.display in WINDOWS else None

    def _launch(self, keep: list[int], environment: dict[str, str] | None) -> None:
        # As the system has it: a folder's name need not be UTF-8.
        (self.folder / "command").write_bytes(os.fsencode(shlex.join(self.command) + "\n"))
        boxed = sandboxed(self.command, self.spec, self.folder, environment)
        with open(self.log_path, "wb") as log:
            self._process = start_child(boxed, stdout=log, stderr=log, pass_fds=keep, environment=environment)
