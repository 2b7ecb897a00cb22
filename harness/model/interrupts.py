"""What ends the harness from outside: Ctrl-C, a service that stops it, a terminal that closes."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MAY_BE_IGNORED = (signal.SIGHUP, signal.SIGQUIT)
"""As nohup and a shell's background jobs have it: then they stay ignored."""

_AGAIN_S = 0.01

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


@contextlib.contextmanager
def raised_again(dropped: type[BaseException], handler: Handler) -> Iterator[None]:
    """Have an interrupt raised once more that Python can only print: one that comes in a destructor or a callback.

    Parameters
    ----------
    dropped
        What the handler raises, with the signal's number.
    """
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not isinstance(unraisable.exc_value, dropped):
            before(unraisable)
            return
        listen(handler)
        # From another thread and a little later: what is raised in here is dropped as well.
        number, main = unraisable.exc_value.args[0], threading.main_thread().ident or 0
        again = threading.Timer(_AGAIN_S, signal.pthread_kill, (main, number))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
