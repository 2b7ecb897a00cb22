"""What is stored before an attack: a result, and a baseline with its kernel."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.model.baseline import FILE_NAME, KERNEL_NAME, Baseline, baseline_to_json
from harness.model.result import Arm, Fingerprint, Frames, Host, Metric, QemuSetup, Result, result_to_json
from harness.model.spec import Switches, Verdict
from harness.platform.kernels.build import kernel_tree_hash

STARTED = "2026-01-01T00:00:00+00:00"
ELF = b"\x7fELF pretended"
NEW_ELF = ELF + b"new"
OLD_REASON, NEW_REASON = "first approval", "new"
RESULT = Result("perf", Verdict.PASS, "pass: all", STARTED, 1.0)


def baseline() -> Baseline:
    """An approved kernel."""
    return Baseline(
        arch="x86_64",
        name="acquire_progress",
        reason=OLD_REASON,
        approved="2026-11-23T13:00:00Z",
        commit="a" * 40,
        kernel_tree="b" * 64,
        compiler="gcc (Debian 12.2.0-14) 12.2.0",
        kernel_sha256=hashlib.sha256(ELF).hexdigest(),
        scene="12ab",
        switches={"BARRIER": "acquire_progress"},
        exact={"instructions_per_frame": Metric(5_510_409.0, "instructions", "icount", n=60)},
        absolute={"fps_trace": Metric(350.0, "frames/s", "trace", 345.0, 355.0, 600)},
        host=Fingerprint("AMD EPYC 7B13", 2, "7.2.22", "tcg"),
        tools={"qemu": "7.2.22"},
    )


def fill_baseline(place: Path) -> None:
    """An approved kernel, and a run of another one that can be approved instead."""
    stored = place / "baselines" / "x86_64" / "acquire_progress"
    stored.mkdir(parents=True)
    (stored / FILE_NAME).write_text(baseline_to_json(baseline()), encoding="utf-8")
    (stored / KERNEL_NAME).write_bytes(ELF)
    run = place / "run"
    run.mkdir()
    (run / "candidate.elf").write_bytes(NEW_ELF)
    (run / "result.json").write_text(result_to_json(approvable()), encoding="utf-8")


def approvable() -> Result:
    """A passing run of the gate on this tree."""
    metrics = {name: Metric(350.0, "", "trace") for name in ("fps_trace", "instructions_per_frame")}
    arm = Arm(Switches().everything(), hashlib.sha256(NEW_ELF).hexdigest(), metrics)
    return Result(
        "perf",
        Verdict.PASS,
        "pass",
        STARTED,
        1.0,
        host=Host("a CPU", 2, "6.1", "Debian"),
        qemu=QemuSetup("7.2.22", "tcg", 1, "multi", ""),
        source={"kernel_tree": kernel_tree_hash()},
        arms={"candidate": arm},
        frames=Frames(400, 400),
    )


def fill_results(place: Path) -> None:
    """A stored result, which is the latest one."""
    old = place / "results" / "old"
    old.mkdir(parents=True)
    (old / "result.json").write_text(result_to_json(RESULT), encoding="utf-8")
    (old / "exit_code").write_text("0\n", encoding="ascii")
    (place / "results" / "latest").symlink_to("old")
