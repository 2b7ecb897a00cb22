"""How a QEMU ended, told from its exit status and from what the monitor and the guest said."""

from __future__ import annotations

from pathlib import Path

from harness.model.record import Ending as Ending
from harness.platform.files.bounded import read_bounded


def ending_of(arch: str, code: int, reasons: list[str], last_words: str, said: bytes = b"") -> Ending | None:
    """The ending that the guest caused; None when the status is QEMU's own.

    Parameters
    ----------
    code
        QEMU's exit status.
    reasons
        Of the monitor's SHUTDOWN events.
    last_words
        The guest's last line of prose, or nothing; said of an end that is not clean.
    said
        QEMU's standard error output: status 1 is the guest's, 0 written to isa-debug-exit, when QEMU gives no reason.
    """
    if guest_status(arch, code) or (arch == "x86_64" and code == 1 and not _errors(said)):
        return Ending(False, _quoting(f"the guest ended with a failing status (QEMU's is {code})", last_words))
    if code != 0:
        return None
    # SiFive's test device ends QEMU 7.2 without the event, and its success is status 0.
    silent = "guest-shutdown" if arch == "riscv64" else "QEMU ended without saying why"
    reason = reasons[-1] if reasons else silent
    if reason == "guest-shutdown":
        return Ending(True, reason)
    return Ending(False, _quoting(reason, last_words))


def _errors(said: bytes) -> bool:
    """Whether QEMU says why it ended; warnings do not."""
    return any(line.strip() and b"warning:" not in line for line in said.splitlines())


def _quoting(reason: str, last_words: str) -> str:
    return f"{reason}: {last_words}" if last_words else reason


def guest_status(arch: str, code: int) -> bool:
    """Whether an exit code of a QEMU that had started is one that its guest chose.

    x86-64's isa-debug-exit turns any value into an odd code, of which 1 is also QEMU's own; riscv64's SiFive test
    device gives what our kernel writes there, 3. aarch64 has neither: a failing end is a reset, whose reason the
    monitor tells.
    """
    return code >= 3 and code % 2 == 1 if arch == "x86_64" else code == 3 and arch == "riscv64"


def last_lines(log: Path) -> str:
    """What QEMU said last, in one line."""
    try:
        text = read_bounded(log).decode("utf-8", "replace").strip()
    except OSError:
        return "no output"
    return " | ".join(text.splitlines()[-3:]) or "no output"
