"""What ends the harness from outside: Ctrl-C, a service that stops it, a terminal that closes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGQUIT)
"""As nohup and a shell's background jobs have it: then they stay ignored."""

Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


def listen(handler: Handler) -> dict[signal.Signals, Handler]:
    """Handle every interrupt so; returns how each was handled before."""
    before: dict[signal.Signals, Handler] = {}
    for number in INTERRUPTS:
        now = signal.getsignal(number)
        if number in _MAY_BE_IGNORED and now is signal.SIG_IGN:
            continue
        before[number] = now
        signal.signal(number, handler)
    return before
