"""Measure the kernel against its approved baseline, and judge it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.analyze.metrics import RULES, Rule, rules_from_toml
from harness.analyze.stats import CANDIDATE, REFERENCE, launch_effect
from harness.arms import ArmRequest, Source, parse_arm
from harness.commands import Arguments, Printer
from harness.conclude import conclude, details_of
from harness.drive.build import build_kernel, sha256_of, source_state
from harness.drive.errors import StoreError
from harness.drive.host import fingerprint, host_facts
from harness.drive.probe import choose_accelerator, qemu_version
from harness.drive.store import RunFolder
from harness.drive.virgl import with_virgl
from harness.references import NoBaseline, Reference, find_reference, keep_baseline
from harness.replay import save_frames
from harness.report.files import write_reports
from harness.report.machine import github_lines
from harness.result import Qemu, Result, ResultError
from harness.session import ArmKernel, Measured, Order, measure
from harness.spec import BUILT_IN, FOREIGN, ROOT, Device, Machine, RunParams, RunSpec, UsageError, Verdict, switch_table

F64 = npt.NDArray[np.float64]

SETTINGS = [
    *"ARCH BASELINE BASELINE_REF BUDGET KERNEL ISO QEMU_ARGS ACCEL VIRGL CC CONFIG OPTS".split(),
    *"SEED MODE SLOW LANES PICTURES".split(),
]
"""What ``perf`` takes besides the kernel's switches."""

BUDGET_S = 60.0
DISK_MIB = 64
BUDGET_RANGE_S = (5.0, 3600.0)


def split_settings(arguments: Arguments, own: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Separate a command's own settings from the kernel's switches.

    Raises
    ------
    UsageError
        When a key is neither.
    """
    switches: dict[str, str] = {}
    settings: dict[str, str] = {}
    for key, value in arguments.settings.items():
        if key == "ARCH" or key in switch_table():
            switches[key] = value
        elif key in own:
            settings[key] = value
        else:
            raise UsageError(f"{key}: no such setting; there are {' '.join(own)} and the switches of kernel/options.h")
    return settings, switches


def main(arguments: Arguments, out: Printer) -> Verdict:
    """Run the gate."""
    settings, switches = split_settings(arguments, SETTINGS)
    budget_s = number(settings, "BUDGET", BUDGET_S, *BUDGET_RANGE_S)
    rules = load_rules(settings.get("CONFIG"))
    request = _candidate_request(settings, switches)
    with RunFolder("perf") as run:
        candidate = build_arm(request, settings.get("CC", "gcc"), out)
        shutil.copyfile(candidate.path, run.path / "candidate.elf")
        reference, notices, missing = _reference(request, candidate, settings, run.path)
        machine, accel_notices = _machine(candidate, request, settings)
        order = Order(
            candidate,
            reference.kernel if reference else None,
            machine,
            run_params(settings),
            budget_s=budget_s,
            smallest=next((r.smallest for r in rules if r.primary), 0.015),
            seed=int(number(settings, "SEED", 1, 0, 2**31)),
            pictures=int(number(settings, "PICTURES", 250, 1, 100000)),
            lanes=chosen_lanes(settings),
            rules=rules,
        )
        measured = measure(order, run.path, out.progress)
        if measured.timing is not None:
            save_frames(measured.timing, run.path)
            shutil.rmtree(run.path / "timing", ignore_errors=True)
        if reference is not None:
            keep_baseline(reference.baseline, run.path)
        result = _result(run, measured, reference, (*notices, *accel_notices), missing, rules)
        return finish(run, result, out, *timed(measured), json_out="json" in arguments.options)


def number(settings: dict[str, str], key: str, default: float, low: float, high: float) -> float:
    """A numeric setting within bounds, both inclusive."""
    if key not in settings:
        return default
    try:
        value = float(settings[key].removesuffix("s"))
    except ValueError as error:
        raise UsageError(f"{key}={settings[key]}: not a number") from error
    if not low <= value <= high:
        raise UsageError(f"{key}={settings[key]}: must lie between {low:g} and {high:g}")
    return value


def load_rules(path: str | None) -> tuple[Rule, ...]:
    """The table of metrics with the user's changes."""
    if path is None:
        return RULES
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"CONFIG={path}: cannot be read: {error}") from error
    return rules_from_toml(text, path)


def run_params(settings: dict[str, str]) -> RunParams:
    """The kernel's parameters from MODE, SLOW and OPTS (``mode=… seed=…`` as on its command line)."""
    words = dict(word.partition("=")[::2] for word in settings.get("OPTS", "").split())
    words |= {key.lower(): settings[key] for key in ("MODE", "SLOW") if key in settings}
    params = RunParams()
    for key, value in words.items():
        if key == "mode":
            width, x, height = value.partition("x")
            if not (x and width.isdigit() and height.isdigit()):
                raise UsageError(f"mode={value}: must look like 1024x768")
            params = replace(params, mode=(int(width), int(height)))
        elif key in ("pace", "blk", "slow", "seed", "first", "load", "warmup") and value.isdigit():
            params = replace(params, **{key: int(value)})
        else:
            raise UsageError(f"OPTS {key}={value}: unknown key or not a number")
    return params


def chosen_lanes(settings: Mapping[str, str]) -> frozenset[str]:
    """The lanes that LANES names, by default all."""
    known = frozenset({"window", "pictures", "perturbation", "exact", "timing"})
    asked = frozenset(settings["LANES"].split(",")) if "LANES" in settings else known
    if asked - known:
        raise UsageError(f"LANES={settings['LANES']}: there are {','.join(sorted(known))}")
    return asked


def _candidate_request(settings: dict[str, str], switches: dict[str, str]) -> ArmRequest:
    if "KERNEL" in settings and "ISO" in settings:
        raise UsageError("KERNEL and ISO: name one of them")
    path = settings.get("KERNEL") or settings.get("ISO")
    if path is None:
        return parse_arm("candidate", "", switches)
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file")
    request = parse_arm("candidate", "", switches)
    return replace(request, source=Source.FILE, where=path, text="ISO" if "ISO" in settings else "KERNEL")


def build_arm(request: ArmRequest, compiler: str, out: Printer) -> ArmKernel:
    """The kernel that a request means; builds it where it has to."""
    from harness.drive.build import checkout_revision
    from harness.references import read_baseline, BASELINES_DIR

    if request.source is Source.FILE:
        path = Path(request.where).resolve()
        iso = request.text == "ISO" or path.suffix == ".iso"
        capabilities = BUILT_IN if is_own_kernel(path) else FOREIGN
        return ArmKernel(request.name, path, sha256_of(path), None, capabilities, iso=iso)
    if request.source is Source.BASELINE:
        baseline, _ = read_baseline(request.switches.arch, request.where)
        path = BASELINES_DIR / baseline.arch / baseline.name / "kernel.elf"
        from harness.spec import Switches

        kernel_switches = Switches.of({**baseline.switches, "ARCH": baseline.arch})
        return ArmKernel(
            request.name, path, baseline.kernel_sha256, kernel_switches, BUILT_IN, baseline.compiler, baseline.commit
        )
    out.progress(f"building {request.label}")
    tree, commit = ROOT, ""
    if request.source is Source.REVISION:
        tree, commit = checkout_revision(request.where)
    built = build_kernel(request.switches, compiler=compiler, tree=tree, commit=commit)
    return ArmKernel(request.name, built.path, built.sha256, built.switches, BUILT_IN, built.compiler, commit)


def is_own_kernel(path: Path) -> bool:
    """Whether an image is a kernel of this project: it holds its [BOOT] line's first words."""
    return b"[BOOT] kernel=roulette" in path.read_bytes()


def _reference(
    request: ArmRequest, candidate: ArmKernel, settings: dict[str, str], scratch: Path
) -> tuple[Reference | None, tuple[str, ...], str]:
    """The reference, notices, and why there is none."""
    if candidate.switches is None:
        return None, (), "this kernel has no baseline here; compare two with 'make ab A=old.elf B=new.elf'"
    name = settings.get("BASELINE", candidate.switches.get("BARRIER"))
    try:
        found = find_reference(
            candidate.switches, name, settings.get("CC", "gcc"), scratch, settings.get("BASELINE_REF", "")
        )
    except NoBaseline as error:
        return None, (), str(error)
    except ResultError as error:
        raise StoreError(str(error)) from error
    return found, found.notices, ""


def _machine(candidate: ArmKernel, request: ArmRequest, settings: dict[str, str]) -> tuple[Machine, tuple[str, ...]]:
    extra = tuple(shlex.split(settings.get("QEMU_ARGS", "")))
    loaded = run_params(settings).blk
    # The disk's load runs as a task on a CPU of its own.
    machine = Machine(
        arch=request.switches.arch,
        vcpus=2 if loaded else 1,
        maxcpus=2,
        disk_mib=DISK_MIB if loaded else 0,
        extra=extra,
    )
    qemu_version(machine.arch)
    spec = RunSpec(candidate.path, machine, capabilities=candidate.capabilities, iso=candidate.iso)
    accelerator, notice = choose_accelerator(settings.get("ACCEL", "tcg"), spec)
    machine, shown = chosen_device(replace(machine, accelerator=accelerator), settings)
    return machine, tuple(text for text in (notice, shown) if text)


def chosen_device(machine: Machine, settings: Mapping[str, str]) -> tuple[Machine, str]:
    """The machine with the device that VIRGL says, and in words how it is shown.

    Raises
    ------
    UsageError
        When VIRGL is neither 0 nor 1.
    QemuError
        When the GL device works on no display here.
    """
    value = settings.get("VIRGL", "0")
    if value not in ("", "0", "1"):
        raise UsageError(f"VIRGL={value}: 1 for the GL device, or 0")
    return with_virgl(machine) if value == "1" else (machine, "")


def _result(
    run: RunFolder,
    measured: Measured,
    reference: Reference | None,
    notices: tuple[str, ...],
    missing: str,
    rules: tuple[Rule, ...],
) -> Result:
    baseline = reference.baseline if reference else None
    window = measured.window
    version = window.observed.qemu_version if window else ""
    machine = measured.order.machine
    alike = machine.device is Device.GPU_2D  # as what baselines are approved on
    same_host = bool(alike and baseline and baseline.same_host(fingerprint(version, machine.accelerator)))
    judgement, arms = conclude(measured, rules=rules, no_reference=missing, same_host=same_host, baseline=baseline)
    qemu = (
        Qemu(version, machine.accelerator, machine.vcpus, "multi", shlex.join(window.observed.command))
        if window
        else None
    )
    source = source_state()
    if source.get("baselines_changed"):
        notices = (*notices, "this tree changes baselines/: what it is judged by is not what was committed")
    skipped = tuple(f"{lane}: not measured: {why}" for lane, why in measured.skipped.items())
    return Result(
        command="perf",
        verdict=judgement.verdict,
        sentence=judgement.sentence,
        started=run.started,
        seconds=measured.seconds,
        host=host_facts(),
        qemu=qemu,
        source=source,
        compiler=measured.order.candidate.compiler,
        arms=arms,
        gates=judgement.gates,
        frames=measured.pictures.frames if measured.pictures else None,
        notices=(*judgement.notices, *notices, *skipped),
        problems=judgement.problems,
        details=details_of(measured)
        | {
            "baseline": baseline.label if baseline else "",
            "same_host": same_host,
            "device": machine.device.value,
            "no_reference": missing,
        },
    )


def timed(measured: Measured) -> tuple[dict[str, F64], list[tuple[float, int]]]:
    """Frame times by arm, and each launch's effect with its batch, for the plots."""
    if measured.timing is not None and measured.timing.launches:
        timing = measured.timing
        effects = [(launch_effect(one.launch), one.launch.batch) for one in timing.launches]
        return {role: timing.frame_ms(role) for role in (CANDIDATE, REFERENCE)}, effects
    if measured.window is not None:
        return {CANDIDATE: measured.window.frame_ms}, []
    return {}, []


def finish(
    run: RunFolder,
    result: Result,
    out: Printer,
    frame_ms: Mapping[str, F64],
    effects: Sequence[tuple[float, int]],
    *,
    json_out: bool = False,
) -> Verdict:
    """Write reports, make the folder visible, say the verdict."""
    out.progress("writing the report")
    missing = write_reports(result, run.path, frame_ms, effects)
    result = replace(result, notices=(*result.notices, *(f"report: {text}" for text in missing)))
    folder = run.commit(result)
    if json_out:
        stored = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        out.line(json.dumps({**stored, "folder": str(folder)}))
        return result.verdict
    for notice in result.notices:
        out.line(f"note: {notice}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in github_lines(result):
            out.line(line)
    out.line(result.sentence)
    out.line(f"report: {folder / 'report.html'}")
    return result.verdict
