"""The GL device, on the first display of this machine that works with it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

from harness.model.errors import GuestError, HarnessError, QemuError
from harness.model.spec import Device, Display, Machine, RunParams, RunSpec, Switches
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.qemu import Qemu
from harness.platform.pictures.screen import glimpse

RENDER_NODES = Path("/dev/dri")
PACKAGES = "qemu-system-gui qemu-system-modules-opengl libgl1-mesa-dri xvfb"
TRIAL_MODE = (640, 480)
SHOW_S = 10.0

_DRAWN_BY = re.compile(rb"^virtio-gpu: drawn by ([^\n]+)$", re.MULTILINE)
_NOT_DRAWN = re.compile(
    rb"^virtio-gpu: (DRAW=gpu needs virgl: [^\n]*|the host's renderer did not draw [^\n]*)$", re.MULTILINE
)

_WAYS = {
    Display.EGL_HEADLESS: "pictures by screendump, OpenGL on a render node",
    Display.XVFB: "pictures from a virtual display's memory while the machine stands still, OpenGL in software",
}
"""Displays for the GL device with no window in the session, the least costly first."""


def with_virgl(machine: Machine) -> tuple[Machine, str]:
    """The machine with the GL device, on the best display that works here, and which that is, in words.

    Raises
    ------
    QemuError
        When none works; says why of each.
    """
    failures: list[str] = []
    for display, way in _WAYS.items():
        chosen = replace(machine, device=Device.GPU_GL, display=display)
        trouble = display_trouble(chosen)
        if not trouble:
            return chosen, "; ".join([f"virgl on {display.value}: {way}", *failures])
        failures.append(f"not on {display.value}: {trouble}")
    raise QemuError(f"VIRGL=1: {'; '.join(failures)}; its packages: {PACKAGES}")


def chosen_device(machine: Machine, virgl: bool) -> tuple[Machine, str]:
    """The machine, on the GL device if it is wanted, and in words how that is shown.

    Raises
    ------
    QemuError
        When the GL device works on no display here.
    """
    return with_virgl(machine) if virgl else (machine, "")


def renderer_name(machine: Machine) -> str:
    """What the renderer calls itself that draws for a kernel with ``DRAW=gpu`` on this machine (GL_RENDERER).

    Raises
    ------
    HarnessError
        When none draws: why, in the kernel's own words where it has some.
    """
    kernel = build_kernel(Switches.of({"ARCH": machine.arch, "DRAW": "gpu"})).path
    spec = RunSpec(kernel, replace(machine, accelerator="tcg"), RunParams(frames=2, mode=TRIAL_MODE, records=0))
    with scratch_folder("renderer") as folder, Qemu(spec, folder) as guest:
        ending = guest.wait_end(spec.limits.first_frame_s)
        log = guest.console.content()
    name, trouble = _DRAWN_BY.search(log), _NOT_DRAWN.search(log)
    if trouble is not None or name is None or not ending.clean or b"[DONE] status=ok" not in log:
        said = trouble[1].decode("utf-8", "replace") if trouble else ending.reason
        raise GuestError(f"the host draws nothing for a kernel: {said}")
    return name[1].decode("utf-8", "replace")


def display_trouble(machine: Machine) -> str:
    """Reason why a machine's display cannot show this tree's kernel; empty when it can.

    A guest's own failure is not the display's fault.
    """
    if machine.display is Display.EGL_HEADLESS and not list(RENDER_NODES.glob("renderD*")):
        return f"there is no render node in {RENDER_NODES}"
    kernel = build_kernel(Switches(machine.arch)).path
    spec = RunSpec(kernel, replace(machine, accelerator="tcg"), RunParams(seconds=60.0, mode=TRIAL_MODE, records=0))
    with scratch_folder("display") as folder:
        try:
            with Qemu(spec, folder) as guest:
                guest.wait_first_flush()
                deadline = time.monotonic() + SHOW_S
                while not glimpse(guest).pixels.any():
                    if time.monotonic() > deadline:
                        return f"the picture stays black for {SHOW_S:g} s"
                    time.sleep(0.02)
        except GuestError:
            return ""
        except HarnessError as error:
            return error.message
    return ""
