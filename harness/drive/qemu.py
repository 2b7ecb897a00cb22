"""One QEMU, from launch to certain death.

QEMU is started through ``setpriv --pdeathsig KILL``, so that the kernel ends it when the harness dies in whatever way;
launch from the main thread, because the signal follows the thread that forked. The monitor is a socket pair, the serial
line a pipe: nothing has a name that another run could take.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.drive.console import Console
from harness.drive.errors import GuestError, QemuError, QmpError
from harness.drive.qmp import Qmp
from harness.spec import ARCHES, Device, Machine, RunSpec

FLUSH_EVENT = "virtio_gpu_cmd_res_flush"
TIMING_EVENTS: tuple[str, ...] = (FLUSH_EVENT,)
WITNESS_EVENTS: tuple[str, ...] = (
    FLUSH_EVENT,
    "virtio_gpu_cmd_res_xfer_toh_2d",
    "virtio_gpu_cmd_res_xfer_toh_3d",
    "virtio_gpu_cmd_set_scanout",
    "virtio_gpu_fence_ctrl",
    "virtio_gpu_fence_resp",
    "virtio_queue_notify",
    "virtqueue_pop",
    "virtqueue_fill",
    "virtqueue_flush",
)

SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
EXIT_FAILURE = 3
"""What the failing end of the x86-64 kernel (isa-debug-exit) and of the riscv64 one (SiFive's test device) gives.

The aarch64 machine has no such device: there a failing end is a reset, whose reason the monitor reports.
"""


@dataclass(frozen=True)
class Ending:
    """How a QEMU ended."""

    clean: bool
    """The guest powered off by itself with a success status."""
    reason: str


@dataclass(frozen=True)
class Threads:
    """Thread ids of a QEMU."""

    main: int
    vcpus: tuple[int, ...]


def gpu_arguments(machine: Machine) -> list[str]:
    """The GPU and the display of a machine."""
    if machine.device is Device.GPU_GL:
        return ["-device", "virtio-gpu-gl-pci,id=gpu", "-display", "sdl,gl=on"]
    return ["-device", f"{ARCHES[machine.arch].gpu_device},id=gpu", "-display", "none"]


def machine_arguments(machine: Machine) -> list[str]:
    """QEMU's arguments for a machine, without kernel, monitor and serial line."""
    arch = ARCHES[machine.arch]
    maxcpus = max(machine.maxcpus, machine.vcpus)
    arguments = ["-machine", arch.machine, "-m", str(machine.memory_mib), "-nodefaults", "-no-user-config"]
    arguments += ["-nic", "none", "-no-reboot"]
    arguments += ["-sandbox", SANDBOX if machine.device is Device.GPU_2D else SANDBOX.replace("spawn=deny,", "")]
    if machine.accelerator == "tcg":
        arguments += ["-cpu", arch.cpu]
        if machine.icount:
            arguments += ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]
        else:
            arguments += ["-accel", "tcg,thread=multi", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    else:
        arguments += ["-accel", machine.accelerator, "-cpu", "host", "-smp", f"{machine.vcpus},maxcpus={maxcpus}"]
    if machine.arch == "x86_64":
        arguments += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    arguments += gpu_arguments(machine)
    return arguments + list(machine.extra)


def _serial_pipe() -> tuple[int, int]:
    """Read and write end of a large pipe.

    Not a socket: QEMU writes single bytes, a socket accounts some hundred bytes for each, and QEMU's 16550 drops what
    it could not write after a few attempts. On a busy host that loses pieces of lines.
    """
    ours, theirs = os.pipe()
    with contextlib.suppress(OSError):
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 1 << 20)
    return ours, theirs


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

    Raises
    ------
    QemuError
        When QEMU is missing or refuses its arguments; carries the command, exit code and last lines.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Path,
        events: Sequence[str] = TIMING_EVENTS,
        *,
        paused: bool = False,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.limits = spec.limits.scaled(spec.machine)
        self.serial_path = folder / "serial.log"
        self.trace_path = folder / "trace.log"
        self.log_path = folder / "qemu.log"
        self.version = ""
        self._events = tuple(events)
        self._paused = paused
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._console: Console | None = None
        self._qmp: Qmp | None = None

    def __enter__(self) -> "Qemu":
        self.folder.mkdir(parents=True, exist_ok=True)
        qmp_ours, qmp_theirs = socket.socketpair()
        serial_ours, serial_theirs = _serial_pipe()
        try:
            self.command = self._command(qmp_theirs.fileno(), serial_theirs)
            self._launch([qmp_theirs.fileno(), serial_theirs])
        except BaseException:
            qmp_ours.close()
            os.close(serial_ours)
            raise
        finally:
            qmp_theirs.close()
            os.close(serial_theirs)
        self._console = Console(serial_ours, self.serial_path, self.limits)
        self._qmp = Qmp(qmp_ours, self.limits.qmp_s)
        try:
            self.version = self.qmp.handshake()
            # Only now: events are lost before the handshake, and a guest may end its machine within milliseconds.
            if not self._paused:
                self.qmp.execute("cont")
        except QmpError as error:
            self._failed_start(error)
        except BaseException:
            self.kill()
            raise
        return self

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

    def threads(self) -> Threads:
        """Main and vCPU threads; the others do nothing while frames are drawn."""
        vcpus = self.qmp.execute("query-cpus-fast")
        return Threads(self.pid, tuple(int(cpu["thread-id"]) for cpu in vcpus))

    def trace_event(self, name: str, enable: bool) -> None:
        """Switch one trace event while the machine runs."""
        self.qmp.execute("trace-event-set-state", name=name, enable=enable)

    def exited(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def wait_for(self, needle: bytes, timeout_s: float, what: str) -> None:
        """Wait for serial output; a QEMU that goes away first is named as such."""
        try:
            self.console.wait_for(needle, timeout_s, what)
        except GuestError as error:
            self._name_death(error)
            raise

    def wait_first_flush(self) -> None:
        """Wait until the trace shows a flush: the first frame.

        Raises
        ------
        GuestError
            When there is none within the limit, the guest panics, or ends.
        """
        deadline = time.monotonic() + self.limits.first_frame_s
        needle = FLUSH_EVENT.encode()
        while not (self.trace_path.exists() and needle in self.trace_path.read_bytes()):
            self.console.check()
            if self.exited():
                raise GuestError(f"{self.wait_end(1.0).reason} before the first frame", self.serial_path)
            if time.monotonic() > deadline:
                limit_s = self.limits.first_frame_s
                raise GuestError(f"no frame within {limit_s:g} s of the launch", self.serial_path)
            time.sleep(0.005)

    def wait_end(self, timeout_s: float) -> Ending:
        """Wait for the guest to end its machine.

        Raises
        ------
        GuestError
            When it has not within ``timeout_s``.
        QemuError
            When QEMU crashed or was killed from outside.
        """
        assert self._process is not None
        deadline = time.monotonic() + timeout_s
        seen, moved_s = self._signs_of_life(), time.monotonic()
        while True:
            try:
                code = self._process.wait(min(0.2, max(deadline - time.monotonic(), 0.01)))
                break
            except subprocess.TimeoutExpired:
                self.console.check()
                if self._signs_of_life() != seen:
                    seen, moved_s = self._signs_of_life(), time.monotonic()
                if self._events and time.monotonic() - moved_s > self.limits.frame_s:
                    text = f"the guest hangs: neither a frame nor a serial line for {self.limits.frame_s:g} s"
                    raise GuestError(text, self.serial_path) from None
                if time.monotonic() >= deadline:
                    raise GuestError(f"the guest has not ended after {timeout_s:g} s", self.serial_path) from None
        self.console.join(self.limits.shutdown_s)
        return self._ending(code)

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
                reason = self.wait_end(self.limits.shutdown_s).reason
                raise GuestError(f"the guest ended too early: {reason}", self.serial_path) from None
            raise

    def kill(self) -> None:
        """End QEMU now, whatever it does; returns when it is gone. Harmless when it is already."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._qmp is not None:
            self._qmp.close()
        if self._console is not None:
            self._console.join(self.limits.shutdown_s)

    def _ending(self, code: int) -> Ending:
        if code < 0:
            name = signal.Signals(-code).name
            raise QemuError(f"QEMU was ended by {name}{' from outside' if code in (-9, -15) else ''}", self.log_path)
        if code == EXIT_FAILURE and self.spec.machine.arch != "aarch64":
            return Ending(False, "the guest ended with a failing status")
        if code != 0:
            raise QemuError(f"QEMU ended with status {code}: {self._last_words()}", self.log_path)
        reasons = [event["data"].get("reason", "") for event in self.qmp.poll_events() if event["event"] == "SHUTDOWN"]
        # SiFive's test device ends QEMU 7.2 without the event, and its success is status 0.
        silent = "guest-shutdown" if self.spec.machine.arch == "riscv64" else "QEMU ended without saying why"
        reason = reasons[-1] if reasons else silent
        return Ending(reason == "guest-shutdown", reason)

    def _signs_of_life(self) -> tuple[int, int]:
        """Sizes of trace and serial log: a guest that draws or prints makes one of them grow."""
        trace = self.trace_path.stat().st_size if self.trace_path.exists() else 0
        return trace, self.console.size

    def _name_death(self, cause: Exception) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return
        if code not in (0, EXIT_FAILURE):
            self._ending(code)

    def _failed_start(self, cause: Exception) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.kill()
            raise cause from None
        self.kill()
        raise QemuError(f"QEMU did not start (status {code}): {self._last_words()}", self.log_path) from None

    def _last_words(self) -> str:
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return "no output"
        return " | ".join(text.splitlines()[-3:]) or "no output"

    def _launch(self, keep: list[int]) -> None:
        (self.folder / "command").write_text(shlex.join(self.command) + "\n", encoding="utf-8")
        with open(self.log_path, "wb") as log:
            try:
                self._process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=keep,
                    env=self._environment if self._environment is not None else os.environ.copy(),
                    start_new_session=True,
                )
            except OSError as error:
                raise QemuError(f"QEMU cannot be started: {error}") from error

    def _command(self, qmp_fd: int, serial_fd: int) -> list[str]:
        machine = self.spec.machine
        arch = ARCHES[machine.arch]
        binary = shutil.which(arch.qemu)
        if binary is None:
            raise QemuError(f"{arch.qemu} is not installed: install the package {arch.qemu_package} (make setup perf)")
        command = [binary, *machine_arguments(machine)]
        command += ["-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"]
        command += ["-chardev", f"file,id=serial,path=/dev/fd/{serial_fd}", "-serial", "chardev:serial"]
        for event in self._events:
            command += ["-trace", event]
        command += ["-d", "guest_errors", "-D", str(self.trace_path), "-msg", "timestamp=on"]
        if machine.disk_mib:
            command += self._disk(machine.disk_mib)
        command.append("-S")
        if self.spec.iso:
            return command + ["-cdrom", str(self.spec.kernel), "-boot", "d"]
        command += ["-kernel", str(self.spec.kernel)]
        if self.spec.capabilities.command_line:
            command += ["-append", self.spec.params.command_line()]
        return command

    def _disk(self, mib: int) -> list[str]:
        path = self.folder / "disk.img"
        with open(path, "wb") as disk:
            disk.truncate(mib << 20)
        device = ARCHES[self.spec.machine.arch].blk_device
        drive = f"file={path},if=none,id=scratch,format=raw,cache=unsafe,aio=threads"
        return ["-drive", drive, "-device", f"{device},drive=scratch"]
