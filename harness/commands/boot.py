"""Show the wheel: in a window where there is a display, on the terminal's serial line otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace

from harness.commands import Arguments, Printer
from harness.commands.perf import number, run_params, split_settings
from harness.drive.build import build_kernel
from harness.drive.errors import HarnessError
from harness.drive.host import host_facts
from harness.drive.qemu import Qemu
from harness.drive.store import RunFolder
from harness.result import Result
from harness.spec import ARCHES, Machine, RunParams, RunSpec, Switches, UsageError, Verdict

WINDOWS = ("gtk", "sdl", "cocoa")
FOREVER_S = 7 * 86400.0


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``boot [VIDEO=1] [BOOT_LOG_TIMEOUT=seconds] [SWITCH=value …]``; Ctrl-C ends it."""
    settings, switches = split_settings(arguments, ["VIDEO", "VIRGL", "BOOT_LOG_TIMEOUT", "CC", "OPTS", "MODE", "SLOW"])
    if settings.get("VIRGL", "0") not in ("", "0"):
        raise UsageError("VIRGL=1: the kernel has no 3D transfer path yet; leave it out to boot on the 2D device")
    limit_s = number(settings, "BOOT_LOG_TIMEOUT", FOREVER_S, 1, FOREVER_S)
    chosen = Switches.of(switches)
    display = window_display(settings.get("VIDEO", ""), chosen.arch, os.environ)
    kernel = build_kernel(chosen, compiler=settings.get("CC", "gcc"))
    params = paced(run_params(settings))
    extra = ("-display", display) if display else ()
    machine = Machine(chosen.arch, vcpus=2, disk_mib=64 if params.blk else 0, extra=extra)
    run = RunFolder("boot")
    begun = time.monotonic()
    verdict, sentence = Verdict.PASS, "ended by the user"
    try:
        environment = dict(os.environ) if display else None
        with Qemu(RunSpec(kernel.path, machine, params), run.path, (), environment=environment, endless=True) as guest:
            out.line(f"{chosen.label}{' in a window' if display else ''}; Ctrl-C ends it")
            sentence = _follow(guest, out, limit_s)
    except KeyboardInterrupt:
        pass
    except HarnessError as error:
        verdict, sentence = error.verdict, str(error)
    seconds = time.monotonic() - begun
    folder = run.commit(Result("boot", verdict, sentence, run.started, seconds, host=host_facts()))
    out.line(sentence)
    out.line(f"serial log: {folder / 'serial.log'}")
    return verdict


def paced(params: RunParams) -> RunParams:
    """60 frames a second, unless told otherwise."""
    return params if params.pace is not None else replace(params, pace=60)


def window_display(video: str, arch: str, environment: Mapping[str, str]) -> str:
    """QEMU's display argument for ``VIDEO=``; empty for none.

    Raises
    ------
    UsageError
        When a window is asked for and there is no display, or QEMU has no window to offer.
    """
    if video in ("", "0"):
        return ""
    if video != "1" and video not in WINDOWS:
        raise UsageError(f"VIDEO={video}: 1, {', '.join(WINDOWS)}, or nothing for the serial line alone")
    if not environment.get("DISPLAY") and not environment.get("WAYLAND_DISPLAY"):
        raise UsageError("VIDEO=1: this session has no display; without VIDEO the run is headless, with serial here")
    binary = shutil.which(ARCHES[arch].qemu)
    if binary is None:
        raise UsageError(f"{ARCHES[arch].qemu} is not installed (make setup perf)")
    done = subprocess.run([binary, "-display", "help"], capture_output=True, text=True, timeout=20, check=False)
    offered = [kind for kind in ([video] if video != "1" else WINDOWS) if kind in done.stdout.split()]
    if not offered:
        raise UsageError(f"VIDEO={video}: this QEMU offers no such window: install qemu-system-gui")
    return offered[0]


def _follow(guest: Qemu, out: Printer, limit_s: float) -> str:
    """Print serial lines as they come, until the guest ends or the time is up."""
    deadline = time.monotonic() + limit_s
    printed = 0
    while time.monotonic() < deadline:
        fresh = guest.console.since(printed)
        lines = fresh[: fresh.rfind(b"\n") + 1]
        for line in lines.decode("utf-8", "replace").splitlines():
            out.line(line)
        printed += len(lines)
        guest.console.check()
        if guest.exited():
            return f"the guest ended: {guest.wait_end(1.0).reason}"
        time.sleep(0.1)
    return f"ended after {limit_s:g} s, as BOOT_LOG_TIMEOUT says"
