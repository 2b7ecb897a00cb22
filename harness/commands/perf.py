"""Measure against the approved kernel, and judge: the gate."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.comparison.limits import AIM
from harness.gate.approved.references import (
    NoBaseline,
    Reference,
    approval_notices,
    check_revision,
    find_reference,
    keep_baseline,
)
from harness.gate.approved.target_kernels import keep_images, say_short_form, session_machine
from harness.gate.approved.target_references import STORE_DIR, find_target_reference, keep_target_baseline
from harness.gate.approved.target_rules import pictures_least, rules_of_target
from harness.gate.evaluate import evaluate, record_of
from harness.gate.finish import finish, timed
from harness.gate.judging.metrics import RULES, Rule
from harness.gate.judging.next_steps import given_words
from harness.gate.judging.rule_file import load_by_counts, load_commit_url, load_ordering, load_rules
from harness.gate.judging.still import may_wait, still_screen, stood_still
from harness.gate.kernels import build_arm, refuse_words
from harness.gate.machines import accelerated, base_machine
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.measuring.frame_file import save_frames
from harness.gate.measuring.pictures import Pictures
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window, late_frames, window_notices
from harness.gate.session import measure
from harness.model.arms import ArmRequest, Source, parse_arm
from harness.model.declared import MODES_STAGE
from harness.model.errors import StoreError
from harness.model.record import JudgedBy
from harness.model.result import Fingerprint, QemuSetup, Result, ResultError
from harness.model.spec import Device, Machine, Switches, UsageError, Verdict
from harness.model.target import Target
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import source_state
from harness.platform.kernels.targets import is_disc, repository_state
from harness.platform.pictures.virgl import chosen_device
from harness.proof.ordering import Ordering, ordering_of
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 10
EXAMPLES = (
    "",
    "BARRIER=linux BUDGET=120",
    "MODE=800x600,1366x768,801x601",
    "FAULT=flip_pixel",
    "KERNEL=old.elf STAGES=window,pictures",
)
NEXT = "make explain RESULT=results/latest says where the time went; make approve accepts a change"
TAKES = ("switches", "--json", "--strict")
MEASURES = True


def main(arguments: Arguments, out: Printer) -> Verdict:
    """Run the gate."""
    begun = time.monotonic()
    request = _candidate_request(arguments)
    if arguments.has("BASELINE_REF"):
        check_revision(arguments.text("BASELINE_REF"))
    config = arguments.path("CONFIG")
    asked, by_counts, commit_url = load_ordering(config), load_by_counts(config), load_commit_url(config)
    with RunFolder("perf") as run:
        candidate = build_arm(request, arguments.text("CC"), out)
        refuse_words(arguments.given, [candidate])
        rules = load_rules(config, rules_of_target(candidate.target))
        if request.source is Source.FILE and not arguments.json:
            say_short_form(candidate, arguments.several("QEMU_ARGS"), out)
        keep_images(candidate, run.path)
        reference, notices, missing = _reference(request, candidate, arguments, run.path)
        machine, accel_notices = _machine(candidate, request, arguments)
        ordering = _ordering(candidate, asked)
        spent_s = time.monotonic() - begun
        order = Order(
            candidate,
            reference.kernel if reference else None,
            machine,
            arguments.run_params(),
            budget_s=arguments.number("BUDGET") - spent_s,
            spent_s=spent_s,
            smallest=_smallest(rules),
            aim=AIM if _smallest(rules) == _smallest(RULES) else None,
            random_state=arguments.integer("RANDOM_STATE"),
            stood_still=stood_still(candidate.target, reference.baseline if reference else None),
            pictures=arguments.integer("PICTURES"),
            pictures_least=pictures_least(candidate.target, arguments.integer("PICTURES"), arguments.has("PICTURES")),
            quiet=arguments.text("QUIET") == "wait",
            bounded=arguments.has("BUDGET"),
            modes=arguments.modes(),
            stages=_stages(arguments),
            rules=rules,
            by_counts=by_counts,
        )
        measured = measure(order, run.path, out.progress)
        measured, notices = _with_ordering(measured, ordering, notices)
        if (timing := measured.of(Timing)) is not None:
            save_frames(timing, run.path)
            shutil.rmtree(run.path / "timing", ignore_errors=True)
        if reference is not None and candidate.target is not None:
            keep_target_baseline(candidate.target, run.path)
        elif reference is not None:
            keep_baseline(reference.baseline, run.path)
        result = _result(
            run, measured, reference, (*notices, *accel_notices), missing, rules, arguments.text("BASELINE_REF")
        )
        result = replace(result, words=given_words(tuple(arguments.given.items()), ()))
        return finish(
            run, result, out, *timed(measured), json_out=arguments.json, commit_url=commit_url, strict=arguments.strict
        )


def _stages(arguments: Arguments) -> frozenset[str]:
    """The stages that were asked for; with several sizes the one that runs through them as well."""
    asked = arguments.several("STAGES")
    return frozenset((*asked, MODES_STAGE) if len(arguments.modes()) > 1 else asked)


def _smallest(rules: tuple[Rule, ...]) -> float:
    """The smallest change of frame time that matters."""
    return next((rule.smallest for rule in rules if rule.primary), 0.015)


def _ordering(candidate: ArmKernel, asked: str) -> tuple[Ordering, bool] | None:
    """The proof's answer for the candidate, and whether the run fails because of it; None where it is not asked for."""
    asked = asked or asked_ordering(candidate)
    return None if asked == "off" else (ordering_of(candidate.path, candidate.sha256), asked == "must")


def asked_ordering(candidate: ArmKernel) -> str:
    """How a kernel's ordering is judged where no file says it: ``must``, ``report`` or ``off``.

    The default kernel must be right. Other strategies of this tree are there to be compared, some because they are
    wrong: what is known of them is said. A target says it itself.
    """
    if candidate.target is not None:
        return candidate.target.gates.ordering
    if candidate.switches is None:
        return "off"
    return "must" if candidate.switches.get("BARRIER") == Switches().get("BARRIER") else "report"


def _with_ordering(
    measured: Measured, ordering: tuple[Ordering, bool] | None, notices: tuple[str, ...]
) -> tuple[Measured, tuple[str, ...]]:
    """The ordering as incidents where the run fails by it, and else as a notice."""
    if ordering is None:
        return measured, notices
    found = ordering[0].incidents() if ordering[1] else ()
    measured = replace(measured, incidents=(*measured.incidents, *found))
    return measured, notices if found else (*notices, ordering[0].words)


def _candidate_request(arguments: Arguments) -> ArmRequest:
    # Only a kernel with this switch follows its display.
    follows = {"MODES": "on"} if len(arguments.modes()) > 1 else {}
    request = parse_arm("candidate", "", {**arguments.switches, **follows})
    if arguments.has("TARGET"):
        return parse_arm("candidate", f"target:{arguments.text('TARGET')}", arguments.switches)
    path = arguments.path("KERNEL") or arguments.path("ISO")
    if path is None:
        return request
    if not path.exists():
        raise UsageError(f"{path}: no such file")
    if arguments.has("ISO") and not is_disc(path):
        raise UsageError(f"ISO={path}: not the image of a disc (ISO 9660)")
    return replace(request, source=Source.FILE, where=str(path), text="ISO" if arguments.has("ISO") else "KERNEL")


def _reference(
    request: ArmRequest, candidate: ArmKernel, arguments: Arguments, scratch: Path
) -> tuple[Reference | None, tuple[str, ...], str]:
    """The reference, notices, and why there is none."""
    if candidate.target is not None:
        return _target_reference(candidate.target, arguments)
    if candidate.switches is None:
        return None, (), "this image has no baseline to be compared with"
    name = arguments.text("BASELINE") or candidate.switches.get("BARRIER")
    try:
        found = find_reference(
            candidate.switches,
            name,
            arguments.text("CC"),
            scratch,
            arguments.text("BASELINE_REF"),
            alike=arguments.flag("ALIKE"),
        )
    except NoBaseline as error:
        return None, (), str(error)
    except ResultError as error:
        raise StoreError(str(error)) from error
    return found, found.notices, ""


def _target_reference(target: Target, arguments: Arguments) -> tuple[Reference | None, tuple[str, ...], str]:
    try:
        return find_target_reference(target, arguments.path("BASELINE_STORE") or STORE_DIR), (), ""
    except NoBaseline as error:
        return None, (), str(error)
    except ResultError as error:
        raise StoreError(str(error)) from error


def _machine(candidate: ArmKernel, request: ArmRequest, arguments: Arguments) -> tuple[Machine, tuple[str, ...]]:
    machine = base_machine(request.switches.arch, bool(arguments.run_params().blk), arguments.several("QEMU_ARGS"))
    machine, notice = accelerated(machine, candidate, arguments.text("ACCEL"))
    virgl = arguments.flag("VIRGL") or session_machine(candidate, machine).device is Device.GPU_GL
    machine, shown = chosen_device(machine, virgl)
    return machine, tuple(text for text in (notice, shown) if text)


def _skipped_words(skipped: Mapping[str, str]) -> tuple[str, ...]:
    """What was not measured, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for stage, why in skipped.items():
        by_reason.setdefault(why, []).append(stage)
    return tuple(f"{', '.join(stages)}: not measured: {why}" for why, stages in by_reason.items())


def _remarks(measured: Measured) -> tuple[str, ...]:
    """Shortcomings of the comparison, and advice for the guest's author."""
    cores = measured.lease.notices if measured.lease else ()
    candidate = measured.order.candidate
    window, timing = measured.of(Window), measured.of(Timing)
    said = window_notices(window, candidate.capabilities, candidate.scene)
    late = late_frames(window, measured.order.params.pace)
    if window is not None and measured.order.reference is None:
        said += may_wait(still_screen(window, candidate.target), window.last_words, candidate.target)
    return (*said, *late, *cores, *(timing.advice if timing else ()))


def _result(
    run: RunFolder,
    measured: Measured,
    reference: Reference | None,
    notices: tuple[str, ...],
    missing: str,
    rules: tuple[Rule, ...],
    target: str,
) -> Result:
    baseline = reference.baseline if reference else None
    window, pictures = measured.of(Window), measured.of(Pictures)
    machine = session_machine(measured.order.candidate, measured.order.machine)
    host, qemu = host_facts(), None
    if window is not None:
        command = shlex.join(window.observed.command)
        qemu = QemuSetup(window.observed.qemu_version, machine.accelerator, machine.vcpus, "multi", command)
    alike = machine.device is Device.GPU_2D  # as what baselines are approved on
    same_host = bool(alike and baseline and qemu and baseline.same_host(Fingerprint.of(host, qemu)))
    other_compiler = reference.other_compiler if reference else ""
    judgement, arms = evaluate(
        measured,
        rules=rules,
        no_reference=missing,
        same_host=same_host,
        other_compiler=other_compiler,
        baseline=baseline,
        by_counts=measured.order.by_counts,
    )
    label, order = baseline.label if baseline else "", measured.order
    judged_by = JudgedBy(label, same_host, missing, other_compiler, order.by_counts)
    source = source_state()
    if order.candidate.target is not None:
        source = {**source, **repository_state(order.candidate.target)}
    if source.get("problem"):
        notices = (*notices, f"the commit is not known: {source['problem']}")
    notices = (*notices, *approval_notices(source, target))
    skipped = _skipped_words(measured.skipped)
    return Result(
        command="perf",
        verdict=judgement.verdict,
        sentence=judgement.sentence,
        started=run.started,
        seconds=measured.seconds,
        host=host,
        qemu=qemu,
        source=source,
        compiler=measured.order.candidate.compiler,
        arms=arms,
        gates=judgement.gates,
        frames=pictures.frames if pictures else None,
        notices=(*judgement.notices, *notices, *skipped, *_remarks(measured)),
        problems=judgement.problems,
        runs={"candidate": record_of(measured, judged_by)},
    )
