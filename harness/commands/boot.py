"""Boot the kernel and show the wheel."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from harness.gate.finish import finish
from harness.gate.judging.next_steps import given_words
from harness.model.errors import GuestError, HarnessError, QemuError, QmpError
from harness.model.interrupts import INTERRUPTS
from harness.model.result import Result
from harness.model.spec import (
    ARCHES,
    WINDOWS,
    Device,
    Display,
    Machine,
    RunParams,
    RunSpec,
    Switches,
    UsageError,
    Verdict,
)
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.host_doing import HostEnded
from harness.platform.machine.qemu import FLUSH_EVENT, Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.pictures.screen import take_picture
from harness.platform.pictures.virgl import PACKAGES, chosen_device
from harness.platform.processes.child import ChildError, run_child
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 110
EXAMPLES = ("VIDEO=1", "VIDEO=xvfb VIRGL=1 BOOT_LOG_TIMEOUT=30", "ARCH=riscv64 MODE=640x480")
NEXT = "make perf measures what was seen"
TAKES = ("switches",)
MEASURES = True
FOREVER_S = 7 * 86400.0
PICTURE_FILE = "screen.png"
START_BYTES = 64 << 10
"""The serial log is read first, because drivers speak before anything is shown."""
_PATH = re.compile(rb"^virtio-gpu: (2d|virgl transfer|virgl draw)$", re.MULTILINE)


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``boot [VIDEO=1|xvfb] [VIRGL=1] [BOOT_LOG_TIMEOUT=seconds] [SWITCH=value …]``; Ctrl-C ends it."""
    limit_s = arguments.number("BOOT_LOG_TIMEOUT") if arguments.has("BOOT_LOG_TIMEOUT") else FOREVER_S
    chosen = Switches.of(arguments.switches)
    displays = wanted_displays(arguments.text("VIDEO"), chosen.arch, os.environ)
    params = paced(arguments.run_params())
    kernel = build_kernel(chosen, compiler=arguments.text("CC"))
    machine = Machine(chosen.arch, vcpus=2, disk_mib=64 if params.blk else 0, heads=int(chosen.get("HEADS")))
    if displays == (Display.NONE,):
        machine, words = chosen_device(machine, arguments.flag("VIRGL"))
        displays = (machine.display,)
        out.line(words or "headless: the serial line is all there is to see")
    elif arguments.flag("VIRGL"):
        machine = replace(machine, device=Device.GPU_GL)
    spec = RunSpec(kernel.path, machine, params)
    run = RunFolder("boot")
    begun = time.monotonic()
    with ExitStack() as stack:
        try:
            guest = _open(stack, spec, displays, run.path)
            out.line(f"{chosen.label}; Ctrl-C ends it")
            _tell_where(guest, out)
            seen = _Seen()
            sentence = _follow(guest, out, limit_s, seen)
            _keep_picture(guest, run.path, out)
            verdict, sentence = _judge(guest, seen, sentence)
        except HarnessError as error:
            verdict, sentence = error.verdict, error.message
            if error.evidence is not None and error.evidence.is_relative_to(run.path):
                sentence += f" (see {error.evidence.relative_to(run.path)})"
    seconds = time.monotonic() - begun
    given = given_words(tuple(arguments.given.items()), ())
    result = Result("boot", verdict, sentence, run.started, seconds, host=host_facts(), words=given)
    verdict = finish(run, result, out, {}, [])
    out.line(f"serial log: {run.place / 'serial.log'}")
    return verdict


def paced(params: RunParams) -> RunParams:
    """60 frames a second, unless told otherwise."""
    return params if params.pace is not None else replace(params, pace=60)


def wanted_displays(video: str, arch: str, environment: Mapping[str, str]) -> tuple[Display, ...]:
    """The displays that ``VIDEO=`` allows, in the order in which to try them.

    Raises
    ------
    UsageError
        When a window is asked for and there is no display, or QEMU has no window to offer.
    """
    if video in ("", "0"):
        return (Display.NONE,)
    if video == Display.XVFB.value:
        return (Display.XVFB,)
    named = [display for display in WINDOWS if video in ("1", display.value)]
    if not named:
        names = ", ".join(display.value for display in WINDOWS)
        raise UsageError(f"VIDEO={video}: 1, {names}, xvfb, or nothing for the serial line alone")
    session = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    offered = _offered(arch)
    allowed = tuple(one for one in named if one.value in offered and (session or one is Display.COCOA))
    if not allowed and not session:
        raise UsageError(f"VIDEO={video}: this session has no display; {_INSTEAD}")
    if not allowed:
        raise UsageError(f"VIDEO={video}: this QEMU offers no such window: install qemu-system-gui; {_INSTEAD}")
    return allowed


_INSTEAD = "VIDEO=xvfb shows the wheel on a virtual one, without VIDEO there is the serial line alone"


def _offered(arch: str) -> list[str]:
    """Displays that this QEMU has."""
    binary = shutil.which(ARCHES[arch].qemu)
    if binary is None:
        raise QemuError(f"{ARCHES[arch].qemu} is not installed (make setup perf)")
    try:
        return run_child([binary, "-display", "help"], limit_s=20).text.split()
    except ChildError as error:
        raise QemuError(f"{ARCHES[arch].qemu} does not run: {error.message}") from error


def _open(stack: ExitStack, spec: RunSpec, displays: Sequence[Display], folder: Path) -> Qemu:
    """The machine on the first display that opens."""
    failures = []
    for display in displays:
        shown = replace(spec, machine=replace(spec.machine, display=display))
        try:
            return stack.enter_context(Qemu(shown, folder, (FLUSH_EVENT,), endless=True))
        except QemuError as error:
            failures.append(f"{display.value}: {error.message}")
    hint = f"; {_INSTEAD}" if set(displays) & set(WINDOWS) else ""
    packages = f"; its packages: {PACKAGES}" if spec.machine.device is Device.GPU_GL else ""
    raise QemuError(f"{'; '.join(failures)}{hint}{packages}", folder / "qemu.log")


def _tell_where(guest: Qemu, out: Printer) -> None:
    """How to look at a virtual display, whose picture is kept at the end anyway."""
    if guest.display is not None:
        keys = ("DISPLAY", "XAUTHORITY")
        out.line(f"the window is on {' '.join(f'{key}={guest.display.environment[key]}' for key in keys)}")


def _keep_picture(guest: Qemu, folder: Path, out: Printer) -> None:
    """The last picture of a virtual display."""
    if guest.display is None or guest.exited():
        return
    pixels = take_picture(guest).pixels
    cv2.imwrite(str(folder / PICTURE_FILE), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    out.line(f"its last picture is {PICTURE_FILE}, beside the serial log")


@dataclass
class _Seen:
    """What the guest has shown so far."""

    begun_s: float = field(default_factory=time.monotonic)
    frame: bool = False

    def look(self, guest: Qemu) -> None:
        """Note the first frame; flushes are no longer traced then, because a boot may last for days."""
        if self.frame or not guest.trace_path.exists():
            return
        self.frame = FLUSH_EVENT.encode() in read_trace(guest.trace_path, guest.limits)
        if self.frame and not guest.exited():
            with contextlib.suppress(QmpError):
                guest.trace_event(FLUSH_EVENT, False)


def _judge(guest: Qemu, seen: _Seen, sentence: str) -> tuple[Verdict, str]:
    """A boot passes if the guest spoke and drew, and used virgl if it was to."""
    missing = [] if guest.console.size else ["said nothing on its serial line"]
    missing += [] if seen.frame else ["showed no frame"]
    if missing:
        failed = guest.exited() or time.monotonic() - seen.begun_s >= guest.limits.first_frame_s
        verdict = Verdict.GUEST_FAILED if failed else Verdict.INCONCLUSIVE
        early = "" if failed else ", and had no time to"
        return verdict, f"{sentence}; the guest {' and '.join(missing)}{early}"
    if guest.spec.machine.device is Device.GPU_2D:
        return Verdict.PASS, sentence
    # No bound needed: the start of a serial log of ours.
    with open(guest.serial_path, "rb") as log:
        path = _PATH.search(log.read(START_BYTES))
    if path is None:
        return Verdict.INCONCLUSIVE, f"{sentence}; the kernel had not yet said whether it uses virgl"
    if path[1] == b"2d":
        return Verdict.GUEST_FAILED, f"{sentence}; virgl was asked for and not used: the serial log says why"
    return Verdict.PASS, sentence


def _follow(guest: Qemu, out: Printer, limit_s: float, seen: _Seen) -> str:
    """Print serial lines as they come, until the guest ends, the user ends it or the time is up.

    Raises
    ------
    HarnessError
        When the guest ends badly, or somebody else than the user ends QEMU or this.
    """
    try:
        return _until_end(guest, out, limit_s, seen)
    except HostEnded as ended:
        if ended.reason != "host-ui":
            raise
        return "the user closed the window"
    except KeyboardInterrupt as interrupt:
        number = next((one for one in INTERRUPTS if interrupt.args == (one,)), signal.SIGINT)
        if number is signal.SIGINT:
            return "ended by the user"
        raise QemuError(f"ended by {number.name} from outside before it was judged", guest.serial_path) from interrupt


def _until_end(guest: Qemu, out: Printer, limit_s: float, seen: _Seen) -> str:
    deadline = time.monotonic() + limit_s
    printed = 0
    while time.monotonic() < deadline:
        fresh = guest.console.since(printed)
        lines = fresh[: fresh.rfind(b"\n") + 1]
        for line in lines.decode("utf-8", "replace").splitlines():
            out.line(line)
        printed += len(lines)
        seen.look(guest)
        guest.check()
        if guest.exited():
            ending = guest.wait_end(1.0)
            if not ending.clean:
                raise GuestError(f"the guest ended badly: {ending.reason}", guest.serial_path)
            return f"the guest ended: {ending.reason}"
        time.sleep(0.1)
    return f"ended after {limit_s:g} s, as BOOT_LOG_TIMEOUT says"
