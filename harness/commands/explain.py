"""Say where a frame's time goes and what each switch is worth."""

from __future__ import annotations

import dataclasses
import enum
import shlex
import shutil
import time
from contextlib import AbstractContextManager
from typing import Any

from harness.explain.attribution import FrameAccount
from harness.explain.effects import Worth, label
from harness.explain.explanation import Explanation
from harness.explain.manners.page import write_manners
from harness.explain.manners.rules import manner_lines
from harness.explain.manners.watch import watch_driver
from harness.explain.report import Page, effect_rows, seed_rows, write_explanation
from harness.explain.rows import part_rows
from harness.explain.run import ExplainRequest, explain, explain_regression
from harness.explain.saved_run import SavedRun, open_regression
from harness.gate.finish import say_json
from harness.gate.judging.next_steps import given_words, next_steps
from harness.gate.kernels import build_arm
from harness.gate.machines import base_machine
from harness.model.arms import ArmRequest, Source, parse_arm
from harness.model.errors import QemuError
from harness.model.record import Lease
from harness.model.result import Arm, Metric, NextStep, QemuSetup, Result
from harness.model.spec import Machine, RunParams, Switches, UsageError, Verdict, switch_table
from harness.platform.files.store import RunFolder, saved_run
from harness.platform.host.identity import host_facts
from harness.platform.host.leases import WAIT_S, lease_cores
from harness.platform.host.probe import qemu_version
from harness.platform.kernels.build import BuiltKernel, build_kernel, source_state
from harness.platform.pictures.virgl import chosen_device, with_virgl
from harness.proof.ordering import ordering_of
from harness.report.printer import Printer
from harness.report.render import terminal_lines
from harness.report.run_view import short_view
from harness.report.told import next_lines
from harness.settings import Arguments

ORDER = 30
EXAMPLES = ("QUICK=1", "case-1-logged", "RESULT=results/latest", "TARGET=mykernel")
NEXT = "make ab compares with the switch that it names; make approve accepts the change"
TAKES = ("switches", "--json")
MEASURES = True

QUICK_S = 52.0


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``explain [NAME] [SWITCH=value …] [QUICK=1] [BUDGET=s] [OPTS=…]``; also with ``RESULT=…`` or ``TARGET=…``."""
    if arguments.has("TARGET") or arguments.has("KERNEL"):
        return _explain_driver(arguments, out)
    short = arguments.flag("QUICK") or arguments.has("RESULT")
    budget_s = QUICK_S if short and not arguments.has("BUDGET") else arguments.number("BUDGET")
    request = parse_arm("explain", arguments.text("NAME"), arguments.switches)
    failed = arguments.path("RESULT")
    saved = open_regression(saved_run(failed)) if failed else None
    with RunFolder("explain") as run, _cores(arguments, out) as lease:
        begun = _begun(arguments, lease)
        out.progress(f"building {request.label}")
        kernel = build_kernel(saved.candidate_switches if saved else request.switches, compiler=arguments.text("CC"))
        subject = saved.folder.name if saved else _subject(request.text, arguments)
        params = saved.params if saved else arguments.run_params()
        left_s = budget_s - (time.monotonic() - begun)
        question = _question(subject, kernel, arguments, params, left_s)
        if saved is not None:
            found = explain_regression(saved, question, run.path, out.progress)
        else:
            found = explain(question, run.path, out.progress)
        for scratch in run.path.iterdir():
            shutil.rmtree(scratch, ignore_errors=True)
        result = _result(run.started, kernel, question, found, time.monotonic() - begun)
        result = dataclasses.replace(result, words=given_words(tuple(arguments.given.items()), ()))
        result = dataclasses.replace(
            result,
            next_steps=(*_worth_trying(found, kernel.switches, arguments, saved), *next_steps(result, run.final)),
        )
        missing = write_explanation(Page(result, found, arguments.again), run.path)
        result = dataclasses.replace(result, notices=(*result.notices, *(f"report: {text}" for text in missing)))
        folder = run.commit(result)
    if arguments.json:
        say_json(folder, out)
    else:
        _say(out, found, result)
        out.line(f"report: {folder / 'report.html'}")
    return result.verdict


def _explain_driver(arguments: Arguments, out: Printer) -> Verdict:
    """The manners of another kernel's driver, which has no switches to try."""
    quick = arguments.flag("QUICK")
    budget_s = QUICK_S if quick and not arguments.has("BUDGET") else arguments.number("BUDGET")
    with RunFolder("explain") as run, _cores(arguments, out) as lease:
        begun = _begun(arguments, lease)
        kernel = build_arm(_foreign_request(arguments), arguments.text("CC"), out)
        machine = Machine(kernel.target.arch if kernel.target else arguments.text("ARCH"))
        left_s = budget_s - (time.monotonic() - begun)
        found = watch_driver(kernel, machine, run.path, left_s, out.progress, quick=quick)
        version = ".".join(str(part) for part in qemu_version(machine.arch))
        looked = sum(one.looked for one in found.manners)
        result = Result(
            command="explain",
            verdict=Verdict.PASS if looked and found.frame_ms else Verdict.INCONCLUSIVE,
            sentence=found.sentence,
            started=run.started,
            seconds=time.monotonic() - begun,
            host=host_facts(),
            qemu=QemuSetup(version, machine.accelerator, machine.vcpus, "multi", ""),
            source=source_state(),
            compiler="",
            arms={"base": Arm({}, kernel.sha256, _rate(found.frame_ms))},
            notices=found.notices,
            details={
                "manners": [dataclasses.asdict(one) for one in found.manners],
                "wait": dataclasses.asdict(found.wait),
            },
            words=given_words(tuple(arguments.given.items()), ()),
        )
        result = dataclasses.replace(result, next_steps=next_steps(result, run.final))
        write_manners(result, found, arguments.again, run.path)
        folder = run.commit(result)
    if arguments.json:
        say_json(folder, out)
        return result.verdict
    for line in (found.wait.words, *manner_lines(found.manners), *terminal_lines(short_view(result))):
        out.line(line)
    out.line(f"report: {folder / 'report.html'}")
    return result.verdict


def _cores(arguments: Arguments, out: Printer) -> AbstractContextManager[Lease]:
    return lease_cores(progress=out.progress, wait_s=min(WAIT_S, arguments.wait_s))


def _begun(arguments: Arguments, lease: Lease) -> float:
    """When the budget began: waiting for cores is part of one that was given."""
    return time.monotonic() - (lease.waited_s if arguments.has("BUDGET") else 0.0)


def _foreign_request(arguments: Arguments) -> ArmRequest:
    if arguments.has("TARGET"):
        return parse_arm("base", f"target:{arguments.text('TARGET')}", arguments.switches)
    path = arguments.path("KERNEL")
    if path is None or not path.exists():
        raise UsageError(f"{path}: no such file")
    request = parse_arm("base", "", arguments.switches)
    return dataclasses.replace(request, source=Source.FILE, where=str(path), text="KERNEL")


def _rate(frame_ms: float | None) -> dict[str, Metric]:
    return {"fps_trace": Metric(1e3 / frame_ms, "frames/s", "trace")} if frame_ms else {}


def _subject(name: str, arguments: Arguments) -> str:
    """What to call the kernel, and how it is run, in a sentence."""
    words = [name] if name not in ("", "default") else []
    kernel = (
        " ".join([*words, *(f"{key}={value}" for key, value in arguments.switches.items())]) or "the default kernel"
    )
    options = [f"{key.lower()}={arguments.text(key)}" for key in ("MODE", "SLOW") if arguments.has(key)]
    asked = " ".join([arguments.given.get("OPTS", ""), *options]).strip()
    return f"{kernel} with {asked}" if asked else kernel


def _question(
    subject: str, kernel: BuiltKernel, arguments: Arguments, params: RunParams, budget_s: float
) -> ExplainRequest:
    begun = time.monotonic()
    quick = arguments.flag("QUICK")
    plain = base_machine(kernel.switches.arch, bool(params.blk))
    qemu_version(plain.arch)
    machine, _ = chosen_device(plain, arguments.flag("VIRGL"))
    devices, notice = ((), "") if quick or arguments.has("RESULT") else _devices(plain, arguments)
    random_state = arguments.integer("RANDOM_STATE")
    left_s = budget_s - (time.monotonic() - begun)
    compiler = arguments.text("CC")
    return ExplainRequest(subject, kernel, machine, left_s, devices, quick, compiler, random_state, notice, params)


def _devices(plain: Machine, arguments: Arguments) -> tuple[tuple[Machine, ...], str]:
    """Machines to replay the case study on: the GL device too, where it works and VIRGL=0 does not forbid it."""
    if arguments.given.get("VIRGL") == "0":
        return (plain,), "the case study is not replayed on the GL device: VIRGL=0"
    try:
        return (plain, with_virgl(plain)[0]), ""
    except QemuError as error:
        return (plain,), f"the case study is not replayed on the GL device: {error.message}"


def _result(started: str, kernel: BuiltKernel, question: ExplainRequest, found: Explanation, seconds: float) -> Result:
    metrics = _rate(found.frame_ms)
    machine = question.machine
    version = ".".join(str(part) for part in qemu_version(machine.arch))
    missing = tuple(f"{section}: {why}" for section, why in found.missing.items())
    return Result(
        command="explain",
        verdict=Verdict.PASS if found.answered and not found.incomplete else Verdict.INCONCLUSIVE,
        sentence=found.sentence,
        started=started,
        seconds=seconds,
        host=host_facts(),
        qemu=QemuSetup(version, machine.accelerator, machine.vcpus, "multi", ""),
        source=source_state(),
        compiler=kernel.compiler,
        arms={"base": Arm(kernel.switches.everything(), kernel.sha256, metrics)},
        notices=(*found.notices, *missing, ordering_of(kernel.path, kernel.sha256).words),
        details={"explain": details_of(found)},
    )


def details_of(found: Explanation) -> dict[str, Any]:
    """An explanation as JSON values; of a frame's parts the sums, not the frames."""
    plain = dataclasses.asdict(dataclasses.replace(found, account=None), dict_factory=_plain)
    return {**plain, "account": summary_of(found.account) if found.account else None}


def summary_of(account: FrameAccount) -> dict[str, Any]:
    """A frame taken apart as JSON values: means of its parts, and two frames as stages."""
    return {
        "frames": len(account),
        "mean_ms": account.mean_ms,
        "parts_ms": {name: account.part_ms(name) for name in account.parts},
        "explained": account.explained,
        "host_only": account.host_only,
        "alignment_error_ns": account.error_ns,
        "typical": {"frame": account.typical_frame, "spans": [dataclasses.astuple(one) for one in account.typical]},
        "worst": {"frame": account.worst_frame, "spans": [dataclasses.astuple(one) for one in account.worst]},
    }


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value.value if isinstance(value, enum.Enum) else value for key, value in items}


def _everything(arguments: Arguments) -> tuple[NextStep, ...]:
    """The whole explanation after a quick one."""
    if not arguments.flag("QUICK"):
        return ()
    kept = [f"{name}={text}" for name, text in arguments.given.items() if name not in ("QUICK", "BUDGET")]
    return (NextStep("try every switch, and the case study", shlex.join(["make", "explain", *kept])),)


def _worth_trying(
    found: Explanation, base: Switches, arguments: Arguments, saved: SavedRun | None
) -> tuple[NextStep, ...]:
    """The switch that gains most, compared by itself as it was run."""
    regression = found.regression
    ablation = regression.restored if regression is not None else found.ablation
    effects = ablation.effects if ablation is not None else ()
    names = switch_table()
    faster = [one for one in effects if one.worth is Worth.FASTER and all(name in names for name, _ in one.changes)]
    if not faster:
        return _everything(arguments) if regression is None else ()
    best = min(faster, key=lambda effect: effect.change).changes
    arms = (base, base.but(**dict(best)))
    words = [" ".join(f"{name}={value}" for name, value in arm.chosen) or "default" for arm in arms]
    run = saved.result.words if saved else [f"{name}={text}" for name, text in arguments.given.items()]
    given = [word for word in run if word.partition("=")[0] in ("OPTS", "MODE", "SLOW")]
    command = shlex.join(["make", "ab", f"ARCH={base.arch}", f"A={words[0]}", f"B={words[1]}", *given])
    return (NextStep(f"{label(best)} gains most: compare it by itself", command),)


def _say(out: Printer, found: Explanation, result: Result) -> None:
    if found.regression is not None:
        for line in [*found.regression.lines, *found.incomplete, *next_lines(result)]:
            out.line(line)
        return
    if found.account is not None:
        parts = [[row.name, row.milliseconds, row.share, row.means] for row in part_rows(found.account)]
        out.table("a frame, taken apart", ["part", "ms", "share", "which is"], parts)
    if found.ablation is not None and found.ablation.effects:
        rows = [[row.what, row.change, row.interval, row.says] for row in effect_rows(found.ablation)]
        out.table("each switch changed alone", ["change", "frame time", "interval", ""], rows)
    for replay in found.replays:
        rows = [[row.name, row.fences, row.spins, row.timeouts, row.fps, row.against] for row in seed_rows(replay)]
        header = ["step", "fences", "spins", "timeouts", "FPS", "against the step before"]
        out.table(f"the case study on the {replay.device} device, a frame", header, rows)
        for sentence in replay.closing:
            out.line(sentence)
    for line in terminal_lines(short_view(result)):
        out.line(line)
