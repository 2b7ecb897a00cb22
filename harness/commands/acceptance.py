"""Measure the checklist that took a person and a screen."""

from __future__ import annotations

import time
from dataclasses import replace

from harness.acceptance.criteria import criteria, sentence_of, verdict_of
from harness.acceptance.evidence import Absent, DeviceEvidence, EventCounts, InputEvidence, Roulette
from harness.acceptance.measure import Acceptance, AcceptancePlan, accept
from harness.acceptance.report import (
    FILE_NAME,
    acceptance_markdown,
    acceptance_view,
    gates_of,
    plain_lines,
    terminal_lines,
)
from harness.gate.approved.references import approval_notices
from harness.gate.finish import finish
from harness.gate.judging.next_steps import given_words
from harness.model.result import Arm, Frames, Metric, QemuSetup, Result
from harness.model.spec import Switches, Verdict
from harness.platform.files.store import RunFolder
from harness.platform.host.identity import host_facts
from harness.platform.host.probe import qemu_version
from harness.platform.kernels.build import source_state
from harness.proof.ordering import ordering_of
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 50
EXAMPLES = ("", "VIRGL=0 BOOT_LOG_TIMEOUT=10", "BARRIER=linux PICTURES=100")
NEXT = "paste acceptance.md of results/latest into the merge request"
TAKES = ("switches", "--json")
MEASURES = True


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``acceptance [VIRGL=0] [BOOT_LOG_TIMEOUT=seconds of roulette] [SWITCH=value …]``."""
    plan = plan_of(arguments)
    qemu_version(plan.switches.arch)
    begun = time.monotonic()
    with RunFolder("acceptance") as run:
        done = accept(plan, run.path, out.progress)
        lines = criteria(done.evidence)
        source = source_state()
        result = Result(
            command="acceptance",
            verdict=verdict_of(lines),
            sentence=sentence_of(lines),
            started=run.started,
            seconds=time.monotonic() - begun,
            host=host_facts(),
            qemu=QemuSetup(done.qemu_version, "tcg", 2, "multi", done.command) if done.qemu_version else None,
            source=source,
            compiler=done.kernel.compiler,
            arms={one.device: _arm(one, plan.switches, done.kernel.sha256) for one in done.evidence.devices},
            gates=gates_of(lines),
            frames=_frames(done),
            notices=(
                *done.notices,
                ordering_of(done.kernel.path, done.kernel.sha256).words,
                *approval_notices(source, judges=False),
            ),
            details={"criteria": plain_lines(lines)},
        )
        kernel = f"{plan.switches.label}, {done.kernel.sha256[:12]}"
        (run.path / FILE_NAME).write_text(acceptance_markdown(result, lines, kernel), encoding="utf-8")
        for line in terminal_lines(lines) if not arguments.json else ():
            out.line(line)
        result = replace(result, words=given_words(tuple(arguments.given.items()), ()))
        return finish(
            run,
            result,
            out,
            {},
            [],
            json_out=arguments.json,
            show=lambda final: acceptance_view(final, lines, kernel),
        )


def plan_of(arguments: Arguments) -> AcceptancePlan:
    """What was asked for."""
    return AcceptancePlan(
        Switches.of(arguments.switches),
        compiler=arguments.text("CC"),
        params=arguments.run_params(),
        virgl=arguments.flag("VIRGL"),
        roulette_s=arguments.number("BOOT_LOG_TIMEOUT"),
        pictures=arguments.integer("PICTURES"),
        budget_s=arguments.number("BUDGET") if arguments.has("BUDGET") else None,
        random_state=arguments.integer("RANDOM_STATE"),
    )


def _arm(found: DeviceEvidence, switches: Switches, sha256: str) -> Arm:
    """What was measured of the kernel on one device."""
    metrics: dict[str, Metric] = {}
    if isinstance(found.roulette, Roulette) and found.roulette.frames:
        metrics["fps_window"] = Metric(found.roulette.fps, "frames/s", "trace", n=found.roulette.frames)
    if isinstance(found.optimised, EventCounts) and found.optimised.records:
        for name in ("fences", "spins", "completions"):
            value = getattr(found.optimised, name)
            metrics[f"{name}_per_frame"] = Metric(value, name, "guest", n=found.optimised.records)
    if isinstance(found.input, InputEvidence) and found.input.shown:
        keys = {"p50": found.input.median, "p95": found.input.tail}
        metrics |= {
            f"input_ms_{name}": Metric(value, "ms", "trace", n=found.input.shown) for name, value in keys.items()
        }
        metrics["input_clock_error_ms"] = Metric(found.input.clock_error, "ms", "host", n=found.input.shown)
    return Arm(switches.everything(), sha256, metrics)


def _frames(done: Acceptance) -> Frames | None:
    """All pictures of the kernel under test."""
    found = [(one.device, one.pictures.frames) for one in done.evidence.devices if not isinstance(one.pictures, Absent)]
    return Frames.together(
        [
            replace(frames, evidence=tuple(f"{device}-pictures/{path}" for path in frames.evidence))
            for device, frames in found
        ]
    )
