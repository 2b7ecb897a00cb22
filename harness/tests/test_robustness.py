"""The attacks of the benchmark ``robustness``: a few in every run of the tests, all of them in the full one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.benchmarks.robustness import BOX_MS
from harness.robustness.box_cost import box_cost_ms
from harness.robustness.checkout import Checkout
from harness.robustness.damaged_fields import (
    KINDS,
    FieldDamage,
    JudgedField,
    damaged,
    damages_of,
    judge_damaged,
    places_of,
)
from harness.robustness.damaged_runs import READERS, damage_run, read_damaged
from harness.robustness.hostile import runner_problems
from harness.robustness.hostile_guests import GUESTS, HostileGuest, literal, problems_of
from harness.robustness.random_kills import kill_at_random, prepare
from harness.robustness.stopped_qemu import POINTS, stop_at
from harness.tests.test_replay import save_run

FEW, DAMAGED, KILLS, SAMPLED = 12, 500, 50, 97
pytestmark = pytest.mark.xdist_group("robustness")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return prepare(tmp_path_factory.mktemp("checkout") / "tree")


@pytest.fixture
def tree(checkout: Checkout) -> Iterator[Checkout]:
    checkout.forget()
    yield checkout
    assert not checkout.processes()


@pytest.mark.parametrize("count", [FEW, pytest.param(DAMAGED, marks=pytest.mark.full)])
@pytest.mark.slow
def test_no_damaged_run_ends_in_a_traceback(tmp_path: Path, count: int) -> None:
    save_run(tmp_path / "saved")
    readings = read_damaged(tmp_path / "saved", tmp_path / "damaged", count)
    assert len(readings) == count * len(READERS)
    assert not [problem for reading in readings for problem in reading.problems]
    assert 2 in {reading.code for reading in readings}


@pytest.mark.parametrize("every", [SAMPLED, pytest.param(1, marks=pytest.mark.full)])
def test_a_damaged_field_is_replayed_or_refused(tmp_path: Path, every: int) -> None:
    save_run(tmp_path / "saved")
    text = (tmp_path / "saved" / "result.json").read_text("utf-8")
    judged = judge_damaged(tmp_path / "saved", damages_of(json.loads(text))[::every])
    assert not [one.problem for one in judged if one.problem]
    assert {one.damage.kind for one in judged} == set(KINDS) and any(one.refused for one in judged)
    assert (tmp_path / "saved" / "result.json").read_text("utf-8") == text


def test_every_field_is_reached_in_every_kind() -> None:
    plain = {"a": [{"b": 1}, {"b": 2}], "c": None}
    assert [".".join(map(str, where)) for where in places_of(plain)] == ["a", "a.0", "a.0.b", "a.1", "a.1.b", "c"]
    assert len(damages_of(plain)) == 6 * len(KINDS) and len(damages_of(plain, alike=True)) == 4 * len(KINDS)
    assert plain == {"a": [{"b": 1}, {"b": 2}], "c": None}
    texts = [damaged(plain, damage) for damage in damages_of(plain)]
    assert len(set(texts)) == len(texts) and damaged(plain, FieldDamage(("a", 0), "missing")) in texts
    assert not JudgedField(FieldDamage(("a",), "null"), 0, "").problem
    for code, said in ((5, "harness-failed"), (2, "usage: x"), (0, "Traceback")):
        assert JudgedField(FieldDamage(("a",), "null"), code, said).problem


def test_damage_is_done_and_repeats(tmp_path: Path) -> None:
    said = []
    for number in range(2):
        save_run(tmp_path / str(number))
        said.append(damage_run(tmp_path / str(number), random.Random(3)))
    assert said[0] == said[1]


@pytest.mark.qemu
@pytest.mark.parametrize(
    "guest",
    [pytest.param(one, id=one.name, marks=[pytest.mark.full] if number else []) for number, one in enumerate(GUESTS)],
)
def test_nothing_of_a_hostile_guest_is_more_than_text(tree: Checkout, guest: HostileGuest) -> None:
    problems = problems_of(guest, tree)
    assert not problems, problems


def test_a_literal_of_c_holds_the_bytes() -> None:
    assert literal(b'a"\n\xff') == '"\\141\\042\\012\\377"'
    assert runner_problems("##[error]x") and runner_problems("::error::x") and runner_problems("a\x1b[2J")


@pytest.mark.qemu
@pytest.mark.parametrize(
    "number", [pytest.param(one, marks=[] if one in (2, 7) else [pytest.mark.full]) for one in range(KILLS)]
)
def test_a_kill_at_any_moment_leaves_nothing(tree: Checkout, number: int) -> None:
    problems = kill_at_random(tree, number)
    assert not problems, problems


@pytest.mark.qemu
@pytest.mark.parametrize(
    "point", [pytest.param(one, marks=[] if one == 4 else [pytest.mark.full]) for one in range(POINTS)]
)
def test_a_stopped_qemu_is_never_the_guest_s_failure(tree: Checkout, point: int) -> None:
    problems = stop_at(tree, point)
    assert not problems, problems


@pytest.mark.full
def test_the_box_costs_little(tmp_path: Path) -> None:
    assert box_cost_ms(tmp_path, 15) <= BOX_MS
