"""Meaning of a guest's serial line for the harness that waits for it: panics, prompts, last words."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from harness.core.guest.last_words import headline
from harness.core.guest.serial_noise import without_noise
from harness.model.spec import RunSpec
from harness.model.target import PROTOCOL, Target
from harness.model.values import shown
from harness.platform.kernels.key_place import key_place
from harness.platform.machine.console import PANIC
from harness.platform.machine.trace_events import FLUSH_EVENT
from harness.platform.machine.trace_file import read_trace

if TYPE_CHECKING:
    from harness.platform.machine.qemu import Qemu

LAST_LINES_BYTES = 4096
_PROMPT = re.compile(r"[>$#%:?] ?$")


def panic_of(spec: RunSpec) -> re.Pattern[bytes] | None:
    """How a line begins in which this kernel says that it panicked; None where it has declared none."""
    declared = spec.target.serial.panic if spec.target else PROTOCOL if spec.capabilities.boot_line else ""
    if declared == PROTOCOL:
        return PANIC
    return re.compile(declared.encode(), re.MULTILINE) if declared else None


def limit_words(spec: RunSpec, name: str) -> str:
    """The limit of a target that applied, and where it is set; empty without a target."""
    return f" (limits.{name} in {spec.target.name}.toml sets it)" if spec.target else ""


def guest_said(machine: "Qemu") -> str:
    """The guest's last line, quoted, and what it may be waiting for."""
    lines = without_noise(machine.console.content()[-LAST_LINES_BYTES:]).splitlines()
    last = headline(next((line for line in reversed(lines) if line.strip()), b""))
    if not last:
        return f"it printed nothing on the serial line{device_hint(machine)}"
    target = machine.spec.target
    waits = target is not None and not target.input and _PROMPT.search(last)
    hint = '; if that is a prompt, input = [["pattern", "text\\n"]] types to it' if waits else ""
    return f"its last line is {last!r}{hint}{device_hint(machine)}"


def refused_by_qemu(said: str, spec: RunSpec) -> str:
    """Why QEMU did not start with what the caller added to the machine; empty where nothing was."""
    if spec.target is not None:
        return refused_start(said, spec.target)
    extra = spec.machine.extra
    return f"QEMU_ARGS={shown(shlex.join(extra))}: QEMU does not start with it: {said}" if extra else ""


def refused_start(said: str, target: Target) -> str:
    """Why QEMU did not start with a target, in its own words: the key that it is about, and what the file may lack."""
    words = _LOG_PREFIX.sub("", said)
    key = next((key for key, about in _ABOUT.items() if about.search(words)), "")
    where = key_place(target, key) if key else f"{target.name}.toml"
    hint = ""
    if "overlap" in words and not target.image.bios:
        hint = '; for a kernel that starts without firmware, image = { bios = "none", … }'
    if "'virtio-bus'" in words:
        hint = '; a machine without virtio-mmio takes gpu = "virtio-gpu-pci"'
    return f"{where}: QEMU does not take it: {words}{hint}"


_LOG_PREFIX = re.compile(r"(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?qemu[\w-]*: ")
"""Time and program of a line of QEMU's."""
_ABOUT = {
    "machine": re.compile(r"machine type"),
    "cpu": re.compile(r"CPU (?:model|type)"),
    "memory": re.compile(r"guest memory|memory size|RAM size|maxmem"),
    "vcpus": re.compile(r"-smp|SMP CPUs|max(?:imum number of)? ?cpus", re.IGNORECASE),
    "gpu": re.compile(r"virtio-gpu|virtio-vga|vhost-user-gpu"),
    "image.pflash": re.compile(r"pflash"),
    "image.initrd": re.compile(r"initrd|ramdisk"),
    "image.dtb": re.compile(r"\bdtb\b|device tree"),
    "image.kernel": re.compile(r"kernel|regions overlap"),
    "image.bios": re.compile(r"bios|firmware|ROM image", re.IGNORECASE),
    "args": re.compile(r"^-\w|invalid option|is not a valid device model"),
}
"""By key, what QEMU says of it; the first that fits."""
_MMIO_ARCHES = ("aarch64", "arm", "riscv64", "riscv32", "m68k", "loongarch64")
_COMMAND = b"virtio_gpu_cmd_"
_MODERN = 'args = "-global virtio-mmio.force-legacy=false"'


def device_hint(machine: "Qemu") -> str:
    """What the target's file may lack, where the driver never said a word to the device; empty where it did."""
    target = machine.spec.target
    if target is None or not machine.trace_path.is_file():
        return ""
    trace = read_trace(machine.trace_path, machine.limits)
    if FLUSH_EVENT.encode() in trace:
        return ""
    if _COMMAND in trace:
        return "; the driver talks to the device and flushes nothing"
    gpu = target.gpu.partition(",")[0]
    said = "; the driver has not talked to the device"
    if not gpu.endswith("-device") and target.arch in _MMIO_ARCHES:
        return f'{said}: for a driver on virtio-mmio, gpu = "virtio-gpu-device" and {_MODERN}'
    if gpu.endswith("-device") and not any("force-legacy" in word for word in target.args):
        return f"{said}: for one that needs version 1 of virtio-mmio, {_MODERN}"
    if gpu.startswith("virtio-vga"):
        return f"{said}: what is drawn through its VGA side alone is not measured"
    return said
