"""Measure the kernel against its approved baseline, and judge it."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.gate.evaluate import evaluate, record_of
from harness.gate.finish import finish, timed
from harness.gate.kernels import build_arm
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.metrics import Rule
from harness.gate.next_steps import given_words
from harness.gate.references import NoBaseline, Reference, find_reference, keep_baseline
from harness.gate.session import measure
from harness.gate.stages.frame_file import save_frames
from harness.model.arms import ArmRequest, Source, parse_arm
from harness.model.errors import StoreError
from harness.model.record import JudgedBy
from harness.model.result import Qemu, Result, ResultError
from harness.model.spec import LOAD_DISK_MIB, Device, Machine, RunSpec, UsageError, Verdict
from harness.platform.build import source_state
from harness.platform.host import fingerprint, host_facts
from harness.platform.probe import choose_accelerator, qemu_version
from harness.platform.store import RunFolder
from harness.report.printer import Printer
from harness.settings import Arguments, chosen_device, chosen_stages, load_rules, number, run_params, split_settings

F64 = npt.NDArray[np.float64]

SETTINGS = [
    *"ARCH BASELINE BASELINE_REF BUDGET KERNEL ISO QEMU_ARGS ACCEL VIRGL CC CONFIG OPTS".split(),
    *"SEED MODE SLOW STAGES PICTURES".split(),
]
"""What ``perf`` takes besides the kernel's switches."""

BUDGET_S = 60.0
BUDGET_RANGE_S = (5.0, 3600.0)


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
            stages=chosen_stages(settings),
            rules=rules,
        )
        measured = measure(order, run.path, out.progress)
        if measured.timing is not None:
            save_frames(measured.timing, run.path)
            shutil.rmtree(run.path / "timing", ignore_errors=True)
        if reference is not None:
            keep_baseline(reference.baseline, run.path)
        result = _result(run, measured, reference, (*notices, *accel_notices), missing, rules)
        result = replace(result, words=given_words(tuple(arguments.settings.items()), arguments.words))
        return finish(run, result, out, *timed(measured), json_out="json" in arguments.options)


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
        disk_mib=LOAD_DISK_MIB if loaded else 0,
        extra=extra,
    )
    qemu_version(machine.arch)
    spec = RunSpec(candidate.path, machine, capabilities=candidate.capabilities, iso=candidate.iso)
    accelerator, notice = choose_accelerator(settings.get("ACCEL", "tcg"), spec)
    machine, shown = chosen_device(replace(machine, accelerator=accelerator), settings)
    return machine, tuple(text for text in (notice, shown) if text)


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
    judgement, arms = evaluate(measured, rules=rules, no_reference=missing, same_host=same_host, baseline=baseline)
    qemu = (
        Qemu(version, machine.accelerator, machine.vcpus, "multi", shlex.join(window.observed.command))
        if window
        else None
    )
    source = source_state()
    if source.get("problem"):
        notices = (*notices, f"the commit is not known: {source['problem']}")
    if source.get("baselines_changed"):
        notices = (*notices, "this tree changes baselines/: what it is judged by is not what was committed")
    skipped = tuple(f"{stage}: not measured: {why}" for stage, why in measured.skipped.items())
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
        notices=(*judgement.notices, *notices, *skipped, *(measured.lease.notices if measured.lease else ())),
        problems=judgement.problems,
        runs={"candidate": record_of(measured, JudgedBy(baseline.label if baseline else "", same_host, missing))},
    )
