"""A screen that stands still, where it may: what passes without a frame rate, what does not, and few frames."""

from __future__ import annotations

import dataclasses

import pytest

from harness.gate.approved.target_rules import rules_of_target
from harness.gate.judging.basis import Basis
from harness.gate.judging.metrics import TAIL_METRICS
from harness.gate.judging.still import StillScreen, may_wait
from harness.gate.judging.verdict import Judgement, judge
from harness.model.result import Arm, Frames, Metric
from harness.model.spec import FOREIGN, Verdict
from harness.model.target import Target, TargetFrame, TargetGates
from harness.model.target_baseline import FIRST

STILL = StillScreen(0, 5.0)
FEW = "13 frame times are too few for it, 100 are needed"


def _judge(
    target: Target = Target("mine"), metrics: tuple[tuple[str, float], ...] = (), **changes: object
) -> Judgement:
    found = {name: Metric(value, "", "trace", n=13) for name, value in (("boot_ms", 140.0), *metrics)}
    basis = Basis(
        Arm({}, "ab" * 32, found),
        frames=Frames(checked=8, intact=8, judged_as="not noise"),
        capabilities=FOREIGN,
        rules=rules_of_target(target),
        first=True,
        no_reference=FIRST,
        still=STILL,
        not_measured={
            "instructions_per_frame": "not asked for",
            "predicted_frame_ms": "not asked for",
            "input_late": "not asked for",
        },
    )
    return judge(dataclasses.replace(basis, **changes))


def test_a_first_run_of_a_still_screen_passes_and_says_what_was_judged() -> None:
    judgement = _judge()
    assert judgement.verdict is Verdict.PASS, judgement.sentence
    assert judgement.sentence == (
        "pass: the screen stands still: no new frame in 5 s; pictures pass, and gates.fps_floor declares no floor "
        "(not noise); approve to gate on change"
    )


def test_without_pictures_a_still_screen_passes_by_nothing() -> None:
    assert _judge(frames=None).verdict is Verdict.INCONCLUSIVE


def test_a_run_without_frames_that_must_move_stays_undecided() -> None:
    judgement = _judge(still=None)
    assert judgement.verdict is Verdict.INCONCLUSIVE and "frame rate" in judgement.sentence


STOPPED = StillScreen(20, 5.0, 4.9)


def test_frames_that_stopped_are_told_and_keep_no_floor() -> None:
    times = (("fps_trace", 232.7), ("fps_window", 232.7), ("frame_ms_max", 9.0))
    lacking = {**dict.fromkeys(TAIL_METRICS, FEW), "instructions_per_frame": "-", "input_late": "-"}
    judgement = _judge(Target("mine"), times, still=STOPPED, not_measured=lacking)
    assert judgement.verdict is Verdict.PASS
    assert "232.7 frames/s until the screen stands still: no new frame in the last 4.9 s" in judgement.sentence
    floor = Target("mine", gates=TargetGates(fps_floor=10))
    judgement = _judge(floor, times, still=STOPPED, not_measured=lacking)
    assert judgement.verdict is Verdict.REGRESSION and "below the floor of 10" in judgement.sentence


@pytest.mark.parametrize(
    ("target", "still", "verdict", "says"),
    [
        (Target("mine", gates=TargetGates(fps_floor=10)), STILL, Verdict.REGRESSION, "is below the floor of 10"),
        (Target("mine", frame=TargetFrame(pace=30)), STILL, Verdict.REGRESSION, "does not keep the pace of 30"),
        (Target("mine", gates=TargetGates(p99_ms=9)), STILL, Verdict.INCONCLUSIVE, "too few frames to judge"),
        (
            Target("mine", gates=TargetGates(fps_floor=0.1)),
            StillScreen(2, 20.0),
            Verdict.INCONCLUSIVE,
            "2 new frames in 20 s: too few frames to judge; limits.window_s makes the window longer",
        ),
    ],
)
def test_what_is_declared_holds_for_a_still_screen_too(
    target: Target, still: StillScreen, verdict: Verdict, says: str
) -> None:
    judgement = _judge(target, still=still)
    assert judgement.verdict is verdict and says in judgement.sentence, judgement.sentence


def test_a_screen_that_moved_when_it_was_approved_may_not_stand_still() -> None:
    judgement = _judge(first=False, no_reference="", stored_fps={"fps_window": 60.0})
    assert judgement.verdict is Verdict.REGRESSION
    assert "no new frame in 5 s, where the approved kernel showed 60 frames/s" in judgement.sentence


def test_a_screen_that_stood_still_when_it_was_approved_passes_by_its_pictures() -> None:
    judgement = _judge(first=False, no_reference="", stored_fps={})
    assert judgement.verdict is Verdict.PASS
    assert judgement.sentence == "pass: the screen stands still: no new frame in 5 s; 8 of 8 pictures not noise"


def test_a_screen_that_stood_still_when_it_was_approved_may_move_now() -> None:
    names = ("fps_trace", "fps_window", "boot_ms")
    moving = Arm({}, "ab" * 32, {name: Metric(60.0, "", "trace") for name in names})
    judgement = _judge(
        candidate=moving,
        reference=moving,
        first=False,
        no_reference="",
        still=None,
        not_measured={**dict.fromkeys(TAIL_METRICS, "-"), "instructions_per_frame": "-", "input_late": "-"},
        stood_still="the screen stood still when it was approved",
    )
    assert judgement.verdict is Verdict.PASS, judgement.sentence
    gate = next(one for one in judgement.gates if (one.metric, one.kind) == ("fps_trace", "ratio"))
    assert gate.why == "not applicable: the screen stood still when it was approved"


SLOW = (
    ("fps_trace", 0.67),
    ("fps_window", 0.67),
    ("frame_ms_max", 1501.0),
)


def _slow(target: Target = Target("mine")) -> Judgement:
    lacking = {**dict.fromkeys(TAIL_METRICS, FEW), "instructions_per_frame": "-", "input_late": "-"}
    return _judge(target, SLOW, still=None, few_frames=FEW, not_measured=lacking)


def test_few_frames_leave_percentiles_open_and_decide_nothing_else() -> None:
    judgement = _slow()
    assert judgement.verdict is Verdict.PASS and "pass: 0.67 frames/s" in judgement.sentence, judgement.sentence
    assert next(one for one in judgement.gates if one.metric == "frame_ms_p99").why == f"not applicable: {FEW}"


@pytest.mark.parametrize(
    ("most_ms", "verdict", "says"),
    [
        (1600.0, Verdict.PASS, "pass: 0.67 frames/s"),
        (400.0, Verdict.INCONCLUSIVE, f"{FEW}, and the longest took 1,501"),
    ],
)
def test_of_few_frames_the_longest_stands_for_a_declared_percentile(
    most_ms: float, verdict: Verdict, says: str
) -> None:
    judgement = _slow(Target("mine", gates=TargetGates(p99_ms=most_ms)))
    assert judgement.verdict is verdict and says in judgement.sentence, judgement.sentence


def test_a_guest_that_may_wait_for_somebody_is_quoted() -> None:
    (said,) = may_wait(STILL, "tiny> press enter", Target("mine"))
    assert said == (
        "the guest's last line is 'tiny> press enter': if it waits there, "
        'input = [["pattern", "text\\n"]] in mine.toml types to it'
    )
    typed = Target("mine", input=(("enter", "\n"),))
    for still, words, target in ((None, "x", Target("mine")), (STILL, "", Target("mine")), (STILL, "x", typed)):
        assert may_wait(still, words, target) == ()
