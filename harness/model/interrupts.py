"""What ends the harness from outside: Ctrl-C, a service that stops it, a terminal that closes, a limit of time."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_MAY_BE_IGNORED = (
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""As nohup and a shell's background jobs have it: then they stay ignored. The last four are words of a batch system or
of a caller's ``ulimit`` and ``alarm``, which outlast the start of a program."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, *_MAY_BE_IGNORED)

_AGAIN_S = 0.01

Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


def take_signals() -> None:
    """Have signals as a shell gives them, whatever the caller's were when it started this process.

    Where SIGCHLD is ignored, nobody learns how a child ended; a signal that is blocked is never heard.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())


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
