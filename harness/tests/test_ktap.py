"""The KTAP parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.guest.ktap import parse_ktap
from harness.tests.fuzz import damaged, fuzz

SOUND = """\
[BOOT] kernel=roulette
KTAP version 1
1..2
  KTAP version 1
  # Subtest: virtqueue
  1..3
  ok 1 - wraps at 65536
  # kernel/test/ktest_virtqueue.c:40: used == 2, expected 3
  not ok 2 - reuses descriptors
  ok 3 - indirect # SKIP not offered
not ok 1 - virtqueue
  KTAP version 1
  1..1
  ok 1 prints numbers
ok 2 print
[DONE] status=ok
"""


def test_tests_are_counted_at_their_leaves_with_full_names() -> None:
    suites = parse_ktap(SOUND)
    assert (suites.passed, suites.failed, suites.skipped) == (2, 1, 1)
    names = [name for name, _ in suites.leaves]
    assert names[1] == "virtqueue.reuses descriptors" and names[-1] == "print.prints numbers"
    assert suites.leaves[1][1].diagnostics == ("kernel/test/ktest_virtqueue.c:40: used == 2, expected 3",)
    assert suites.problems == () and not suites.ok


def test_all_passed_is_ok_and_nothing_run_is_not() -> None:
    passing = SOUND.replace("not ok", "ok")
    assert parse_ktap(passing).ok
    assert not parse_ktap("KTAP version 1\n1..0\n").ok
    assert not parse_ktap("").ok


def test_a_missing_test_is_a_problem() -> None:
    cut = SOUND.replace("not ok", "ok").replace("  ok 1 prints numbers\n", "")
    assert not parse_ktap(cut).ok and "1 tests planned, 0 reported" in parse_ktap(cut).problems[0]


def test_a_suite_that_never_ended_is_a_problem() -> None:
    cut = SOUND.replace("not ok", "ok").split("ok 1 - virtqueue")[0]
    assert any("never ended" in problem for problem in parse_ktap(cut).problems)


def test_a_parent_cannot_pass_over_a_failed_child() -> None:
    lying = SOUND.replace("not ok 1 - virtqueue", "ok 1 - virtqueue")
    suites = parse_ktap(lying)
    assert not suites.tests[0].passed and not suites.ok


def test_numbers_must_be_in_order() -> None:
    assert parse_ktap("1..2\nok 2 b\nok 1 a\n").problems


@fuzz
@given(damaged(SOUND.encode(), b"  ", b"not ", b"ok 1 x\n", b"1..9\n", b"# SKIP"))
@pytest.mark.slow
def test_damage_never_turns_failure_into_success(text: bytes) -> None:
    log = text.decode("utf-8", "backslashreplace")
    suites = parse_ktap(log)
    assert suites.passed + suites.failed + suites.skipped == len(suites.leaves)
    if suites.failed:
        assert not suites.ok


@fuzz
@given(st.text(alphabet="nokt 1.#-KTAPversi\n", max_size=200))
def test_any_text_parses(text: str) -> None:
    parse_ktap(text)
