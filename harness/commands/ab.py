"""Compare any kernels: switches, revisions, baselines, files."""

from __future__ import annotations

import re
import shlex
import string
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cluster.bundle import Provisions
from harness.cluster.crew import crew_for, result_of_job
from harness.core import budget
from harness.core.arrays import F64
from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Decision, State
from harness.core.wording import amount, signed_percent
from harness.gate.approved.references import approval_notices
from harness.gate.approved.target_kernels import session_machine
from harness.gate.approved.target_rules import pictures_least
from harness.gate.arm_pairs import ArmPair, copy_evidence, pair_words, times_together, together
from harness.gate.evaluate import arms_of, incidents_of, record_of
from harness.gate.finish import finish, timed
from harness.gate.judging.next_steps import given_words
from harness.gate.kernels import build_arm, check_sources, refuse_words
from harness.gate.machines import accelerated, base_machine
from harness.gate.measured import SAME_KERNEL, ArmKernel, Measured, Order
from harness.gate.measuring.pictures import Pictures
from harness.gate.measuring.timing import Timing
from harness.gate.measuring.window import Window, window_notices
from harness.gate.session import measure
from harness.gate.shared_pairs import PairTerms, pair_jobs, shipped_arm
from harness.model.arms import ArmRequest, parse_arm
from harness.model.record import Incident
from harness.model.result import Arm, Frames, Gate, QemuSetup, Result
from harness.model.spec import Device, Machine, UsageError, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import source_state
from harness.platform.pictures.virgl import chosen_device
from harness.proof.ordering import ordering_of
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 20
EXAMPLES = (
    "",
    'A="BARRIER=linux" B="HEAD~3 LOG=frame"',
    "A=baseline B=old.elf BUDGET=300",
    "A=BARRIER=linux B=default C=LOG=frame CLUSTER=local",
)
NEXT = "make explain SWITCH=value says where a frame's time goes in one of them"
TAKES = ("switches", "--json", "--strict")
MEASURES = True
ALONE = frozenset({"window", "pictures"})
"""Stages that the first arm runs by itself."""
CASE_ARMS = {"A": "BARRIER=seqcst_spin", "B": "BARRIER=acquire_progress"}


@dataclass(frozen=True)
class ComparedArm:
    """One arm against the first."""

    name: str
    measured: Measured

    @property
    def decision(self) -> Decision | None:
        timing = self.measured.of(Timing)
        return timing.decision if timing else None


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``ab [A=… B=… C=…] [SWITCH=value …]``; alone: the two strategies of the case study."""
    named = {key: value for key, value in arguments.given.items() if key in string.ascii_uppercase}
    if arguments.has("TARGET"):
        words = arguments.text("TARGET").split(",")
        named = {letter: f"target:{word.strip()}" for letter, word in zip(string.ascii_uppercase, words)}
    requests = _requests(named or CASE_ARMS, arguments.switches)
    begun = time.monotonic()
    check_sources(requests)
    with RunFolder("ab") as run:
        kernels = {request.name: build_arm(request, arguments.text("CC"), out) for request in requests}
        _check_arches(requests, kernels)
        refuse_words(arguments.given, list(kernels.values()))
        if arguments.cluster is not None:
            return _on_cluster(run, requests, kernels, arguments, out)
        machine, shown = _machine(requests[0], kernels, arguments)
        first = requests[0].name
        order = Order(
            kernels[first],
            None,
            machine,
            arguments.run_params(),
            smallest=arguments.number("SMALLEST"),
            random_state=arguments.integer("RANDOM_STATE"),
            pictures=arguments.integer("PICTURES"),
            pictures_least=_pictures_least(kernels.values(), arguments),
            quiet=arguments.text("QUIET") == "wait",
            bounded=arguments.has("BUDGET"),
            stages=frozenset(arguments.several("STAGES")),
        )
        others = [kernels[request.name] for request in requests[1:]]
        alone, compared = _measure(order, others, run.path, begun, arguments.number("BUDGET"), out.progress)
        result = _result(run, requests, alone, compared, shown)
        result = replace(result, notices=(*result.notices, *_ordering(requests, kernels)))
        result = replace(result, words=given_words(tuple(arguments.given.items()), ()))
        _say(out, requests, result)
        frame_ms, effects = _timed(first, compared)
        return finish(run, result, out, frame_ms, effects, json_out=arguments.json, strict=arguments.strict)


def _on_cluster(
    run: RunFolder, requests: list[ArmRequest], kernels: Mapping[str, ArmKernel], arguments: Arguments, out: Printer
) -> Verdict:
    """Compare each arm with the first on the hosts that CLUSTER names: a pair is a job, so on one host to its end."""
    assert arguments.cluster is not None
    shipped = {one.name: shipped_arm(one, kernels[one.name]) for one in requests}
    built = [one for one in kernels.values() if one.switches is not None]
    provisions = Provisions(
        tuple(one.switches for one in built if one.switches and not one.commit),
        tuple(one.commit for one in built if one.commit),
    )
    words = {name: one.words for name, one in shipped.items()}
    wishes = pair_jobs(requests, kernels, words, _terms(run, len(requests), arguments))
    files = {path: source for one in shipped.values() for path, source in one.files.items()}
    pairs: dict[str, ArmPair] = {}
    with crew_for(arguments.cluster, provisions, "ab", out.progress) as crew:
        for end in crew.run(wishes, files=files):
            out.progress(f"ab: {end.job.label} by {end.host}")
            pairs[end.job.label[0]] = ArmPair(end.job.label[0], result_of_job(end), Path(end.folder), end.host)
        crew.page.keep(run.path)
    ordered = [pairs[request.name] for request in requests[1:]]
    copy_evidence(ordered, run.path)
    hosts = [f"{one.name} was compared with A on {one.host}" for one in ordered]
    notices = (*(f"{one.name} is {one.label}" for one in requests), *hosts, *crew.notices)
    result = together(ordered, Result("ab", Verdict.PASS, "", run.started, 0.0, source=source_state(), notices=notices))
    found = [Incident(result.verdict, text) for text in result.problems]
    sentence = _sentence(result.verdict, requests, result.gates, found, result.arms)
    result = replace(result, sentence=sentence, words=given_words(tuple(arguments.given.items()), ()))
    _say(out, requests, result)
    frame_ms, effects = times_together(ordered)
    return finish(run, result, out, frame_ms, effects, json_out=arguments.json, strict=arguments.strict)


def _terms(run: RunFolder, arms: int, arguments: Arguments) -> PairTerms:
    """What pairs share: each has its share of the budget, and the first arm's by itself."""
    least_s = budget.rounded_s(budget.ab_s(2, arguments.several("STAGES"), arguments.integer("PICTURES")))
    own = {*string.ascii_uppercase, "TARGET", "BUDGET", "RANDOM_STATE"}
    return PairTerms(
        f"ab {run.started} {run.path.name}",
        str(source_state()["git"]),
        {key: text for key, text in arguments.without_cluster().items() if key not in own},
        max(2 * arguments.number("BUDGET") / arms, float(least_s)),
        arguments.integer("RANDOM_STATE"),
        arguments.flag("VIRGL"),
    )


def _measure(
    first: Order,
    others: Sequence[ArmKernel],
    folder: Path,
    begun: float,
    budget_s: float,
    progress: Callable[[str], None],
) -> tuple[Measured, list[ComparedArm]]:
    """Run the first arm by itself, then compare every other arm with it, in equal shares of the remaining budget."""
    stages = first.stages or frozenset()

    def share_of(sessions: int, later_s: float = 0.0) -> Order:
        spent_s = time.monotonic() - begun
        share_s = (budget_s - spent_s - budget.CLOSING_S) / sessions + budget.CLOSING_S
        return replace(first, budget_s=share_s, spent_s=spent_s, sessions=sessions, after_s=later_s)

    later_s = len(others) * budget.stages_s(stages - ALONE, 0)
    order = replace(share_of(len(others) + 1, later_s), stages=stages & ALONE)
    alone = measure(order, folder / first.candidate.name, progress)
    compared: list[ComparedArm] = []
    for number, kernel in enumerate(others):
        order = replace(share_of(len(others) - number), candidate=kernel, reference=first.candidate)
        compared.append(ComparedArm(kernel.name, measure(order, folder / kernel.name, progress)))
    return alone, compared


def _ordering(requests: Sequence[ArmRequest], kernels: Mapping[str, ArmKernel]) -> list[str]:
    """The proof's answer for each kernel that this tree builds."""
    return [
        f"{request.name}: {ordering_of(kernels[request.name].path, kernels[request.name].sha256).words}"
        for request in requests
        if kernels[request.name].switches is not None
    ]


def _pictures_least(kernels: Iterable[ArmKernel], arguments: Arguments) -> int:
    asked, explicit = arguments.integer("PICTURES"), arguments.has("PICTURES")
    return max(pictures_least(kernel.target, asked, explicit) for kernel in kernels)


def _timed(first: str, compared: list[ComparedArm]) -> tuple[dict[str, F64], list[tuple[float, int]]]:
    """Frame times by arm; the launches' effects where there is one comparison."""
    frame_ms: dict[str, F64] = {}
    effects: list[tuple[float, int]] = []
    for one in compared:
        values, effects = timed(one.measured)
        if REFERENCE in values:
            frame_ms.setdefault(first, values[REFERENCE])
            frame_ms[one.name] = values[CANDIDATE]
    return frame_ms, effects if len(compared) == 1 else []


def _requests(named: dict[str, str], common: dict[str, str]) -> list[ArmRequest]:
    names = sorted(named)
    if len(names) < 2 or names != list(string.ascii_uppercase[: len(names)]):
        raise UsageError(f"ab compares A with B, C …; given: {' '.join(names) or 'none'}")
    requests = [parse_arm(name, named[name], common) for name in names]
    return requests


def _check_arches(requests: list[ArmRequest], kernels: dict[str, ArmKernel]) -> None:
    targets = {request.name: kernels[request.name].target for request in requests}
    arches = {one.name: target.arch if (target := targets[one.name]) else one.switches.arch for one in requests}
    if len(set(arches.values())) > 1:
        each = ", ".join(f"{name} is for {arch}" for name, arch in arches.items())
        raise UsageError(f"arms of different architectures cannot be compared in time: {each}")


def _machine(request: ArmRequest, kernels: dict[str, ArmKernel], arguments: Arguments) -> tuple[Machine, str]:
    machine = base_machine(request.switches.arch, bool(arguments.run_params().blk), arguments.several("QEMU_ARGS"))
    machine, _ = accelerated(machine, kernels[request.name], arguments.text("ACCEL"))
    rendered = any(one.target and one.target.device is Device.GPU_GL for one in kernels.values())
    return chosen_device(machine, rendered or arguments.flag("VIRGL"))


def _result(
    run: RunFolder, requests: list[ArmRequest], alone: Measured, compared: list[ComparedArm], shown: str
) -> Result:
    first = requests[0].name
    arms: dict[str, Arm] = {first: _first_arm(alone, compared)}
    gates: list[Gate] = []
    findings = [_of_arm(first, finding) for finding in incidents_of(alone)]
    for one in compared:
        arms[one.name] = arms_of(one.measured)[CANDIDATE]
        findings += [_of_arm(one.name, finding) for finding in incidents_of(one.measured)]
        gates.append(_gate(one, first, arms, one.measured.order.smallest))
    verdict = Verdict.worst(
        [gate.verdict for gate in gates if gate.verdict] + [finding.verdict for finding in findings]
    )
    window = compared[-1].measured.of(Window)
    order = compared[0].measured.order
    machine = session_machine(order.candidate, order.machine)
    qemu = None
    if window is not None:
        command = shlex.join(window.observed.command)
        qemu = QemuSetup(window.observed.qemu_version, machine.accelerator, machine.vcpus, "multi", command)
    source = source_state()
    return Result(
        command="ab",
        verdict=verdict,
        sentence=_sentence(verdict, requests, gates, findings, arms),
        started=run.started,
        seconds=alone.seconds + sum(one.measured.seconds for one in compared),
        host=host_facts(),
        qemu=qemu,
        source=source,
        compiler=alone.order.candidate.compiler,
        arms=arms,
        gates=tuple(gates),
        frames=Frames.together(
            [
                replace(found.frames, evidence=tuple(f"{name}/{path}" for path in found.frames.evidence))
                for name, one in ((first, alone), *((one.name, one.measured) for one in compared))
                if (found := one.of(Pictures))
            ]
        ),
        notices=(
            *(f"{request.name} is {request.label}" for request in requests),
            *([shown] if shown else []),
            *approval_notices(source, judges=False),
            *_borrowed_names([alone, *(one.measured for one in compared)]),
        ),
        problems=tuple(finding.text for finding in findings),
        runs={first: record_of(alone)} | {one.name: record_of(one.measured) for one in compared},
    )


def _of_arm(name: str, finding: Incident) -> Incident:
    """What an arm's session found, with its files as they are called from the run's folder."""
    text = re.sub(r"\(see (?=[^/)])", f"(see {name}/", finding.text)
    return replace(finding, text=f"{name}: {text}")


def _borrowed_names(measured: list[Measured]) -> list[str]:
    arms = [(one.of(Window), one.order.candidate) for one in measured]
    return [
        f"{arm.name}: {text}" for window, arm in arms for text in window_notices(window, arm.capabilities, arm.scene)
    ]


def _first_arm(alone: Measured, compared: list[ComparedArm]) -> Arm:
    """The first arm's own window, with the timing that it took part in."""
    arm = arms_of(alone)[CANDIDATE]
    timed = next((one.measured for one in compared if one.measured.of(Timing)), None)
    if timed is None:
        return arm
    reference = arms_of(timed)[REFERENCE]
    return replace(arm, metrics={**arm.metrics, **reference.metrics}, launches=reference.launches)


def _gate(one: ComparedArm, first: str, arms: dict[str, Arm], smallest: float) -> Gate:
    ours, theirs = (arms[name].metrics.get("fps_trace") for name in (one.name, first))
    decision, pair = one.decision, pair_words(arms, first, one.name)
    if one.measured.same_kernel and ours is not None:
        why = f"{pair}: {SAME_KERNEL}"
        return Gate("fps_trace", "ratio", Verdict.PASS, why, ours.value, ours.value, 0.0, 0.0, 0.0, smallest)
    if decision is None or ours is None or theirs is None:
        return Gate(
            "fps_trace", "ratio", Verdict.INCONCLUSIVE, f"{pair}: {one.measured.skipped.get('timing', 'not measured')}"
        )
    undecided = decision.state is State.UNDECIDED
    return Gate(
        "fps_trace",
        "ratio",
        Verdict.INCONCLUSIVE if undecided else Verdict.PASS,
        f"{pair}: {decision.words}",
        value=ours.value,
        reference=theirs.value,
        change=1 / decision.ratio - 1,
        low=1 / decision.high - 1,
        high=1 / decision.low - 1 if decision.low else None,
        limit=smallest,
    )


def _fences(arms: Mapping[str, Arm], first: str, name: str) -> str:
    ours, theirs = (arms[arm].metrics.get("fences_per_frame") for arm in (name, first))
    if ours is None or theirs is None or not theirs.value:
        return "fences not counted"
    return f"fences {theirs.value:.4g} → {ours.value:.4g} a frame ({signed_percent(ours.value / theirs.value - 1)})"


def _sentence(
    verdict: Verdict,
    requests: list[ArmRequest],
    gates: Sequence[Gate],
    findings: Sequence[Incident],
    arms: Mapping[str, Arm],
) -> str:
    first = requests[0].name
    parts = [f"{gate.why}; {_fences(arms, first, request.name)}" for gate, request in zip(gates, requests[1:])]
    if findings:
        worst = max(findings, key=lambda one: one.verdict.severity)
        known = parts if worst.verdict is Verdict.INCONCLUSIVE else []
        parts = [worst.text, *known]
    return f"{verdict.value}: {'. '.join(parts)}"


def _say(out: Printer, requests: list[ArmRequest], result: Result) -> None:
    rows = []
    for request in requests:
        metrics = result.arms[request.name].metrics
        cells = [amount(metrics[name].value) if name in metrics else "n/a" for name in _COLUMNS]
        rows.append([request.name, request.label, *cells])
    out.table("arms", ["", "kernel", "frames/s", "fences", "spins", "completions", "instructions"], rows)


_COLUMNS = (
    "fps_trace",
    "fences_per_frame",
    "spins_per_frame",
    "completions_per_frame",
    "instructions_per_frame",
)
