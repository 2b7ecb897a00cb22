"""Baselines and their succession, and the reading of older schemas."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.model import upgrade
from harness.model.baseline import (
    SCHEMA,
    Approval,
    Baseline,
    approval_refusals,
    baseline_name,
    baseline_to_json,
    check_kernel,
    differences,
    link_ratio,
    succeed,
    switches_refusal,
)
from harness.model.record import JudgedBy, RunRecord
from harness.model.result import SCHEMA as RESULT_SCHEMA
from harness.model.result import (
    Arm,
    Fingerprint,
    Frames,
    Gate,
    Host,
    Metric,
    QemuSetup,
    Result,
    ResultError,
    result_to_json,
)
from harness.model.spec import RunParams, UsageError, Verdict
from harness.model.upgrade import load_baseline, load_result
from harness.robustness.samples import ELF
from harness.robustness.samples import baseline as approved_baseline

HOST = Fingerprint("AMD EPYC 7B13", 2, "7.2.22", "tcg")
BASELINE = approved_baseline()
TREE = "b" * 64
LABEL = "x86_64/acquire_progress"


def _result(**changes: Any) -> Result:
    metrics = {"fps_trace": Metric(350.0, "frames/s", "trace"), "instructions_per_frame": Metric(5e6, "", "icount")}
    arm = Arm({"ARCH": "x86_64", "BARRIER": "linux", "FAULT": "none"}, "ab" * 32, metrics)
    result = Result(
        "perf",
        Verdict.PASS,
        "pass",
        "2026-11-23T13:00:00Z",
        50.0,
        host=Host(HOST.cpu, HOST.cores, "6.1", "Debian"),
        qemu=QemuSetup(HOST.qemu, HOST.accelerator, 1, "multi", ""),
        source={"kernel_tree": TREE},
        arms={"candidate": arm},
        frames=Frames(400, 400),
    )
    return dataclasses.replace(result, **changes)


def _armed(**switches: str) -> Result:
    candidate = _result().arms["candidate"]
    return _result(arms={"candidate": dataclasses.replace(candidate, switches={**candidate.switches, **switches})})


def _judged(no_reference: str) -> dict[str, RunRecord]:
    return {"candidate": RunRecord(RunParams(), judged_by=JudgedBy("", False, no_reference))}


def test_a_baseline_survives_storage() -> None:
    stored = succeed(BASELINE, dataclasses.replace(BASELINE, reason="second", ratio=0.99))
    assert load_baseline(baseline_to_json(stored), LABEL) == stored
    assert BASELINE.same_host(HOST) and not BASELINE.same_host(dataclasses.replace(HOST, cores=4))


def test_the_key_of_series_on_a_host_stays_as_it_is_stored() -> None:
    assert HOST.label == "AMD EPYC 7B13, 2 cores, QEMU 7.2.22, tcg"


def _edited(**changes: Any) -> str:
    return json.dumps(json.loads(baseline_to_json(BASELINE)) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            _edited(schema=SCHEMA + 2),
            f"written by schema {SCHEMA + 2}, this is {SCHEMA}: update the harness or run 'make approve'",
        ),
        (_edited(schema=0), "can no longer be read"),
        (_edited(schema="1"), "names no schema"),
        ("{}", "names no schema"),
        ("[]", "names no schema"),
        ("", "is damaged"),
        (baseline_to_json(BASELINE)[:200], "is damaged"),
        (_edited(kernel_sha256="12"), "is damaged (kernel_sha256: is not a SHA-256)"),
        (_edited(commit="main"), "commit: is not a hash"),
        (_edited(reason=" "), "no reason was given"),
        (_edited(reason=None), "reason: None is not text"),
        (_edited(surprise=1), "unknown fields surprise"),
        (_edited(host={"cpu": "x"}), "is damaged (host.cores: is missing)"),
        (_edited(exact={"x": {"value": "5", "unit": "", "source": ""}}), "exact.x.value: '5' is not a number"),
        (
            _edited(absolute={"x": {"value": float("inf"), "unit": "", "source": ""}}),
            "absolute.x.value: inf is not finite",
        ),
        (_edited(switches={"LOG": 1}), "switches.LOG: 1 is not text"),
        (_edited(name="linux"), "says that it is x86_64/linux"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ResultError) as raised:
        load_baseline(text, LABEL)
    assert message in str(raised.value) and LABEL in str(raised.value)


def test_the_stored_kernel_must_be_the_approved_one() -> None:
    check_kernel(BASELINE, ELF)
    with pytest.raises(ResultError, match="restore it from git or run 'make approve'"):
        check_kernel(BASELINE, ELF + b"x")


def test_history_keeps_figures_and_shows_slow_drift() -> None:
    current = BASELINE
    assert current.drift() is None
    for number in range(4):
        current = succeed(current, dataclasses.replace(BASELINE, reason=f"step {number}", ratio=0.99))
    assert [approval.reason for approval in current.history] == ["first approval", "step 0", "step 1", "step 2"]
    assert current.history[0].figures == {"fps_trace": 350.0, "instructions_per_frame": 5_510_409.0}
    assert current.drift() == pytest.approx(0.99**4 - 1)
    broken = dataclasses.replace(current, history=(*current.history, Approval("", "", "", "", {})))
    assert broken.drift() is None
    assert succeed(None, BASELINE) is BASELINE


def test_the_difference_to_accept_is_shown() -> None:
    new = dataclasses.replace(
        BASELINE,
        commit="c" * 40,
        switches={"BARRIER": "acquire_progress", "DRAW": "dirty"},
        exact={"instructions_per_frame": Metric(5_600_000.0, "instructions", "icount")},
        absolute={"fps_trace": Metric(340.0, "frames/s", "trace")},
        host=dataclasses.replace(HOST, cpu="other"),
    )
    assert differences(BASELINE, new) == (
        f"commit: {'a' * 12} → {'c' * 12}",
        "DRAW: default → dirty",
        "instructions_per_frame: 5.51041e+06 → 5.6e+06 instructions (+1.63 %)",
        "fps_trace: 350 → 340 frames/s (-2.86 %) (another host)",
    )
    assert differences(BASELINE, BASELINE) == ()
    assert differences(None, new) == ("x86_64/acquire_progress is new",)


@pytest.mark.parametrize(
    ("result", "reason", "allow_dirty", "refusals"),
    [
        (_result(), "why", False, 0),
        (_result(verdict=Verdict.REGRESSION), "accepted cost of X", False, 0),
        (_result(verdict=Verdict.INCONCLUSIVE), "too noisy", False, 1),
        (_result(verdict=Verdict.INCONCLUSIVE, runs=_judged("no baseline x86_64/linux: run")), "first one", False, 0),
        (_result(verdict=Verdict.INCONCLUSIVE, runs=_judged("")), "too noisy", False, 1),
        (_result(command="boot"), "why", False, 1),
        (_result(), " ", False, 1),
        (_result(verdict=Verdict.GUEST_FAILED), "why", False, 1),
        (_result(source={"dirty": True, "kernel_tree": TREE}), "why", False, 1),
        (_result(source={"dirty": True, "kernel_tree": TREE}), "why", True, 0),
        (_result(source={"kernel_tree": "c" * 64}), "why", False, 1),
        (_result(source={}), "why", True, 1),
        (_result(arms={}), "why", False, 1),
        (_armed(FAULT="slow_draw"), "why", False, 1),
        (_armed(ARCH=""), "why", False, 1),
        (_result(arms={"candidate": Arm({"ARCH": "x86_64"}, "", {"fps_trace": Metric(1.0, "", "")})}), "why", True, 1),
        (_result(frames=None), "why", False, 1),
        (_result(host=None), "why", False, 1),
        (_result(qemu=None), "why", False, 1),
        (_result(frames=Frames(400, 399, torn=1)), "why", False, 1),
        (_result(frames=None, arms={}, verdict=Verdict.HARNESS_FAILED), "", False, 4),
    ],
)
def test_approval_is_refused_for_each_reason(result: Result, reason: str, allow_dirty: bool, refusals: int) -> None:
    found = approval_refusals(result, reason, allow_dirty, TREE)
    assert len(found) == refusals, found


VALUES = {"BARRIER": ("acquire_progress", "linux"), "LOG": ("deferred", "frame"), "FAULT": ("none", "slow_draw")}


@pytest.mark.parametrize(
    ("switches", "name", "named", "says"),
    [
        ({"BARRIER": "linux", "LOG": "deferred"}, "linux", False, ""),
        ({"BARRIER": "linux", "LOG": "frame"}, "linux", False, "built with LOG=frame, but linux would be its name"),
        ({"BARRIER": "linux", "LOG": "frame"}, "linux", True, "give it another one, BASELINE=name"),
        ({"BARRIER": "linux", "LOG": "frame"}, "linux-log", True, ""),
        ({"BARRIER": "linux"}, "acquire_progress", True, "is the name for BARRIER=acquire_progress"),
    ],
)
def test_a_baseline_is_what_its_name_says(switches: dict[str, str], name: str, named: bool, says: str) -> None:
    found = switches_refusal(switches, name, named, VALUES)
    assert says in found and bool(found) == bool(says)


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "a/b", "a.b", "é", "a b", "x" * 65, "a\n"])
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    with pytest.raises(UsageError, match="BASELINE="):
        baseline_name(name)


def test_only_what_was_decided_is_a_link_of_the_chain() -> None:
    candidate, other = _result().arms["candidate"], Arm({}, BASELINE.kernel_sha256, {})
    gate = Gate("fps_trace", "ratio", Verdict.PASS, "", change=0.02, low=0.01, high=0.03)
    arms = {"candidate": candidate, "reference": other}

    def ratio(earlier: Baseline | None = BASELINE, gate: Gate = gate, **changes: Any) -> float | None:
        return link_ratio(_result(gates=(gate,), **({"arms": arms} | changes)), earlier)

    assert ratio() == pytest.approx(1.02)
    assert ratio(gate=dataclasses.replace(gate, verdict=Verdict.INCONCLUSIVE)) is None
    assert ratio(gate=dataclasses.replace(gate, low=None)) is None
    assert ratio(earlier=None) is None
    stranger = dataclasses.replace(other, kernel_sha256="d" * 64)
    assert ratio(arms={"candidate": candidate, "reference": stranger}) is None, "measured against another baseline"
    rebuilt = dataclasses.replace(stranger, build={"commit": BASELINE.commit})
    assert ratio(arms={"candidate": candidate, "reference": rebuilt}) == pytest.approx(1.02)
    assert ratio(arms={"candidate": other}) == 1.0, "replaced by itself"


def test_results_of_the_current_schema_load_and_newer_ones_do_not() -> None:
    result = _result()
    assert load_result(result_to_json(result), "run") == result
    newer = json.dumps(json.loads(result_to_json(result)) | {"schema": RESULT_SCHEMA + 1})
    with pytest.raises(ResultError, match="update the harness"):
        load_result(newer, "run")


def test_steps_of_migration_run_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda plain: {new if key == old else key: value for key, value in plain.items()}

    plain = json.loads(baseline_to_json(BASELINE))
    plain["cause"] = plain.pop("reason")
    plain["schema"] = SCHEMA - 2
    steps = {SCHEMA - 2: rename("cause", "why"), SCHEMA - 1: rename("why", "reason")}
    monkeypatch.setattr(upgrade, "BASELINE_STEPS", steps)
    assert load_baseline(json.dumps(plain), LABEL) == BASELINE
