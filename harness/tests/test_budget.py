"""Budgets: refused where too small, shared between stages, and a stage without time never passes."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest

from harness.core import budget
from harness.explain.ablate import ONE_CPU_SWITCHES, other_values
from harness.explain.case_report import Replay, StepRow
from harness.explain.effects import Ablation, Effect, Unmeasured, Worth
from harness.explain.explanation import Explanation
from harness.explain.run import ExplainRequest, incomplete, quick_choice
from harness.front.budgets import QUICK_CHANGES, least
from harness.front.words import parse, parse_each
from harness.gate import evaluate, session
from harness.gate.judging.next_steps import next_steps
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.stage import Session, Stage
from harness.gate.stages import STAGES
from harness.model.case_study import CASE_STEPS
from harness.model.declared import stage_table
from harness.model.metric import Metric
from harness.model.record import ObserverOverhead
from harness.model.result import Result
from harness.model.spec import BUILT_IN, Machine, RunParams, Switches, UsageError, Verdict
from harness.platform.kernels.build import BuiltKernel
from harness.settings import settings_of

ORDER = Order(ArmKernel("candidate", Path("k.elf"), "", None, BUILT_IN), None, Machine(), RunParams())


def test_the_settings_have_the_budgets_that_next_steps_reckon_with() -> None:
    for command, seconds in budget.DEFAULT_S.items():
        assert settings_of(command)["BUDGET"].default == str(seconds)
    for command, seconds in budget.MOST_S.items():
        kind = settings_of(command)["BUDGET"].kind
        assert kind.parse(str(seconds)) == seconds
        with pytest.raises(ValueError):
            kind.parse(str(seconds + 1))
    for command, pictures in budget.DEFAULT_PICTURES.items():
        assert settings_of(command)["PICTURES"].default == str(pictures)


def test_of_several_sessions_each_has_its_share() -> None:
    one = budget.budget_that_would_do(10, 20, 20, 30)
    three = budget.budget_that_would_do(10, 20, 20, 30, shares=3, after_s=5)
    assert three == pytest.approx(one + 1.1 * (2 * 50 + 5), abs=5)


@pytest.mark.parametrize(
    "line",
    [
        "perf BUDGET=10",
        "perf PICTURES=5000",
        "perf STAGES=window,timing BUDGET=5",
        "ab BUDGET=20",
        "ab A=x.elf B=y.elf C=z.elf BUDGET=60",
        "ab TARGET=x,y,z BUDGET=60",
        "explain BUDGET=60",
        "explain QUICK=1 BUDGET=20",
        "explain RESULT=results/x BUDGET=20",
        "acceptance BUDGET=60",
        "nightly BUDGET=10",
        "perf ARCH=all BUDGET=60",
        "perf BARRIER=linux,acquire_load,full_progress ARCH=x86_64,riscv64 BUDGET=60",
        "survey TARGETS=x,y,z BUDGET=60",
    ],
)
def test_a_budget_that_is_too_small_is_refused_with_the_least_that_would_do(line: str) -> None:
    with pytest.raises(UsageError, match="too small") as refused:
        parse_each(shlex.split(line))
    enough = str(refused.value).rpartition("BUDGET=")[2].partition(" ")[0]
    words = [word for word in shlex.split(line) if not word.startswith("BUDGET=")]
    assert parse_each([*words, f"BUDGET={enough}"])
    with pytest.raises(UsageError, match="too small"):
        parse_each([*words, f"BUDGET={int(enough) - 1}"])


@pytest.mark.parametrize(
    "line", ["perf", "ab", "explain", "explain QUICK=1", "explain RESULT=results/x", "acceptance", "nightly"]
)
def test_every_command_fits_into_its_own_default(line: str) -> None:
    arguments = parse(line.split())
    default = settings_of(arguments.command)["BUDGET"].default
    assert least(arguments) > 0 and (not default or least(arguments) <= float(default))


def test_fewer_stages_and_pictures_need_less() -> None:
    assert parse(["perf", "STAGES=window", "BUDGET=15"]).number("BUDGET") == 15
    few, many = (least(parse(["perf", f"PICTURES={count}", "BUDGET=3600"])) for count in (10, 1000))
    assert many - few > 20
    assert set(budget.STAGE_S) == set(tuple(stage_table()))


@pytest.mark.parametrize("commits", [1, 2, 3, 40, 1000])
def test_a_bisection_shares_its_budget_between_its_steps(commits: int) -> None:
    whole_s = budget.bisect_s(commits)
    assert budget.bisect_step_s(whole_s, commits) == pytest.approx(budget.STEP_S)
    assert 2 ** budget.bisect_steps(commits) >= commits


def test_the_quick_explanation_tries_as_many_changes_as_its_budget_is_for() -> None:
    base = Switches("x86_64")
    assert len(quick_choice(base, other_values(base))) <= QUICK_CHANGES
    others = [changes for changes in other_values(base) if changes[0][0] not in ONE_CPU_SWITCHES]
    assert least(parse(["explain", "VIRGL=0", "BUDGET=7200"])) >= len(others) * budget.CHANGE_S


class Clocked(Stage[ObserverOverhead, ObserverOverhead]):
    """A stage that takes as long as it is told to, on a clock that is made up."""

    def __init__(self, name: str, takes_s: float, clock: list[float]) -> None:
        super().__init__(name)
        self.takes_s, self.clock = takes_s, clock

    brings = keeps = ObserverOverhead

    def measure(self, session: Session, measured: Measured) -> ObserverOverhead:
        self.clock[0] += self.takes_s
        return ObserverOverhead(Metric(0.5, "ratio", "guest"))


def _session(patch: pytest.MonkeyPatch, factor: float, budget_s: float, names: tuple[str, ...]) -> Measured:
    """All stages on a host that is slower by a factor."""
    clock = [0.0]
    made = tuple(Clocked(name, factor * budget.stage_s(name, ORDER.pictures), clock) for name in names)
    for one, real in zip(made, (stage for name in names for stage in STAGES if stage.name == name)):
        one.long = real.long
    patch.setattr(session, "STAGES", made)
    patch.setattr(evaluate, "STAGES", made)
    patch.setattr("harness.gate.stage.time.monotonic", lambda: clock[0])
    return session.measure(dataclasses.replace(ORDER, budget_s=budget_s), Path("/run"), lambda text: None)


def test_on_a_quiet_host_the_least_is_enough_for_every_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _session(monkeypatch, 1.0, least(parse(["perf"])) - budget.BUILD_S, tuple(stage_table())).skipped


def test_what_there_was_no_time_for_is_inconclusive_and_says_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _session(monkeypatch, 3.0, 60.0, tuple(stage_table()))
    assert set(found.skipped) == {"overhead", "exact"}, "the comparison keeps its time"
    incidents = evaluate.incidents_of(found)
    assert {one.verdict for one in incidents} == {Verdict.INCONCLUSIVE}
    judgement, _ = evaluate.evaluate(found)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    would_do = max(int(one.text.split("BUDGET=")[1].split()[0]) for one in incidents)
    assert not _session(monkeypatch, 3.0, would_do, tuple(stage_table())).skipped, "what is promised holds on this host"
    result = Result("perf", judgement.verdict, judgement.sentence, "", 60.0, problems=judgement.problems)
    assert [step.command for step in next_steps(result, Path("/run"))] == [f"make perf BUDGET={would_do}"]


def _explanation(rows: tuple[StepRow, ...], unmeasured: tuple[Unmeasured, ...]) -> Explanation:
    effect = Effect((("FILL", "pixel"),), Worth.NOISE, 0.0, -0.1, 0.1, 8)
    ablation = Ablation("x86_64", 1.0, (effect,), (), unmeasured, "", 1.0)
    return Explanation("x86_64", ablation=ablation, replays=(Replay("2d", rows, (), ()),))


def test_an_explanation_that_timed_no_step_is_incomplete() -> None:
    kernel = BuiltKernel(Path("k.elf"), "", Switches("x86_64"), "gcc")
    question = ExplainRequest("x86_64", kernel, Machine(), 100.0, (Machine(),))
    short = tuple(StepRow(step, None, None, None, trouble=budget.NO_TIME) for step in CASE_STEPS)
    said = incomplete(question, _explanation(short, (Unmeasured((("LOG", "frame"),), budget.NO_TIME),)))
    assert said[0] == "1 of 2 switches" and said[1].startswith("11 of 11 steps of the case study on the 2d device: ")
    assert int(said[1].split("BUDGET=")[1].split()[0]) > 100
    whole = tuple(StepRow(step, None, None, None, same="identical code") for step in CASE_STEPS)
    assert not incomplete(question, _explanation(whole, ()))
