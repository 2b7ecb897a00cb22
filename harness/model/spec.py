"""What is asked for: architectures, targets, switches, run parameters, limits, verdicts.

Everything here is frozen and serialisable; nothing here touches the world, except that the table of switches is
read from ``kernel/options.h`` and ``kernel/fault/``, where it exists once.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.model.target import Target

from harness.model.faults import fault_table

ROOT = Path(__file__).resolve().parents[2]
KERNEL_DIR = ROOT / "kernel"
OPTIONS_H = KERNEL_DIR / "options.h"


class UsageError(Exception):
    """The request is invalid: exit code 2."""


class Verdict(enum.Enum):
    """Verdicts with their exit codes."""

    PASS = "pass"
    REGRESSION = "regression"
    USAGE = "usage"
    GUEST_FAILED = "guest-failed"
    INCONCLUSIVE = "inconclusive"
    HARNESS_FAILED = "harness-failed"

    @property
    def exit_code(self) -> int:
        return _EXIT_CODES[self]

    @property
    def severity(self) -> int:
        """Rises with severity; PASS has 0."""
        return len(_WORST_FIRST) - 1 - _WORST_FIRST.index(self)

    @staticmethod
    def worst(verdicts: Iterable["Verdict"]) -> "Verdict":
        """The worst of several; PASS of none."""
        return min(verdicts, key=_WORST_FIRST.index, default=Verdict.PASS)


_EXIT_CODES = {
    Verdict.PASS: 0,
    Verdict.REGRESSION: 1,
    Verdict.USAGE: 2,
    Verdict.GUEST_FAILED: 3,
    Verdict.INCONCLUSIVE: 4,
    Verdict.HARNESS_FAILED: 5,
}
_WORST_FIRST = [
    Verdict.HARNESS_FAILED,
    Verdict.USAGE,
    Verdict.GUEST_FAILED,
    Verdict.REGRESSION,
    Verdict.INCONCLUSIVE,
    Verdict.PASS,
]


NEEDS_GL = {("DRAW", "gpu")}
"""Switches and values for which the host must draw."""


@dataclass(frozen=True)
class Switch:
    """One compile-time switch: its values, the default first."""

    name: str
    values: tuple[str, ...]

    @property
    def default(self) -> str:
        return self.values[0]

    def values_on(self, device: Device) -> tuple[str, ...]:
        """The values with which the kernel runs on a machine with this device."""
        return tuple(one for one in self.values if device is Device.GPU_GL or (self.name, one) not in NEEDS_GL)


_SWITCH_LINE = re.compile(r"^ \* SWITCH ([A-Z_]+): ([a-z0-9_ ]+)$", re.MULTILINE)


@functools.cache
def switch_table() -> Mapping[str, Switch]:
    """Every switch of the built-in kernel except ARCH, by name, in the order of ``kernel/options.h``."""
    # No bound needed: a header of this tree.
    text = OPTIONS_H.read_text(encoding="utf-8")
    found = {name: tuple(values.split()) for name, values in _SWITCH_LINE.findall(text)}
    found["FAULT"] += tuple(fault_table())
    return {name: Switch(name, values) for name, values in found.items()}


@dataclass(frozen=True)
class Arch:
    """One architecture of the built-in kernel, as a data record."""

    name: str
    qemu: str
    qemu_package: str
    machine: str
    cpu: str
    gpu_device: str
    blk_device: str
    gcc: str
    gcc_package: str
    host: str
    """platform.machine() of the hosts that may accelerate it."""


ARCHES: Mapping[str, Arch] = {
    arch.name: arch
    for arch in (
        Arch(
            name="x86_64",
            qemu="qemu-system-x86_64",
            qemu_package="qemu-system-x86",
            machine="q35",
            cpu="max",
            gpu_device="virtio-gpu-pci",
            blk_device="virtio-blk-pci",
            gcc="gcc",
            gcc_package="gcc",
            host="x86_64",
        ),
        Arch(
            name="aarch64",
            qemu="qemu-system-aarch64",
            qemu_package="qemu-system-arm",
            machine="virt,gic-version=3",
            cpu="max",
            gpu_device="virtio-gpu-pci",
            blk_device="virtio-blk-pci",
            gcc="aarch64-linux-gnu-gcc",
            gcc_package="gcc-aarch64-linux-gnu",
            host="aarch64",
        ),
        Arch(
            name="riscv64",
            qemu="qemu-system-riscv64",
            qemu_package="qemu-system-misc",
            machine="virt",
            cpu="rv64",
            gpu_device="virtio-gpu-pci",
            blk_device="virtio-blk-pci",
            gcc="riscv64-linux-gnu-gcc",
            gcc_package="gcc-riscv64-linux-gnu",
            host="riscv64",
        ),
    )
}


@dataclass(frozen=True)
class Switches:
    """A combination: an architecture, and every switch that differs from its default, sorted by name."""

    arch: str = "x86_64"
    chosen: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(settings: Mapping[str, str]) -> "Switches":
        """Build from ``{"ARCH": …, "BARRIER": …}``.

        Raises
        ------
        UsageError
            On an unknown switch or value; the message lists the valid ones.
        """
        arch = settings.get("ARCH", "x86_64")
        if arch not in ARCHES:
            raise UsageError(f"ARCH={arch}: unknown value; valid: {' '.join(ARCHES)}")
        table = switch_table()
        for name, value in settings.items():
            if name == "ARCH":
                continue
            if name not in table:
                raise UsageError(f"{name}: no such switch; there are ARCH {' '.join(table)}")
            if value not in table[name].values:
                raise UsageError(f"{name}={value}: unknown value; valid: {' '.join(table[name].values)}")
        chosen = {name: value for name, value in settings.items() if name != "ARCH" and value != table[name].default}
        return Switches(arch, tuple(sorted(chosen.items())))

    def get(self, name: str) -> str:
        """The value of a switch, its default included."""
        if name == "ARCH":
            return self.arch
        return dict(self.chosen).get(name, switch_table()[name].default)

    def everything(self) -> dict[str, str]:
        """All switches with their values, ARCH first."""
        return {"ARCH": self.arch} | {name: self.get(name) for name in switch_table()}

    def but(self, **changes: str) -> "Switches":
        """The same combination with some switches changed."""
        return Switches.of(self.everything() | changes)

    @property
    def label(self) -> str:
        """Short and unique: ``x86_64`` or ``x86_64 BARRIER=linux LOG=frame``."""
        return " ".join([self.arch, *(f"{name}={value}" for name, value in self.chosen)])

    @property
    def folder(self) -> str:
        """A relative build folder of its own for this combination."""
        return f"{self.arch}/" + (",".join(f"{name}={value}" for name, value in self.chosen) or "default")


ON_PROGRESS_BARRIERS = ("acquire_progress", "full_progress", "linux", "late_publish", "no_kick_fence")
"""Strategies that fence only when the used index moved: at most one fence a completion."""


@dataclass(frozen=True)
class RunParams:
    """The kernel's command line. None leaves the kernel's own default."""

    frames: int | None = None
    seconds: float | None = None
    warmup: int | None = None
    """Frames drawn before the first one that is recorded."""
    mode: tuple[int, int] = (1024, 768)
    pace: int | None = None
    """0 (as fast as possible) or 60."""
    blk: int | None = None
    """Background block load, MiB/s; 0 is none."""
    slow: int | None = None
    """Per cent, for FAULT=slow_draw."""
    seed: int | None = None
    first: int | None = None
    """Number of the first frame."""
    load: int | None = None
    """1 keeps the other CPUs busy with tasks."""
    records: int | None = None
    """The most records printed at the end; 0 prints only the summary."""
    input: int | None = None
    """1 reads a keyboard, which the machine then has, and numbers what is pressed."""
    exact: int | None = None
    """1 masks timer ticks while drawing and prints instruction counts."""
    tlb: str | None = None
    """``cold`` leaves out what warms QEMU's table of translations; only for kernels that say ``tlb=`` themselves."""
    suite: str | None = None
    """Run in-kernel suites (``all`` or names joined by commas) instead of the roulette."""

    def command_line(self) -> str:
        """The words handed to the kernel, fields in the order above."""
        words = [f"mode={self.mode[0]}x{self.mode[1]}"]
        for key in "frames seconds warmup pace blk slow seed first load records input exact tlb".split():
            value = getattr(self, key)
            if value is not None:
                words.append(f"{key}={value:.3f}" if isinstance(value, float) else f"{key}={value}")
        if self.suite is not None:
            words.append(f"suite={self.suite}")
        return " ".join(words)


class Device(enum.Enum):
    """Which virtio-gpu QEMU offers."""

    GPU_2D = "2d"
    GPU_GL = "gl"
    """With virgl; needs a display with OpenGL."""


class Display(enum.Enum):
    """Where QEMU shows the scanout, and so how a picture is taken."""

    NONE = "none"
    """No display: pictures come from screendumps. The GL device cannot use it."""
    EGL_HEADLESS = "egl-headless"
    """Nowhere, with OpenGL on a DRM render node: pictures by screendump."""
    XVFB = "xvfb"
    """In a window on a virtual display of the machine's own: pictures from that display's memory."""
    GTK = "gtk"
    """In a window of the session, as are the next two: no pictures."""
    SDL = "sdl"
    COCOA = "cocoa"


WINDOWS = (Display.GTK, Display.SDL, Display.COCOA)
"""Windows that QEMU may open in the session, the most comfortable first."""


LOAD_DISK_MIB = 64
"""Size of the disk that the guest loads beside its drawing (``blk=``)."""


@dataclass(frozen=True)
class Machine:
    """The machine that QEMU is asked for."""

    arch: str = "x86_64"
    vcpus: int = 2
    maxcpus: int = 2
    """At least 2: QEMU before 8.1 drops guest fences when only one vCPU can exist."""
    memory_mib: int = 256
    accelerator: str = "tcg"
    icount: bool = False
    """The exact stage: ``-icount shift=0,sleep=off``, one vCPU."""
    device: Device = Device.GPU_2D
    display: Display = Display.NONE
    """For the GL device, :func:`harness.platform.pictures.virgl.with_virgl` finds the one that works here."""
    render_threads: int | None = None
    """Threads of OpenGL in software; 0 draws in QEMU's main thread, which is best where all of QEMU shares one core."""
    keyboard: bool = True
    """Whether ``input=1`` adds a keyboard; some machines have none."""
    heads: int = 1  # the GPU's max_outputs
    viewer: int | None = None
    """The head that QEMU's VNC server, which has no address, shows to a viewer; None for no server."""
    disk_mib: int = 0
    """Size of a scratch virtio-blk disk; 0 is none."""
    machine: str = ""
    """QEMU's ``-machine``, and below ``-cpu`` and the GPU's ``-device``; empty for ours of the architecture."""
    cpu: str = ""
    gpu: str = ""
    extra: tuple[str, ...] = ()
    """More QEMU arguments, appended as they are."""

    @property
    def frame_factor(self) -> float:
        """About how many times longer a frame takes than on the 2D device; limits of several frames grow by it."""
        return 2.5 if self.device is Device.GPU_GL else 1.0


@dataclass(frozen=True)
class Limits:
    """How long anything may take. Factors apply under GL and in the exact stage."""

    first_byte_s: float = 5.0
    first_frame_s: float = 10.0
    frame_s: float = 2.0
    shutdown_s: float = 2.0
    qmp_s: float = 5.0
    build_s: float = 120.0
    gl_factor: float = 4.0
    exact_factor: float = 6.0
    serial_bytes: int = 64 << 20
    """More serial bytes than this from one guest are a flood."""
    serial_line_bytes: int = 4096
    trace_bytes: int = 512 << 20
    picture_bytes: int = 64 << 20

    def scaled(self, machine: Machine) -> "Limits":
        """The limits that apply to a machine."""
        factor = self.exact_factor if machine.icount else self.gl_factor if machine.device is Device.GPU_GL else 1.0
        return replace(
            self,
            first_byte_s=self.first_byte_s * factor,
            first_frame_s=self.first_frame_s * factor,
            frame_s=self.frame_s * factor,
            shutdown_s=self.shutdown_s * factor,
            qmp_s=self.qmp_s * factor,
        )


@dataclass(frozen=True)
class Capabilities:
    """Abilities of a kernel beyond driving virtio-gpu. Nothing else may assume any of it."""

    boot_line: bool = False
    records: bool = False
    stamp: bool = False
    oracle: bool = False
    command_line: bool = False
    done_line: bool = False


BUILT_IN = Capabilities(True, True, True, True, True, True)
FOREIGN = Capabilities()


@dataclass(frozen=True)
class RunSpec:
    """One launch, self-contained: a kernel image, how to boot it, and what it can do."""

    kernel: Path
    machine: Machine = field(default_factory=Machine)
    params: RunParams = field(default_factory=RunParams)
    capabilities: Capabilities = BUILT_IN
    limits: Limits = field(default_factory=Limits)
    iso: bool = False  # a bootable disc rather than a kernel
    target: "Target | None" = None
    """How a kernel of another project boots, and what its lines and pictures mean."""

    @property
    def head(self) -> int:
        """The scanout that is measured."""
        return self.target.head if self.target else 0
