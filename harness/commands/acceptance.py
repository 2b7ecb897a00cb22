"""The manual checklist of the seed case, every line measured."""

from __future__ import annotations

import time

from harness.acceptance.criteria import criteria, sentence_of, verdict_of
from harness.acceptance.evidence import Absent, Counted, DeviceEvidence, Roulette
from harness.acceptance.measure import Acceptance, AcceptancePlan, accept
from harness.acceptance.report import FILE_NAME, gates_of, markdown, plain_lines, terminal_lines
from harness.gate.finish import finish
from harness.model.result import Arm, Frames, Metric, Qemu, Result
from harness.model.spec import Switches, UsageError, Verdict
from harness.platform.build import source_state
from harness.platform.host import host_facts
from harness.platform.probe import qemu_version
from harness.platform.store import RunFolder
from harness.report.printer import Printer
from harness.settings import Arguments, number, run_params, split_settings

SETTINGS = "VIRGL VIDEO BOOT_LOG_TIMEOUT CC OPTS MODE SLOW SEED PICTURES BUDGET".split()


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``acceptance [VIRGL=0] [BOOT_LOG_TIMEOUT=seconds of roulette] [SWITCH=value …]``."""
    settings, switches = split_settings(arguments, SETTINGS)
    plan = plan_of(settings, switches)
    qemu_version(plan.switches.arch)
    begun = time.monotonic()
    with RunFolder("acceptance") as run:
        done = accept(plan, run.path, out.progress)
        lines = criteria(done.evidence)
        result = Result(
            command="acceptance",
            verdict=verdict_of(lines),
            sentence=sentence_of(lines),
            started=run.started,
            seconds=time.monotonic() - begun,
            host=host_facts(),
            qemu=Qemu(done.qemu_version, "tcg", 2, "multi", done.command) if done.qemu_version else None,
            source=source_state(),
            compiler=done.kernel.compiler,
            arms={one.device: _arm(one, plan.switches, done.kernel.sha256) for one in done.evidence.devices},
            gates=gates_of(lines),
            frames=_frames(done),
            notices=done.notices,
            details={"criteria": plain_lines(lines)},
        )
        kernel = f"{plan.switches.label}, {done.kernel.sha256[:12]}"
        (run.path / FILE_NAME).write_text(markdown(result, lines, kernel), encoding="utf-8")
        json_out = "json" in arguments.options
        for line in terminal_lines(lines) if not json_out else ():
            out.line(line)
        return finish(run, result, out, {}, [], json_out=json_out)


def plan_of(settings: dict[str, str], switches: dict[str, str]) -> AcceptancePlan:
    """What was asked for.

    Raises
    ------
    UsageError
        When a setting makes no sense.
    """
    virgl, video = settings.get("VIRGL", "1"), settings.get("VIDEO", "1")
    if virgl not in ("", "0", "1"):
        raise UsageError(f"VIRGL={virgl}: 1 for both devices, or 0 for the 2D device alone")
    if video not in ("", "1", "xvfb"):
        raise UsageError(f"VIDEO={video}: pictures are read from a display of the harness's own: 1, xvfb or nothing")
    return AcceptancePlan(
        Switches.of(switches),
        compiler=settings.get("CC", "gcc"),
        params=run_params(settings),
        virgl=virgl != "0",
        roulette_s=number(settings, "BOOT_LOG_TIMEOUT", AcceptancePlan.roulette_s, 1, 3600),
        pictures=int(number(settings, "PICTURES", AcceptancePlan.pictures, 1, 100000)),
        budget_s=number(settings, "BUDGET", AcceptancePlan.budget_s, 5, 3600),
        seed=int(number(settings, "SEED", AcceptancePlan.seed, 0, 2**31)),
    )


def _arm(found: DeviceEvidence, switches: Switches, sha256: str) -> Arm:
    """What was measured of the kernel on one device."""
    metrics: dict[str, Metric] = {}
    if isinstance(found.roulette, Roulette) and found.roulette.frames:
        metrics["fps_window"] = Metric(found.roulette.fps, "frames/s", "trace", n=found.roulette.frames)
    if isinstance(found.optimised, Counted) and found.optimised.records:
        for name in ("fences", "spins", "completions"):
            value = getattr(found.optimised, name)
            metrics[f"{name}_per_frame"] = Metric(value, name, "guest", n=found.optimised.records)
    return Arm(switches.everything(), sha256, metrics)


def _frames(done: Acceptance) -> Frames | None:
    """All pictures of the kernel under test."""
    parts = [one.pictures.frames for one in done.evidence.devices if not isinstance(one.pictures, Absent)]
    if not parts:
        return None
    names = ("checked", "intact", "torn", "stale", "frozen", "corrupt", "blank", "undecodable")
    counts = {name: sum(getattr(part, name) for part in parts) for name in names}
    evidence = tuple(
        f"{one.device}-pictures/{path}"
        for one in done.evidence.devices
        if not isinstance(one.pictures, Absent)
        for path in one.pictures.frames.evidence
    )
    return Frames(**counts, findings=tuple(text for part in parts for text in part.findings), evidence=evidence)
