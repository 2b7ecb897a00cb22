"""Every deliberate fault of the kernel, run through the harness for real: the class and code that it declares."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.benchmarks.faults import WORDS
from harness.model.faults import fault_table
from harness.model.spec import KERNEL_DIR, switch_table
from harness.tests.fuzz import FULL
from harness.tests.programs import UNORDERED, run_harness, run_perf

FAULTS = fault_table()
SAYS = {
    "torn": "torn",
    "stale": "stale",
    "corrupt": "corrupt",
    "blank": "blank",
    "sources": "sources disagree",
    "hang": "hangs|no first serial line",
    "panic": "panicked",
    "serial": "serial output damaged",
    "timeout": "gave up|never answered",
    "disk": "corrupt|disk|block",
    "rekicks": "notification",
    "failed": "descriptor|failing status|DONE",
    "regression": "instructions",
    "cursor": "overtook the control queue",
    "late": "read its keyboard late",
    "pitch": "the pitch of 800x600, the mode before, was kept",
    "head": "head 1: the screen shows QEMU's own notice",
    "refused": "did not draw what it was told",
    "fallback": "virgl was asked for and not used: it is not offered",
}
BY_PICTURES = ("torn", "stale", "corrupt", "blank")
"""Classes that only pictures show; the others show in the window."""
GL = ("VIRGL=1", "DRAW=gpu")
"""What faults of the GL device need, which is tried on x86_64."""
OPTIONS: dict[str, list[str]] = {
    "slow_draw": ["STAGES=exact,window,pictures", "PICTURES=20"],
    "no_virgl": ["STAGES=window,pictures", "PICTURES=5"],
    "refused_shader": ["STAGES=window,pictures", "PICTURES=5"],
    "late_input": [],
    "old_pitch": [],
    "one_head": ["STAGES=pictures", "PICTURES=10"],
}
"""Stages that show it soonest, where others than the rest's."""
PORTS = ("aarch64", "riscv64")
PORTED = ("boot_silent", "hang", "panic", "page_fault", "stack_overflow", "blk_timeout")
"""Faults whose answers pass through an architecture's own code: traps, interrupts, clocks and the way a machine ends.
``make test`` tries them on every architecture, the other faults on x86_64; ``make test-full`` tries every fault on all.
"""
SMALL = "MODE=320x240"
"""A tenth of the pixels: what makes a frame wrong does so in any mode."""
PACE = "pace=60"
"""The guest is idle between frames, and nearly every one is looked at."""
UNPACED = ("lost_kick", "slow_draw")
"""A fault that few frames may not show, and one that is seen by counts of a guest that never waits."""
TAILS = ("hiccup",)
"""Seen only in tails of timing, which takes a whole session: tried in ``make test-full``."""


def words_of(fault: str) -> list[str]:
    """How it is looked for: by the stage that shows it, in the full tests by both."""
    seen, needs = FAULTS[fault].seen, FAULTS[fault].needs
    one = ["STAGES=pictures", "PICTURES=80"] if seen in BY_PICTURES else ["STAGES=window"]
    words = OPTIONS.get(fault, ["STAGES=window,pictures", "PICTURES=80"] if FULL else one)
    said = [*words, *WORDS[needs]]
    if FULL:
        return said
    modes = [] if any(word.startswith("MODE=") for word in said) or needs == "HEADS=2" else [SMALL]
    options = [word.removeprefix("OPTS=") for word in said if word.startswith("OPTS=")]
    options += [] if fault in UNPACED else [PACE]
    said = [word for word in said if not word.startswith("OPTS=")]
    return [*said, *([f"OPTS={' '.join(options)}"] if options else []), UNORDERED, *modes]


def replayed(folder: str) -> int:
    """Exit code of ``harness analyze`` where neither QEMU nor a compiler can be found."""
    return run_harness("analyze", folder, environment={"PATH": "/nonexistent"}).code


def test_every_declared_fault_is_a_value_of_the_switch() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (KERNEL_DIR / "fault").glob("*.c"))
    assert len(FAULTS) == len(re.findall("^FAULT_DECLARE", text, re.MULTILINE)), "each is declared as others are"
    assert switch_table()["FAULT"].values == ("none", *FAULTS)
    assert {fault.seen for fault in FAULTS.values()} == set(SAYS)


def cases() -> list[Any]:
    """Every fault on every architecture, with those marked that only the full tests try; virgl is there on x86_64."""
    plain = sorted(set(FAULTS) - set(TAILS))
    on_ports = [(arch, fault) for arch in PORTS for fault in plain if FAULTS[fault].needs not in GL]
    marked = [pytest.param(arch, fault, marks=() if fault in PORTED else pytest.mark.full) for arch, fault in on_ports]
    return [*(pytest.param("x86_64", fault) for fault in plain), *marked]


def test_make_test_tries_each_fault_and_those_of_an_architecture_s_code_on_each() -> None:
    often = [one.values for one in cases() if not one.marks]
    assert {fault for arch, fault in often if arch == "x86_64"} == set(FAULTS) - set(TAILS)
    ends = re.findall(r"^FAULT_DECLARE\((\w+)", (KERNEL_DIR / "fault" / "ending.c").read_text(), re.MULTILINE)
    assert len(ends) > 3 and set(ends) < set(PORTED), "how a machine ends is an architecture's own code"
    without_gl = [one for one in FAULTS.values() if one.needs not in GL]
    for arch in PORTS:
        assert {fault for where, fault in often if where == arch} == set(PORTED)
        assert len([one for one in cases() if one.values[0] == arch]) == len(without_gl) - len(TAILS)


@pytest.mark.qemu
@pytest.mark.parametrize(("arch", "fault"), cases())
def test_a_fault_is_answered_as_promised(arch: str, fault: str) -> None:
    seen, code = FAULTS[fault].seen, FAULTS[fault].code
    exit_code, result = run_perf(f"ARCH={arch}", f"FAULT={fault}", *words_of(fault))
    failed = [gate["why"] for gate in result["gates"] if gate["verdict"] == "guest-failed"]
    text = " | ".join([result["sentence"], *result["problems"], *failed])
    assert exit_code == code, text
    assert re.search(SAYS[seen], text), text
    report = (Path(result["folder"]) / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert re.search(SAYS[seen], report), report
    assert replayed(result["folder"]) == code, "a saved run is judged as it was"


@pytest.mark.full
@pytest.mark.qemu
def test_a_hiccup_shows_in_the_tail() -> None:
    """A machine as busy as a test run's may keep the tail from telling, once or twice; the gate never passes."""
    for _ in range(3):
        exit_code, result = run_perf("FAULT=hiccup")
        assert exit_code in (1, 4), result["sentence"]
        regressed = {gate["metric"] for gate in result["gates"] if gate["verdict"] == "regression"}
        if regressed & {"frame_ms_p95", "frame_ms_p99", "fps_low_1pct"}:
            break
    else:
        pytest.fail(f"no tail regressed, but {regressed}: {result['sentence']}")
    assert exit_code == 1, result["sentence"]


@pytest.mark.qemu
def test_no_fault_is_found_where_there_is_none() -> None:
    exit_code, result = run_perf("STAGES=window,pictures,exact", "PICTURES=80")
    assert result["problems"] == []
    assert result["frames"]["intact"] == result["frames"]["checked"] == 80
    assert [gate for gate in result["gates"] if gate["verdict"] in ("regression", "guest-failed")] == []
    assert exit_code == 4, "the stage that compares frame rates was left out: nothing may pass"
    assert replayed(result["folder"]) == 4
