"""Bringing a guest to where it is measured: what it asks is answered, and the first frame has been shown.

A target says so in its file: prompts and what is typed (``input``), keys (``keys``), a line from which on frames count
(``ready``) and how long it then settles.
"""

from __future__ import annotations

import os
import re
import time

from harness.model.errors import GuestError, QmpError
from harness.model.spec import UsageError
from harness.model.target import Target
from harness.model.values import shown
from harness.platform.kernels.key_place import key_place
from harness.platform.kernels.target_command import SERIAL_LINE
from harness.platform.machine.qemu import Qemu
from harness.platform.machine.words_of_guest import guest_said, limit_words

KEY_HOLD_MS = 60
KEY_GAP_S = 0.12


def wait_ready(machine: Qemu, settle: bool = True) -> int:
    """Wait until a guest is ready to be measured.

    Parameters
    ----------
    settle
        Wait for what the target says that it takes to settle, too.

    Returns
    -------
    int
        Host time since the epoch, ns, from which on frames count; 0 counts all.

    Raises
    ------
    GuestError
        When a prompt, the line or the first frame does not come in time, or the guest ends.
    UsageError
        When QEMU knows no such key.
    """
    target = machine.spec.target
    if target is None:
        machine.wait_first_flush()
        return 0
    at = _answer(machine, target)
    if target.ready:
        _await(machine, target.ready, at, "ready")
    machine.wait_first_flush()
    if settle and target.settle_s:
        time.sleep(target.settle_s)
    return time.time_ns() if target.ready or target.settle_s else 0


def _answer(machine: Qemu, target: Target) -> int:
    """Go through prompts and keys; returns how far the serial line has been read."""
    at = 0
    for pattern, text in target.input:
        at = _await(machine, pattern, at, "the prompt")
        type_text(machine, text)
    for pattern, keys in target.keys:
        if pattern:
            at = _await(machine, pattern, at, "before its keys, the line")
        try:
            press(machine, keys)
        except QmpError as error:
            raise UsageError(f"{key_place(target, 'keys')}: {shown(keys)}: {error.message}") from error
    return at


def _await(machine: Qemu, pattern: str, start: int, what: str) -> int:
    limit_s = machine.spec.target.limits.input_s if machine.spec.target else machine.limits.first_frame_s
    compiled = re.compile(pattern.encode(), re.MULTILINE)
    try:
        return machine.console.wait_match(compiled, start, limit_s, f"{what} {pattern!r} did not come")
    except GuestError as error:
        machine.check()
        words = f"{error.message}{limit_words(machine.spec, 'input_s')}: {guest_said(machine)}"
        raise GuestError(words, error.evidence) from None


def type_text(machine: Qemu, text: str) -> None:
    """Type on the serial line."""
    line = os.open(machine.folder / f"{SERIAL_LINE}.in", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(line, text.encode())
    finally:
        os.close(line)


def press(machine: Qemu, keys: str) -> None:
    """Press keys at once, as ``ctrl-alt-f2``, and let go."""
    names = [{"type": "qcode", "data": name} for name in keys.split("-")]
    machine.qmp.execute("send-key", **{"keys": names, "hold-time": KEY_HOLD_MS})
    time.sleep(KEY_GAP_S)
