"""Measure the time from a key to the frame that shows it."""

from __future__ import annotations

import shlex
from dataclasses import replace

from harness.gate.evaluate import record_of
from harness.gate.finish import finish
from harness.gate.judging.latency_verdict import STAGE, judge_latency
from harness.gate.judging.next_steps import given_words
from harness.gate.kernels import build_arm
from harness.gate.measured import NOT_ASKED, Measured, Order
from harness.gate.measuring.latency import Latency
from harness.gate.session import measure
from harness.model.arms import parse_arm
from harness.model.result import QemuSetup, Result
from harness.model.spec import Machine, UsageError, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import source_state
from harness.platform.pictures.virgl import chosen_device
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 25
EXAMPLES = ("", "OPTS=pace=0 INPUTS=200", "FAULT=late_input", "GAP=0 INPUTS=5000")
NEXT = "make perf STAGES=window,pictures,latency measures it with everything else"
TAKES = ("switches", "--json", "--strict")
MEASURES = True
MARGIN_S = 60.0
"""What the run and the report take besides pressing keys, on a slow host."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``latency [INPUTS=n] [GAP=ms] [SWITCH=value …]``: keys at random moments, each until the flush that shows it."""
    if arguments.switches.get("LOG") == "none":
        raise UsageError("LOG=none prints no records, which number the inputs that frames show")
    with RunFolder("latency") as run:
        candidate = build_arm(parse_arm("candidate", "", arguments.switches), arguments.text("CC"), out)
        params = arguments.run_params()
        machine = Machine(arguments.switches.get("ARCH", "x86_64"), vcpus=2 if params.blk else 1, maxcpus=2)
        machine, shown = chosen_device(replace(machine, disk_mib=64 if params.blk else 0), arguments.flag("VIRGL"))
        inputs, gap_s = arguments.integer("INPUTS"), arguments.number("GAP") / 1000
        order = Order(
            candidate,
            None,
            machine,
            params,
            budget_s=inputs * (gap_s + 0.01) * 2 + MARGIN_S,
            random_state=arguments.integer("RANDOM_STATE"),
            stages=frozenset({STAGE}),
            inputs=inputs,
            gap_s=gap_s,
        )
        measured = measure(order, run.path, out.progress)
        # The other stages have no part in this command.
        skipped = {stage: why for stage, why in measured.skipped.items() if why != NOT_ASKED}
        measured = replace(measured, skipped=skipped)
        result = _result(run, measured, (shown,) if shown else ())
        result = replace(result, words=given_words(tuple(arguments.given.items()), ()))
        return finish(run, result, out, {}, [], json_out=arguments.json, strict=arguments.strict)


def _result(run: RunFolder, measured: Measured, notices: tuple[str, ...]) -> Result:
    judgement, arms = judge_latency(measured)
    found, machine = measured.of(Latency), measured.order.machine
    qemu = None
    if found is not None:
        observed = found.window.observed
        command = shlex.join(observed.command)
        qemu = QemuSetup(observed.qemu_version, machine.accelerator, machine.vcpus, "multi", command)
    source = source_state()
    return Result(
        command="latency",
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
        notices=notices,
        problems=judgement.problems,
        runs={"candidate": record_of(measured)},
    )
