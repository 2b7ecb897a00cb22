"""The screen of a running machine, as a picture, in the way that its display offers."""

from __future__ import annotations

import time

from harness.platform.machine.qemu import Qemu
from harness.platform.pictures.capture import Screendump, screendump
from harness.platform.pictures.display import parse_xwd, window_of


def take_picture(machine: Qemu, further_head: int = 0) -> Screendump:
    """Capture the scanout exactly.

    Parameters
    ----------
    further_head
        Of a machine that shows one picture on several heads, which of them; a virtual display has the first alone.

    A virtual display's memory is read while the machine is paused and the display has settled: a tear in the
    picture was visible as a tear.

    Raises
    ------
    GuestError, QemuError
        When the guest or QEMU ends meanwhile.
    QmpError
        When QEMU refuses or does not answer.
    CaptureError
        When the data is not a picture, or keeps changing.
    """
    display = machine.display
    with machine.watched():
        if display is None:
            head = machine.spec.head + further_head
            return screendump(machine.qmp, machine.folder, head=head, device=machine.gpu_id)
        with machine.stopped():
            before_ns = time.time_ns()
            screen = display.settled_picture(machine.limits.qmp_s)
            after_ns = time.time_ns()
    return Screendump(window_of(screen, machine.spec.params.mode), before_ns, after_ns)


def glimpse(machine: Qemu) -> Screendump:
    """Capture the scanout without stopping the machine; on a virtual display it may then show parts of two frames.

    Raises as :func:`take_picture`.
    """
    display = machine.display
    if display is None:
        return take_picture(machine)
    with machine.watched():
        before_ns = time.time_ns()
        dump = display.read()
        after_ns = time.time_ns()
    return Screendump(window_of(parse_xwd(dump), machine.spec.params.mode), before_ns, after_ns)
