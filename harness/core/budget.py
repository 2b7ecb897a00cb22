"""The least time that the parts of a command take, and the budget that would be enough where there was too little time.

The figures are those of two idle cores, whole seconds rounded up. They say what is refused before anything is built,
and in which proportion parts share what there is; no verdict rests on them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from harness.model.declared import stage_table

BUILD_S = 4.0
"""One kernel, from nothing."""
CLOSING_S = 4.0
"""The last launch's end, plots and pages."""
PICTURE_S = 0.026
"""A random pause, the capture and its comparison."""
PICTURES_LEAST = 30
"""For a target that draws or starts slowly: if this many are right, fewer than 10 % can be wrong."""
STAGE_S: Mapping[str, float] = {name: row.least_s for name, row in stage_table().items()}
"""A stage of the gate, of ``pictures`` without its captures."""
FUNCTIONS_S = 8.0
"""Counting instructions by function, of a candidate that executes more."""

DEFAULT_S: Mapping[str, int] = {"perf": 60, "ab": 120, "explain": 330}
"""The budget of commands that have a default, the most they take, and their pictures: a test compares the settings."""
MOST_S: Mapping[str, int] = {"perf": 3600, "ab": 36000, "explain": 7200, "acceptance": 7200, "bisect": 86400}
DEFAULT_PICTURES: Mapping[str, int] = {"perf": 250, "ab": 60}

COUNT_S = 4.0
"""The first part of an explanation: the counts of one kernel, and its frames taken apart."""
CHANGE_S = 4.0
"""One change timed against its base in an explanation, its kernel built."""
QUICK_CHANGE_S = 3.0
WATCH_S = 20.0
"""One launch in which the driver of a target is watched."""
CASE_S: Mapping[str, float] = {"2d": 60.0, "gl": 90.0}
"""The case study on one device: every step counted, then timed against the one before."""
REGRESSION_S = 30.0
"""Two kernels' frames taken apart in turn, and their instructions by function."""

CHECKLIST_S = 25.0
"""The part of the acceptance checklist that no device matters for: builds from nothing, race tests."""
DEVICE_S = 42.0
"""On each device, besides the roulette, the pictures and the change in frame rate."""
CHANGE_ON_DEVICE_S = 26.0
"""The change in frame rate, as long as it is given without a budget."""

LAUNCH_S = 2.0
"""One launch of a calibration."""
DRAWING_S = 15.0
"""The fewest sessions drawn from its launches."""
FEWEST_LAUNCHES = 6
"""Launches of each planted effect, whatever the time; a test compares it."""

SURVEY_STAGES = ("window", "pictures")
STEP_S = 30.0
"""One comparison of a bisection: two images in a window and in timing."""
NO_TIME = "no time was left"
"""Begins the reason of what was asked for and had to be left out; :func:`no_time` says it whole."""

_ROUND_S = 5
MARGIN = 1.1
"""A proposed budget exceeds what was seen by this factor."""


def calibrate_s(effects: int) -> float:
    """The least for ``calibrate``: kernels in several orders, the fewest launches, the fewest sessions."""
    return 3 * BUILD_S + (1 + effects) * FEWEST_LAUNCHES * LAUNCH_S + DRAWING_S + CLOSING_S


def stage_s(stage: str, pictures: int = 0) -> float:
    """Seconds that a stage of the gate takes; 0 for an unknown one."""
    return STAGE_S.get(stage, 0.0) + (pictures * PICTURE_S if stage == "pictures" else 0.0)


def stages_s(stages: Collection[str], pictures: int) -> float:
    """Seconds that several stages take."""
    return sum(stage_s(stage, pictures) for stage in stages)


def perf_s(stages: Collection[str], pictures: int) -> float:
    """The least for ``perf``."""
    return BUILD_S + stages_s(stages, pictures) + CLOSING_S


def ab_s(arms: int, stages: Collection[str], pictures: int) -> float:
    """The least for ``ab``: every further arm in all stages against the first, which has a window of its own."""
    alone = [stage for stage in stages if stage in ("window", "pictures")]
    return arms * BUILD_S + (arms - 1) * stages_s(stages, pictures) + stages_s(alone, pictures) + CLOSING_S


def explain_s(changes: int, devices: Collection[str], quick: bool) -> float:
    """The least for ``explain``: this many changes of one switch, and the case study on these devices."""
    head_s = 2 * BUILD_S + COUNT_S
    each_s = QUICK_CHANGE_S if quick else CHANGE_S
    return head_s + changes * each_s + sum(CASE_S[device] for device in devices) + CLOSING_S


def regression_s() -> float:
    """The least for ``explain RESULT=…``, which times nothing where no switch differs."""
    return BUILD_S + REGRESSION_S + CLOSING_S


def survey_s(targets: int) -> float:
    """The least for ``survey``: of each target the gate with few pictures, and a look at how its driver waits."""
    return targets * (perf_s(SURVEY_STAGES, PICTURES_LEAST) + WATCH_S)


def acceptance_s(devices: int, roulette_s: float, pictures: int, change_s: float = STAGE_S["timing"]) -> float:
    """The least for ``acceptance``, with this long for the change in frame rate."""
    each_s = DEVICE_S + roulette_s + stage_s("pictures", pictures) + change_s
    return CHECKLIST_S + devices * each_s + CLOSING_S


def bisect_steps(commits: int) -> int:
    """How many comparisons a search among this many commits needs, beside the two that take twice as long."""
    return max(math.ceil(math.log2(max(commits, 1))), 0)


def bisect_s(commits: int, step_s: float = STEP_S) -> float:
    """The time for ``bisect``: both ends against each other, each step, and the culprit against its parent."""
    steps = bisect_steps(commits)
    return (steps + 4) * step_s + (steps + 4) * BUILD_S + CLOSING_S


def bisect_step_s(budget_s: float, commits: int) -> float:
    """How long one step may take, by the budget of the whole."""
    steps = bisect_steps(commits)
    return (budget_s - (steps + 4) * BUILD_S - CLOSING_S) / (steps + 4)


def rounded_s(seconds: float) -> int:
    """A budget to give: not less, and a round number."""
    return math.ceil(seconds / _ROUND_S) * _ROUND_S


def budget_that_would_do(
    spent_s: float, took_s: float, done_s: float, missing_s: float, shares: int = 1, after_s: float = 0.0
) -> int:
    """The budget for everything that was asked for, on a host as slow as this one was.

    Parameters
    ----------
    spent_s
        What the command had taken before its parts.
    took_s
        What the parts took that were measured.
    done_s, missing_s
        What these, and those that were not measured, take on two idle cores.
    shares
        How many equal shares what is left after ``spent_s`` has, of which the parts are one.
    after_s
        What comes after all shares, on two idle cores.
    """
    slowness = max(took_s / done_s, 1.0) if done_s > 0 else 1.0
    share_s = took_s + slowness * missing_s
    return rounded_s((spent_s + shares * share_s + slowness * after_s + CLOSING_S) * MARGIN)


def budget_words(seconds: float) -> str:
    """A budget as a setting, to a tenth of a second."""
    return f"BUDGET={seconds:.1f}"


def no_time(budget_s: int) -> str:
    """Why a part was left out, and what would have done."""
    return f"{NO_TIME}: BUDGET={budget_s} would do"
