"""The case study's checklist, measured: first what does not depend on the device, then each device in turn.

Missing evidence is noted as absent, with the reason, and the rest is measured anyway: the checklist is read as a whole.
Nothing is judged here.
"""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from harness.acceptance.checklist import changed, counted, disk_load_of, findings_of, input_of, mean_fps, roulette_of
from harness.acceptance.evidence import (
    Absent,
    ApprovedEvidence,
    BuildEvidence,
    DeviceEvidence,
    DiskLoad,
    EventCounts,
    Evidence,
    FrameRateChange,
    InputEvidence,
    PictureEvidence,
    RingCode,
    Roulette,
)
from harness.core import budget
from harness.core.machine_code.ringpoints import problems
from harness.core.pictures.stamp import decode_frame
from harness.gate.approved.references import BASELINES_DIR, NoBaseline, read_baseline
from harness.gate.measured import ArmKernel, Order
from harness.gate.measuring.latency import latency_of, measure_latency, pace_of
from harness.gate.measuring.pictures import verify_pictures
from harness.gate.measuring.suites import SuiteBoot, run_suites, suite_boots
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window, observe
from harness.gate.session import measure
from harness.model.errors import BuildError, GuestError, HarnessError, StoreError
from harness.model.result import ResultError
from harness.model.spec import (
    BUILT_IN,
    KERNEL_DIR,
    LOAD_DISK_MIB,
    Device,
    Machine,
    RunParams,
    RunSpec,
    Switches,
    Verdict,
)
from harness.model.suites import SuiteRun
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import BuiltKernel, build_kernel, compiler_command, compiler_identity, run_make
from harness.platform.kernels.ringcode import read_ring
from harness.platform.machine.qemu import FRAME_EVENTS
from harness.platform.pictures.virgl import with_virgl

COMPILERS = ("gcc", "clang")
SPINNING = "seqcst_spin"
BLK_MIB_S = 8
DISK_S = 4.0
APPROVED_S = 2.0
APPROVED_PICTURES = 40
PICTURE_EVENTS = tuple(event for event in FRAME_EVENTS if event.startswith("virtio_gpu_cmd"))
BOOT_S = 1.5
"""Time added to the roulette's run, before its first frame counts."""
COUNTED_S = 2.0
"""Short enough for the guest's memory to keep a record of every frame."""
SMALLEST = 0.01
PATHS = {Device.GPU_2D: "2d", Device.GPU_GL: "virgl transfer"}
NAMES = {Device.GPU_2D: "2d", Device.GPU_GL: "virgl"}

T = TypeVar("T")


class NoTimeError(HarnessError):
    """The budget left no time for a part."""

    verdict = Verdict.INCONCLUSIVE


@dataclass(frozen=True)
class AcceptancePlan:
    """What to measure, and how long."""

    switches: Switches
    compiler: str = "gcc"
    params: RunParams = field(default_factory=RunParams)
    virgl: bool = True
    """False leaves the GL device out, which is then reported as not run."""
    roulette_s: float = 30.0
    pictures: int = 300
    """On each device."""
    budget_s: float | None = None
    """For everything; None is as long as it takes, with ``budget.CHANGE_ON_DEVICE_S`` for the change in frame rate."""
    random_state: int = 1


@dataclass(frozen=True)
class Acceptance:
    """What was measured, and what a reader should know besides."""

    evidence: Evidence
    kernel: BuiltKernel
    notices: tuple[str, ...]
    qemu_version: str = ""
    command: str = ""
    """From the machine of the last roulette."""


def accept(plan: AcceptancePlan, folder: Path, progress: Callable[[str], None]) -> Acceptance:
    """Measure everything.

    Parameters
    ----------
    folder
        The run's; every part leaves its evidence there.

    Raises
    ------
    BuildError
        When the kernel does not build at all.
    """
    return Checklist(plan, folder, progress).measure()


class Checklist:
    """Collects the evidence of one run, piece by piece."""

    def __init__(self, plan: AcceptancePlan, folder: Path, progress: Callable[[str], None]) -> None:
        self.plan = plan
        self.folder = folder
        self.progress = progress
        self.notices: list[str] = []
        self.version = self.command = ""
        self.begun = time.monotonic()
        self.devices_left = 1

    def measure(self) -> Acceptance:
        plan, arch = self.plan, self.plan.switches.arch
        built = self.attempt("build", self.build)
        self.kernel = build_kernel(plan.switches, compiler=plan.compiler)
        self.spinning = build_kernel(plan.switches.but(BARRIER=SPINNING), compiler=plan.compiler)
        self.suites = build_kernel(plan.switches, compiler=plan.compiler, test=True)
        everything, icount = suite_boots(arch)
        race = self.attempt("suites-icount", lambda: self.run_suites(icount, "suites-icount"))
        ring = self.attempt("ring", self.read_ring)
        plain = Machine(arch, vcpus=2, maxcpus=2, disk_mib=LOAD_DISK_MIB if plan.params.blk else 0)
        self.devices_left = 2 if arch == "x86_64" else 1
        devices = [*([self.with_gl(plain, everything)] if arch == "x86_64" else []), self.on_device(plain, everything)]
        whole = plan.switches.get("DRAW") == "full"
        evidence = Evidence(built, race, ring, tuple(devices), draws_whole=whole)
        return Acceptance(evidence, self.kernel, tuple(self.notices), self.version, self.command)

    def attempt(self, name: str, step: Callable[[], T]) -> T | Absent:
        """One piece of evidence, or why there is none."""
        self.progress(f"{name}: started")
        try:
            return step()
        except NoBaseline as error:
            return Absent(str(error))
        except ResultError as error:
            return Absent(str(error), StoreError.verdict)
        except HarnessError as error:
            return Absent(error.message, error.verdict, name)

    def build(self) -> BuildEvidence:
        """Built from nothing, so that no warning is missed."""
        switches, complaints = self.plan.switches, []
        for compiler in COMPILERS:
            compiler_identity(compiler_command(switches, compiler))
        log = self.folder / "build.log"
        with scratch_folder("warnings") as scratch, open(log, "w", encoding="utf-8") as said:
            for compiler in COMPILERS:
                for test in ((), ("TEST=1",)):
                    words = [f"ARCH={switches.arch}", *(f"{key}={value}" for key, value in switches.chosen)]
                    words += [f"CC={compiler}", f"OUT={scratch}/{compiler}", *test, "all"]
                    text = self.make(words, f"{switches.label} with {compiler}", scratch / "tmp")
                    said.write(text)
                    complaints += [line for line in text.splitlines() if "warning:" in line or "error:" in line]
        return BuildEvidence(COMPILERS, tuple(complaints[:3]), log.name)

    def make(self, words: list[str], what: str, scratch: Path) -> str:
        try:
            return run_make(KERNEL_DIR, words, what, scratch)
        except BuildError as error:
            if error.verdict is not Verdict.USAGE:
                raise
            return f"{what}: error: {error.message}\n"

    def run_suites(self, boot: SuiteBoot, name: str) -> SuiteRun:
        run = run_suites(boot, self.suites.path, self.folder / name)
        return replace(run, source=f"{name}/serial.log")

    def read_ring(self) -> RingCode:
        """The ring's code in the image that is measured."""
        switches = self.plan.switches
        spans, _ = read_ring(self.kernel.path, switches.arch)
        strategy = switches.get("BARRIER")
        differences = problems(strategy, switches.arch, spans)
        places = tuple((span.point.value, span.operations) for span in spans)
        lines = [f"{span.start:#x} {span.point.value}: {'; '.join(span.operations) or '-'}\n" for span in spans]
        (self.folder / "ring.txt").write_text("".join(lines), encoding="utf-8")
        return RingCode(switches.arch, strategy, self.kernel.sha256, places, differences, "ring.txt")

    def with_gl(self, plain: Machine, everything: SuiteBoot) -> DeviceEvidence:
        """The GL device on a display that works here; where none does, its lines are not run."""
        if not self.plan.virgl:
            self.devices_left -= 1
            return absent_device(Device.GPU_GL, Absent("VIRGL=0: not asked for"))
        self.progress("looking for a display with OpenGL")
        try:
            machine, words = with_virgl(plain)
        except HarnessError as error:
            self.devices_left -= 1
            return absent_device(Device.GPU_GL, Absent(error.message, error.verdict))
        self.notices.append(words)
        return self.on_device(machine, everything)

    def on_device(self, machine: Machine, everything: SuiteBoot) -> DeviceEvidence:
        name = NAMES[machine.device]

        def attempt(step: str, measure_it: Callable[[str], T]) -> T | Absent:
            return self.attempt(f"{name}-{step}", lambda: measure_it(f"{name}-{step}"))

        boot = replace(everything, machine=replace(everything.machine, device=machine.device, display=machine.display))
        evidence = DeviceEvidence(
            name,
            PATHS[machine.device],
            suites=attempt("suites", lambda where: self.run_suites(boot, where)),
            roulette=attempt("roulette", lambda where: self.roulette(machine, where)),
            pictures=attempt("pictures", lambda where: self.watch(machine, where)),
            optimised=attempt("counts", lambda where: self.count(self.kernel, machine, where)),
            spinning=attempt(SPINNING, lambda where: self.count(self.spinning, machine, where)),
            change=attempt("change", lambda where: self.change(machine, where)),
            disk=attempt("disk", lambda where: self.load_disk(machine, where)),
            input=attempt("input", lambda where: self.press_keys(machine, where)),
            approved=attempt("approved", lambda where: self.approved(machine, where)),
        )
        self.devices_left -= 1
        return evidence

    def observe(
        self,
        kernel: Path,
        machine: Machine,
        where: str,
        seconds: float,
        params: RunParams,
        events: tuple[str, ...] = FRAME_EVENTS,
    ) -> Window:
        spec = RunSpec(kernel, machine, params)
        window = observe(spec, self.folder / where, decode_frame, seconds, events)
        self.version = window.observed.qemu_version
        return window

    def roulette(self, machine: Machine, where: str) -> Roulette:
        """Without records and queue events, of which there would be too many."""
        params = replace(self.plan.params, records=0)
        seconds = self.plan.roulette_s + BOOT_S
        window = self.observe(self.kernel.path, machine, where, seconds, params, PICTURE_EVENTS)
        self.command = shlex.join(window.observed.command)
        log = read_bounded(self.folder / where / "serial.log", LOG_BYTES_MAX).decode("utf-8", "replace")
        return roulette_of(window, log, f"{where}/serial.log")

    def watch(self, machine: Machine, where: str) -> PictureEvidence:
        spec = RunSpec(self.kernel.path, machine, self.plan.params)
        pictures = verify_pictures(spec, self.folder / where, self.plan.pictures, self.plan.random_state, self.progress)
        source = f"{where}/pictures/captures.json"
        return PictureEvidence(pictures.frames, pictures.verification.bad_share_max, source)

    def count(self, kernel: BuiltKernel, machine: Machine, where: str) -> EventCounts:
        window = self.observe(kernel.path, machine, where, COUNTED_S, self.plan.params)
        return counted(window, f"{where}/serial.log")

    def change(self, machine: Machine, where: str) -> FrameRateChange:
        """The kernels that were counted, side by side."""
        share_s = self.change_s()
        if share_s < budget.STAGE_S["timing"]:
            raise NoTimeError(budget.no_time(self.would_do_s(share_s)))
        optimised, spinning = (
            ArmKernel(built.path.name, built.path, built.sha256, built.switches, BUILT_IN, built.compiler)
            for built in (self.kernel, self.spinning)
        )
        order = Order(
            optimised,
            spinning,
            replace(machine, vcpus=1),
            self.plan.params,
            budget_s=share_s + budget.CLOSING_S,
            smallest=SMALLEST,
            random_state=self.plan.random_state,
            stages=frozenset({"timing"}),
        )
        measured = measure(order, self.folder / where, self.progress)
        timing = measured.of(Timing)
        if timing is None:
            raise GuestError(measured.incidents[0].text)
        decision = timing.decision
        shutil.rmtree(self.folder / where / "timing", ignore_errors=True)
        (self.folder / where / "decision.txt").write_text(f"{decision.words}\n", encoding="utf-8")
        return changed(decision, f"{where}/decision.txt")

    def change_s(self) -> float:
        """How long the change in frame rate may be measured on this device: all devices share what the rest leaves."""
        if self.plan.budget_s is None:
            return budget.CHANGE_ON_DEVICE_S
        left_s = self.plan.budget_s - (time.monotonic() - self.begun) - budget.CLOSING_S
        each_s = budget.DEVICE_S + self.plan.roulette_s + budget.stage_s("pictures", self.plan.pictures)
        # The disk and the approved kernel of this device are still to come: they take a third of what the rest takes.
        later_s = (self.devices_left - 1) * each_s + budget.DEVICE_S / 3
        return (left_s - later_s) / self.devices_left

    def would_do_s(self, share_s: float) -> int:
        """The budget that would be enough on a host as slow as this one, for a change that got only this long."""
        return budget.rounded_s((self.plan.budget_s or 0.0) + self.devices_left * (budget.CHANGE_ON_DEVICE_S - share_s))

    def load_disk(self, machine: Machine, where: str) -> DiskLoad:
        params = replace(self.plan.params, blk=BLK_MIB_S)
        loaded = replace(machine, disk_mib=LOAD_DISK_MIB)
        window = self.observe(self.kernel.path, loaded, where, DISK_S, params)
        return disk_load_of(window, f"{where}/serial.log")

    def press_keys(self, machine: Machine, where: str) -> InputEvidence:
        """As ``make latency`` does."""
        params = self.plan.params
        spec = RunSpec(self.kernel.path, replace(machine, vcpus=1), params)
        window, sent = measure_latency(spec, self.folder / where, self.plan.random_state)
        return input_of(latency_of(window, sent, pace_of(params)), f"{where}/serial.log")

    def approved(self, machine: Machine, where: str) -> ApprovedEvidence:
        """The stored image, whatever compiler is installed: a rollback would boot it."""
        switches = self.plan.switches
        baseline, _ = read_baseline(switches.arch, switches.get("BARRIER"))
        kernel = BASELINES_DIR / baseline.arch / baseline.name / "kernel.elf"
        params = replace(self.plan.params, slow=None)
        window = self.observe(kernel, machine, where, APPROVED_S, params)
        spec = RunSpec(kernel, machine, params)
        random_state = self.plan.random_state
        pictures = verify_pictures(spec, self.folder / where, APPROVED_PICTURES, random_state, self.progress)
        return ApprovedEvidence(
            baseline.label,
            baseline.kernel_sha256,
            mean_fps(window),
            pictures.frames,
            findings_of(window),
            f"{where}/serial.log",
        )


def absent_device(device: Device, why: Absent) -> DeviceEvidence:
    """A device without any measurement, for one reason."""
    return DeviceEvidence(NAMES[device], PATHS[device], *[why] * 9)
