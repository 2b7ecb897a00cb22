"""A target: any kernel that drives virtio-gpu, as a file of a few lines declares it.

Pure: this module knows what a target is. :mod:`harness.model.target_file` reads and writes the TOML,
:mod:`harness.platform.kernels.targets` finds files and images. Paths are text, relative to the folder of the target's
file until the images have been found.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.model.qemu_arches import cpus_at_most
from harness.model.spec import BUILT_IN, Capabilities, Device, Display, Limits, Machine

PROTOCOL = "protocol"
"""As a pattern of ``serial``: the line that kernel/run/serial-protocol.md defines."""


class FrameBy(enum.Enum):
    """The event that begins a frame."""

    FLUSH = "flush"
    """A flush of the scanout's resource that shows something new; rectangles close together are one frame."""
    PICTURE = "picture"
    """A flush of the whole picture, or of rectangles that cover it together."""
    FLIP = "flip"
    """A scanout that is set to another resource."""
    STAMP = "stamp"
    """The frame number at the top of the picture (include/frame_stamp.h)."""


OK, NO = "ok", "no"
BUILT_IN_ORACLE = "builtin"
"""Value of ``pictures.oracle``: the scene of this tree."""
BIOS_WORDS = ("none", "default")
"""Values of ``image.bios`` that are not files."""
KILLED, POWEROFF = "killed", "poweroff"


@dataclass(frozen=True)
class TargetImage:
    """Files that QEMU loads; at least one of ``kernel``, ``iso``, ``bios``, ``pflash``, ``loader`` and ``disk``."""

    kernel: str = ""
    initrd: str = ""
    dtb: str = ""
    append: str = ""
    """The kernel's command line."""
    iso: str = ""
    bios: str = ""
    """A file, or ``none`` or ``default``."""
    pflash: tuple[str, ...] = ()
    """Flash chips in order; the last of several is written to, in a copy."""
    loader: tuple[str, ...] = ()
    """Files for QEMU's generic loader, with its options behind a comma: ``app.bin,addr=0x80200000``."""
    disk: tuple[str, ...] = ()
    """Disks, whose changes are dropped; behind a comma another device than virtio-blk:
    ``fs.img,device=virtio-blk-device,bus=virtio-mmio-bus.0``."""

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Every file with its place, options aside: ``("kernel", "k.elf")``, ``("disk.1", "b.img")``."""
        single = [(role, getattr(self, role)) for role in ("kernel", "initrd", "dtb", "iso", "bios")]
        single = [(role, name) for role, name in single if name not in BIOS_WORDS]
        several = [
            (f"{role}.{index}", one.partition(",")[0])
            for role in ("pflash", "loader", "disk")
            for index, one in enumerate(getattr(self, role))
        ]
        return tuple((role, name) for role, name in (*single, *several) if name)


@dataclass(frozen=True)
class TargetLimits:
    """How long anything may take, in seconds."""

    first_frame_s: float = 60.0
    """From the launch to the first flush."""
    input_s: float = 60.0
    """For each prompt of ``input``, and for ``ready``."""
    frame_s: float = 10.0
    """Without a frame, where ``pictures.static`` is "no"."""
    window_s: float = 5.0
    """The least length of the measured window; it lasts until ten frames were shown, or four times as long."""
    end_s: float = 30.0
    """After the window, for ``end`` and ``serial.done``."""
    build_s: float = 600.0


@dataclass(frozen=True)
class TargetSerial:
    """Meanings of lines on the serial port: regular expressions, searched in each line. Other lines mean nothing."""

    panic: str = ""
    done: str = ""
    perf: str = ""
    """Named groups are counters: fences, spins, completions, notifies, timeouts."""
    boot: str = ""


@dataclass(frozen=True)
class TargetFrame:
    """What a frame is."""

    by: FrameBy = FrameBy.FLUSH
    gap_ms: float = 0.0
    """Flushes that come closer together are one frame; 0 finds the gap from the flushes themselves."""
    pace: int = 0
    """Frames a second that the kernel keeps to; 0 for as many as it can."""


@dataclass(frozen=True)
class TargetPictures:
    """Which pictures are right."""

    static: str = OK
    """``ok``: the screen may stand still. ``no``: longer than ``limits.frame_s`` is a fault."""
    blank: str = OK
    """``ok``: one colour everywhere may be right. ``no``: it is a fault."""
    golden: str = ""
    """A folder of approved pictures."""
    mask: str = ""
    """A picture that is black where pixels are not judged."""
    oracle: str = ""
    """A command that writes the picture of frame FRAME, as PNG or PPM, to its standard output or the file PICTURE."""


@dataclass(frozen=True)
class TargetGates:
    """Rules besides pictures, panics and change."""

    fps_floor: float = 0.0
    """Fewer frames a second fail; 0 judges none."""
    smallest: float = 0.015
    """Smallest relative change of the frame time that matters."""
    p99_ms: float = 0.0
    """A 99th percentile of the frame time above it fails; 0 judges none."""
    ordering: str = "off"
    """``must``: a ring whose accesses can be seen in a wrong order fails, by ``make proof``; ``report``: it is said."""


@dataclass(frozen=True)
class Target:
    """One kernel and how it is run and judged."""

    name: str
    arch: str = "x86_64"
    machine: str = ""
    """QEMU's ``-machine``; empty for ours of the architecture."""
    cpu: str = ""
    memory_mib: int = 256
    vcpus: int = 1
    args: tuple[str, ...] = ()
    """More arguments of QEMU."""
    image: TargetImage = TargetImage()
    build: str = ""
    """A shell command, run in the folder of the target's file."""
    gpu: str = ""
    """QEMU's ``-device``; empty for virtio-gpu-pci."""
    head: int = 0
    """The scanout that is measured."""
    ready: str = ""
    """A pattern on the serial line, from which on frames count; empty: the first flush."""
    settle_s: float = 1.0
    """After ``ready`` before the window begins."""
    input: tuple[tuple[str, str], ...] = ()
    """A pattern to wait for on the serial line, and what is typed then."""
    keys: tuple[tuple[str, str], ...] = ()
    """The same with keys on the keyboard, as QEMU calls them: ``ctrl-alt-f2``; the pattern may be empty."""
    limits: TargetLimits = TargetLimits()
    serial: TargetSerial = TargetSerial()
    frame: TargetFrame = TargetFrame()
    end: str = ""
    """``killed``, ``poweroff`` or QEMU's exit status; empty: ended by the harness, or unasked with success."""
    pictures: TargetPictures = TargetPictures()
    gates: TargetGates = TargetGates()
    params: bool = False
    """The kernel takes the command line of kernel/run/params.h."""
    folder: str = field(default="", compare=False)
    """Path of the target's file, absolute."""

    @property
    def device(self) -> Device:
        """2D, or with OpenGL."""
        return Device.GPU_GL if "-gl" in self.gpu.partition(",")[0] else Device.GPU_2D


def placed(image: TargetImage, places: Mapping[str, object]) -> TargetImage:
    """The image with other names for its files."""

    def several(role: str, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{places[f'{role}.{at}']}{''.join(name.partition(',')[1:])}" for at, name in enumerate(names))

    single = {role: str(places[role]) for role in ("kernel", "initrd", "dtb", "iso", "bios") if role in places}
    lists = {role: several(role, getattr(image, role)) for role in ("pflash", "loader", "disk")}
    return replace(image, **single, **lists)


def capabilities_of(target: Target) -> Capabilities:
    """Abilities of a target beyond driving virtio-gpu: only those that it declares."""
    serial = target.serial
    return Capabilities(
        boot_line=serial.boot == PROTOCOL,
        records=serial.perf == PROTOCOL,
        stamp=target.frame.by is FrameBy.STAMP,
        oracle=target.pictures.oracle == BUILT_IN_ORACLE,
        command_line=target.params,
        done_line=serial.done == PROTOCOL,
    )


def is_built_in(target: Target) -> bool:
    """Whether it offers everything that the kernel of this tree does."""
    return capabilities_of(target) == BUILT_IN


def limits_of(target: Target) -> Limits:
    """The limits of a launch."""
    limits = target.limits
    return Limits(first_byte_s=limits.first_frame_s, first_frame_s=limits.first_frame_s, frame_s=limits.frame_s)


def machine_of(target: Target, base: Machine) -> Machine:
    """The machine that a target asks for, with the accelerator and the display of another."""
    return Machine(
        arch=target.arch,
        vcpus=target.vcpus,
        maxcpus=cpus_at_most(target.arch, target.machine, target.vcpus),
        memory_mib=target.memory_mib,
        accelerator=base.accelerator,
        device=target.device,
        display=base.display if target.device is Device.GPU_GL else Display.NONE,
        render_threads=base.render_threads,
        machine=target.machine,
        cpu=target.cpu,
        gpu=target.gpu,
        extra=(*target.args, *base.extra),
    )
