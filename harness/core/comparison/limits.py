"""How large a change has to be: what matters, and a smaller aim where the noise allows to tell it from none."""

from __future__ import annotations

import math

from harness.model.record import Plan

AIM = 0.01
"""Smallest change that is looked for where the noise allows, unless somebody names another."""
AIM_PRECISION = 0.8
"""Share of the aim: half an interval that leaves room for the offset of an unchanged kernel."""
NEAR_AIM = 0.7
"""Share of the aim from which on a change that may be as large is told."""
AIM_PATIENCE = 2.0
"""How many times as many launches an aim may cost that is not needed for the verdict."""


def smallest_shown(size: float, half: float, plan: Plan) -> float:
    """The smallest of the plan's two thresholds that an interval of this size and half width stays within, if any."""
    return plan.aim if plan.aim is not None and size + half < math.log1p(plan.aim) else plan.smallest


def smallest_told(half: float, plan: Plan) -> float:
    """The smallest change that is one: the aim, once the interval is narrow enough to tell it from none."""
    return plan.aim if plan.aim is not None and half < math.log1p(plan.aim) else plan.smallest


def matters(size: float, half: float, plan: Plan) -> bool:
    """Whether a change that is certain is large enough to be told.

    A change as large as the aim would fall below it in half of all sessions. From ``NEAR_AIM`` of it on it is told,
    unless the interval shows that it is smaller.
    """
    told = math.log1p(smallest_told(half, plan))
    near = plan.aim is not None and told == math.log1p(plan.aim) and size >= NEAR_AIM * told
    return size >= told or (near and size + half >= told)


def aim_in_reach(half: float, shown: float, seen: int, plan: Plan) -> bool:
    """Whether a few launches more would tell the aim from none, which they do not yet."""
    if plan.aim is None or shown == plan.aim:
        return False
    goal = AIM_PRECISION * math.log1p(plan.aim)
    return half < goal * math.sqrt(AIM_PATIENCE) and seen * AIM_PATIENCE <= plan.launches
