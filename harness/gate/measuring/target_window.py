"""The window of a kernel that is not this tree's: how long it lasts, how the guest ends, what a frame is."""

from __future__ import annotations

import re
import time

from harness.core.device.frame_groups import FrameRule
from harness.core.device.scanouts import shown_on
from harness.core.device.trace import FLUSH, Trace
from harness.model.errors import GuestError
from harness.model.record import Ending
from harness.model.target import KILLED, NO, POWEROFF, PROTOCOL, Target
from harness.platform.machine.qemu import FLUSH_EVENT, Qemu
from harness.platform.machine.trace_file import read_trace
from harness.platform.machine.words_of_guest import limit_words

WINDOW_FRAMES = 10
"""A window lasts until this many frames were shown ..."""
WINDOW_LONGER = 4.0
"""... or this many times as long as it was asked to."""
_POLL_S = 0.25


def rule_of(target: Target | None) -> FrameRule:
    """What a frame of a target is."""
    if target is None:
        return FrameRule()
    return FrameRule(target.frame.by, round(target.frame.gap_ms * 1e6), target.head)


def watch_window(machine: Qemu, target: Target) -> None:
    """Let the guest run for its window, longer where frames are few; ends with the guest.

    Raises
    ------
    GuestError
        When it panics, or stops drawing although its screen must not stand still.
    """
    window_s = target.limits.window_s
    before, begun = _flushes(machine), time.monotonic()
    while (passed_s := time.monotonic() - begun) < window_s * WINDOW_LONGER and not machine.exited():
        machine.check()
        if passed_s >= window_s and _flushes(machine) - before >= WINDOW_FRAMES:
            return
        if passed_s >= window_s and target.pictures.static != NO and _flushes(machine) == before:
            return  # It stands still, and may.
        time.sleep(min(_POLL_S, max(window_s - passed_s, 0.01)))
    machine.check()
    if target.pictures.static == NO and not machine.exited():
        machine.wait_progress()


def _flushes(machine: Qemu) -> int:
    return read_trace(machine.trace_path, machine.limits).count(FLUSH_EVENT.encode())


def end_of_target(machine: Qemu, target: Target) -> Ending:
    """Wait for the end that a target declares, after its window; others are ended here.

    Raises
    ------
    GuestError
        When the declared end, or ``serial.done``, does not come.
    """
    limit_s = target.limits.end_s
    if target.serial.done and target.serial.done != PROTOCOL:
        _await_done(machine, target)
    if target.end not in ("", KILLED) or target.serial.done == PROTOCOL:
        return _declared(machine, target, limit_s)
    if not machine.exited():
        machine.check()
        return Ending(True, "ended by the harness after the window")
    ending = machine.wait_end(machine.limits.shutdown_s)
    if target.end == KILLED:
        words = f'the guest ended unasked ({ending.reason}), where end = "{KILLED}" says that it runs on'
        return Ending(False, words)
    return ending


def _await_done(machine: Qemu, target: Target) -> None:
    pattern = re.compile(target.serial.done.encode(), re.MULTILINE)
    what = f"serial.done {target.serial.done!r} did not come"
    try:
        machine.console.wait_match(pattern, 0, target.limits.end_s, what)
    except GuestError as error:
        words = f"{error.message} after the window{limit_words(machine.spec, 'end_s')}"
        raise GuestError(words, error.evidence) from None


def _declared(machine: Qemu, target: Target, limit_s: float) -> Ending:
    """The guest's own end: a power-off, or a status of QEMU's."""
    try:
        ending = machine.wait_end(limit_s)
    except GuestError as error:
        words = f'{error.message}, where end = "{target.end}" says that it ends{limit_words(machine.spec, "end_s")}'
        raise GuestError(words, error.evidence) from None
    if target.end in ("", POWEROFF):
        return ending
    found = machine.status
    if found == int(target.end):
        return Ending(True, f"QEMU's status {found}, as declared")
    return Ending(False, f"QEMU's status is {found}, where end = {target.end}: {ending.reason}")


def head_problems(trace: Trace, target: Target) -> tuple[str, ...]:
    """Reasons why frames of a target do not reach its head."""
    flushes = trace.of(FLUSH)
    if not len(flushes) or len(shown_on(trace, target.head).events):
        return ()
    heads = {
        int(one) for kind in ("", "_blob") for one in trace.of(f"virtio_gpu_cmd_set_scanout{kind}").args.get("id", ())
    }
    others = f"; scanouts were set on {', '.join(map(str, sorted(heads)))}" if heads else "; no scanout was ever set"
    return (f"{len(flushes)} flushes, none on head {target.head}{others}",)
