"""Influence of the host on a QEMU, as opposed to its guest."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.model.errors import QemuError

HOST_REASONS = "host-"
"""How QEMU's reasons for a shutdown begin that are the host's: ``host-signal``, ``host-ui``, ``host-qmp-quit``."""


class HostEnded(QemuError):
    """QEMU was asked to end, by a signal, its window or its monitor."""

    def __init__(self, message: str, evidence: Path, reason: str) -> None:
        super().__init__(message, evidence)
        self.reason = reason


def name_stop(pid: int, evidence: Path) -> None:
    """Raise when somebody has stopped a child by a signal, even if it was continued, or has frozen it.

    The guest's clock runs on meanwhile, so the guest is not to blame for what it does next.

    Raises
    ------
    QemuError
        Saying which of these it was.
    """
    with contextlib.suppress(ChildProcessError):
        seen = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT)
        if seen is not None and seen.si_code in (os.CLD_STOPPED, os.CLD_CONTINUED):
            what = "was stopped" if seen.si_code == os.CLD_STOPPED else "was stopped and continued"
            raise QemuError(f"QEMU {what} from outside: its times mean nothing; run it again", evidence)
    if is_frozen(pid):
        raise QemuError("QEMU was frozen from outside, with its control group: run it again", evidence)


def is_frozen(pid: int, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> bool:
    """Whether the control group of a process stands still (cgroup v2)."""
    try:
        # No bound needed: /proc.
        lines = (proc / str(pid) / "cgroup").read_text(encoding="utf-8").splitlines()
        group = next(line[3:] for line in lines if line.startswith("0::"))
        events = (groups / group.lstrip("/") / "cgroup.events").read_text(encoding="utf-8")
    except (OSError, StopIteration):
        return False
    return "frozen 1" in events
