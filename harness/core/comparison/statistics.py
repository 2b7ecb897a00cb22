"""Is the candidate slower than the reference? The comparison protocol, as a pure function of what was measured.

The launch is the unit of noise: two QEMU processes running identical kernels differ by some per cent for as long as
they live. Each launch, however many frames it drew, therefore gives one number, and the spread of these numbers says
how sure the answer is.

1. Within a launch, slices of both arms are combined into blocks in which every core carried both roles equally often
   and at the same mean time, so that differences between cores and steady drift cancel. The launch's effect is the
   Hodges-Lehmann estimate over its blocks (J. L. Hodges and E. L. Lehmann, Ann. Math. Statist. 34, 1963). Where the
   host preempts, undisturbed frames serve instead (:mod:`harness.core.comparison.undisturbed`); measured run delay
   decides which.
2. Over launches, the effect is a trimmed mean with the standard error of J. W. Tukey and D. H. McLaughlin (Sankhya A
   25, 1963) and Student's t; where launches follow each other's noise, the error is widened accordingly.
3. The data are looked at several times, with bounds that hold under stopping
   (:mod:`harness.core.comparison.sequential`).
4. A change is first an alarm, raised by one batch of launches, and a finding only when a second batch, which had no
   part in raising it, shows it again.

All effects are differences of log frame time, candidate minus reference: above 0 the candidate is slower.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.core.arrays import F64, I64
from harness.core.comparison.contradiction import AGREE_SHARE, COMPUTED_SHARE, Doubt, doubt_of
from harness.core.comparison.estimate import Estimate, estimate, hodges_lehmann
from harness.core.comparison.limits import aim_in_reach, matters, smallest_shown, smallest_told
from harness.core.comparison.sequential import bound_at, look_sizes
from harness.core.comparison.undisturbed import COMPUTED
from harness.core.wording import changed_by, percent, signed_percent, span
from harness.model.record import Launch as Launch
from harness.model.record import Plan as Plan
from harness.model.record import Slice as Slice

ORDERS_TRIM = 0.15
"""Share that the trimmed mean leaves out at each end where link orders take turns.

One order in fifteen was 4.4 % off and the others within 0.6 % (62 launches of a kernel in whose middle a function had
grown). A larger share is proof against more such orders, and raises false alarms where few launches fit: with a quarter
0.6 to 1.0 % of sessions of eleven, with this 0.1 to 0.2 % (3,000 made-up sessions each).
"""
CANDIDATE = "candidate"
REFERENCE = "reference"


class State(enum.Enum):
    """The outcome of a comparison."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    UNDECIDED = "undecided"


class Next(enum.Enum):
    """The session's next step."""

    STOP = "stop"
    MORE = "more"
    CONFIRM = "confirm"
    """More launches, in batch 1 from now on."""


@dataclass(frozen=True)
class Decision:
    """The decision, with size and certainty apart."""

    state: State
    direction: str
    """``slower``, ``faster`` or ``none``, of the estimate when changed."""
    ratio: float
    """Frame time, candidate / reference; NaN without data."""
    low: float
    high: float
    """Interval of ``ratio`` at ``confidence``, valid however the measuring was stopped; 0 to infinity before a look."""
    confidence: float
    launches: int
    spread: float
    """Standard deviation of one launch's effect."""
    detectable: float
    """Effect that this noise would let the whole budget find in 95 of 100 cases."""
    confirmed: bool
    next: Next
    words: str
    smallest: float = math.nan
    """The smallest change that counted as one."""

    def rules_out_slower(self, smallest: float) -> bool:
        """A slow-down of this relative size or more is ruled out."""
        return self.high < 1 + smallest


def plan_of(launches: int, smallest: float, aim: float | None = None, orders: int = 1) -> Plan:
    """The plan of a comparison; what matters lies well above the offset between builds that is allowed for.

    Parameters
    ----------
    orders
        Link orders that take turns. Each has an offset of its own, so that their mean has less of one.
    """
    allowance = min(Plan.allowance, smallest / 3) / math.sqrt(orders)
    trim = ORDERS_TRIM if orders > 1 else Plan.trim
    return Plan(smallest=smallest, aim=aim, allowance=allowance, trim=trim, launches=max(launches, 1))


def launch_effect(launch: Launch) -> float:
    """Log frame time, candidate minus reference, of one launch; NaN when nothing in it tells."""
    if launch.undisturbed is not None:
        return launch.undisturbed
    if launch.preempted:
        return math.nan
    blocks = balanced_blocks(launch.slices)
    return hodges_lehmann(np.array(blocks)) if blocks else math.nan


def balanced_blocks(slices: Sequence[Slice]) -> list[float]:
    """Effects of the smallest stretches in which role, core and time are balanced.

    A stretch is closed as soon as both roles had the same cores equally often, at the same mean slot. When the order of
    slices never lets the mean slots agree, they are left out of the condition.
    """
    for timed in (True, False):
        blocks: list[float] = []
        open_slices: list[Slice] = []
        slots = sorted({piece.slot for piece in slices})
        by_slot = {slot: [piece for piece in slices if piece.slot == slot and piece.median_ns > 0] for slot in slots}
        for slot in slots:
            open_slices += by_slot[slot]
            effect = _balanced_effect(open_slices, timed)
            if effect is not None:
                blocks.append(effect)
                open_slices = []
        if len(blocks) >= 2 or not timed:
            return blocks
    return []


def _balanced_effect(slices: Sequence[Slice], timed: bool) -> float | None:
    sides = [[piece for piece in slices if piece.role == role] for role in (CANDIDATE, REFERENCE)]
    if not sides[0] or Counter(piece.core for piece in sides[0]) != Counter(piece.core for piece in sides[1]):
        return None
    if timed and sum(piece.slot for piece in sides[0]) != sum(piece.slot for piece in sides[1]):
        return None
    candidate, reference = (sum(math.log(piece.median_ns) for piece in side) / len(side) for side in sides)
    return candidate - reference


def decide(launches: Sequence[Launch], plan: Plan = Plan()) -> Decision:
    """Compare the arms on what was measured so far.

    Parameters
    ----------
    launches : sequence of Launch
        All launches of the session in the order in which they ran, batches included.
    plan : Plan
        The same at every call of one session.
    """
    effects = np.array([launch_effect(launch) for launch in launches])
    batches = np.array([launch.batch for launch in launches], np.int64)
    sound = np.isfinite(effects)
    orders = [{bool(launch.layout) for launch in launches if launch.batch == batch} for batch in (0, 1)]
    relinked = orders == [{False}, {True}]
    computed = any(launch.summed_by == COMPUTED for launch in launches)
    doubt = doubt_of(effects, _checks(launches), plan.trim, COMPUTED_SHARE if computed else AGREE_SHARE)
    decision = decide_effects(effects[sound], batches[sound], plan, relinked, doubt)
    if sound.all() or decision.state is not State.UNDECIDED:
        return decision
    why = ", ".join(sorted({one.preempted for one, told in zip(launches, sound) if not told} - {""})[:2])
    untold = f"{int(np.count_nonzero(~sound))} of {len(launches)} launches told nothing{f' ({why})' if why else ''}"
    return replace(decision, words=f"{decision.words}; {untold}")


def _checks(launches: Sequence[Launch]) -> dict[str, F64]:
    """By figure: the effects of all launches by it; NaN where a launch was not summed up beside it."""
    names = sorted({name for launch in launches if launch.undisturbed is not None for name in launch.checks})
    return {name: np.array([launch.checks.get(name, math.nan) for launch in launches]) for name in names}


def decide_effects(
    effects: F64, batches: I64, plan: Plan = Plan(), relinked: bool = False, doubt: Doubt = Doubt()
) -> Decision:
    """:func:`decide` on the effects of launches, shape (n,), with their batches, shape (n,).

    Parameters
    ----------
    relinked
        Batch 1 ran both kernels linked in other orders: what it does not show was a matter of layout.
    doubt
        How much wider the interval of the size is for what other figures of the same launches say.
    """
    looks = look_sizes(plan.launches, plan.looks, plan.fewest)
    seen = max((look for look in looks if look <= len(effects)), default=0)
    whole = estimate(effects[:seen] if seen else effects, plan.trim)
    if whole is None or not seen:
        return _too_few(effects, whole, plan)
    bound = bound_at(seen, plan.launches, looks, 1 - plan.confidence)
    assert bound is not None
    half = whole.half_width(bound) + doubt.beside(whole.effect)
    side = _alarm(effects[batches == 0], plan)
    confirmed = side != 0 and _confirms(effects[batches == 1], side, plan, int(np.count_nonzero(batches == 0)))
    if relinked and side and not confirmed:
        free = _free_of_layout(effects, batches, plan, doubt)
        if free is not None:
            return free
    certain = side * whole.effect - half > 0 if side else False
    smallest = smallest_shown(abs(whole.effect), half, plan)
    told = certain and matters(side * whole.effect, half, plan)
    state = State.UNDECIDED
    if told and confirmed:
        state = State.CHANGED
    elif not told and abs(whole.effect) + half < math.log1p(smallest):
        state = State.UNCHANGED
    following = Next.STOP
    open_still = state is State.UNDECIDED or (state is State.UNCHANGED and aim_in_reach(half, smallest, seen, plan))
    if open_still and len(effects) < plan.launches:
        following = Next.CONFIRM if side and not np.any(batches == 1) else Next.MORE
    decision = _decision(whole, half, seen, plan, state, side, confirmed, following)
    if relinked and state is State.CHANGED:
        decision = replace(decision, words=f"{decision.words.removesuffix(')')}, linked in other orders too)")
    return replace(decision, words=f"{decision.words}; {doubt.words}") if doubt.words else decision


def _free_of_layout(effects: F64, batches: I64, plan: Plan, doubt: Doubt) -> Decision | None:
    """The result of other link orders after an alarm that they did not confirm; None before their first look."""
    first, second = (effects[batches == batch] for batch in (0, 1))
    linked = _interval(first, plan.launches, plan, doubt)
    free = _interval(second, max(plan.launches - len(first), plan.fewest), plan, doubt)
    if linked is None or free is None:
        return None
    state = State.UNCHANGED if abs(free[0].effect) + free[1] < math.log1p(plan.smallest) else State.UNDECIDED
    following = Next.MORE if state is State.UNDECIDED and len(effects) < plan.launches else Next.STOP
    found = _decision(*free, plan, state, 0, False, following)
    told = f"frame time {_told(*free)} linked in other orders, {_told(*linked)} as linked"
    if state is State.UNCHANGED:
        return replace(found, words=f"layout luck, no change beyond ±{percent(plan.smallest)}: {told}")
    slower = percent(max(found.high - 1, 0))
    return replace(found, words=f"undecided, up to {slower} slower is possible: {told}; an alarm may be layout luck")


def _interval(effects: F64, planned: int, plan: Plan, doubt: Doubt) -> tuple[Estimate, float, int] | None:
    """Estimate, half of its interval and launches of one batch at its last look; None before the first."""
    looks = look_sizes(planned, plan.looks, plan.fewest)
    seen = max((look for look in looks if look <= len(effects)), default=0)
    found, bound = estimate(effects[:seen], plan.trim), bound_at(seen, planned, looks, 1 - plan.confidence)
    if found is None or bound is None:
        return None
    return found, found.half_width(bound) + doubt.beside(found.effect), seen


def _told(found: Estimate, half: float, seen: int) -> str:
    """``+2.1 % (+1.2 to +3.0 %, 24 launches)``."""
    low, high = math.expm1(found.effect - half), math.expm1(found.effect + half)
    return f"{signed_percent(math.expm1(found.effect))} ({span(low, high)}, {seen} launches)"


def next_look(first: int, second: int, plan: Plan) -> int:
    """How many more launches it takes until the decision can change; 0 when the budget is used up.

    ``first`` and ``second`` count the launches in batch 0 and batch 1.
    """
    total = first + second
    ends = [look for look in look_sizes(plan.launches, plan.looks, plan.fewest) if look > total]
    if second:
        planned = max(plan.launches - first, plan.fewest)
        ends += [first + look for look in look_sizes(planned, plan.looks, plan.fewest) if look > second]
    return min((end - total for end in ends if end <= plan.launches), default=0)


def _alarm(effects: F64, plan: Plan) -> int:
    """1 when batch 0 says slower, -1 when it says faster, 0 when neither, at its last look."""
    looks = look_sizes(plan.launches, plan.looks, plan.fewest)
    last = plan.launches * (1 - plan.reserve)
    seen = max((look for look in looks if look <= min(len(effects), last)), default=0)
    return _side(effects[:seen], seen, plan.launches, looks, plan, plan.allowance) if seen else 0


def _confirms(effects: F64, side: int, plan: Plan, first_batch: int) -> bool:
    """Whether batch 1, on its own, shows an effect in the direction of batch 0's alarm.

    Batch 0 showed that the effect exceeds the allowance; both together show that it matters.
    """
    planned = max(plan.launches - first_batch, plan.fewest)
    looks = look_sizes(planned, plan.looks, plan.fewest)
    seen = max((look for look in looks if look <= len(effects)), default=0)
    return bool(seen) and _side(effects[:seen], seen, planned, looks, plan, 0.0) == side


def _side(effects: F64, seen: int, planned: int, looks: tuple[int, ...], plan: Plan, allowance: float) -> int:
    """1 or -1 when the effect surely exceeds the allowance to that side, else 0."""
    found = estimate(effects, plan.trim, correlated=False)
    bound = bound_at(seen, planned, looks, plan.alarm_alpha)
    if found is None or bound is None:
        return 0
    sure = abs(found.effect) - found.half_width(bound) > math.log1p(allowance)
    return int(math.copysign(1, found.effect)) if sure else 0


def _too_few(effects: F64, whole: Estimate | None, plan: Plan) -> Decision:
    ratio = math.exp(float(np.median(effects))) if len(effects) else math.nan
    following = Next.MORE if len(effects) < plan.launches else Next.STOP
    return Decision(
        State.UNDECIDED,
        "none",
        ratio,
        0.0,
        math.inf,
        plan.confidence,
        len(effects),
        whole.spread if whole else math.nan,
        math.nan,
        False,
        following,
        f"undecided: {len(effects)} launches are too few to tell noise from change, at least {plan.fewest} are needed",
    )


def _decision(
    whole: Estimate, half: float, seen: int, plan: Plan, state: State, side: int, confirmed: bool, following: Next
) -> Decision:
    low, high = math.exp(whole.effect - half), math.exp(whole.effect + half)
    direction = ("slower" if side > 0 else "faster") if state is State.CHANGED else "none"
    at_end = whole.error * math.sqrt(seen / plan.launches)
    detectable = math.expm1(max(math.log1p(plan.smallest) + 1.645 * at_end, math.log1p(plan.allowance) + 4.3 * at_end))
    return Decision(
        state,
        direction,
        math.exp(whole.effect),
        low,
        high,
        plan.confidence,
        seen,
        whole.spread,
        detectable,
        confirmed,
        following,
        _words(state, whole.effect, low, high, seen, plan, side, confirmed, detectable),
        smallest_told(half, plan),
    )


def _words(
    state: State,
    effect: float,
    low: float,
    high: float,
    seen: int,
    plan: Plan,
    side: int,
    confirmed: bool,
    detectable: float,
) -> str:
    """Size first, certainty second, what follows from both third. Changes are of frame time, + is slower."""
    change = math.expm1(effect)
    sure = span(low - 1, high - 1)
    if state is State.CHANGED:
        return f"{changed_by(change)} ({sure}, {seen} launches, confirmed)"
    size = f"frame time {signed_percent(change)} ({sure}, {seen} launches)"
    if state is State.UNCHANGED:
        shown = smallest_shown(abs(effect), math.log(high) - effect, plan)
        return f"no change beyond ±{percent(shown)}: {size}"
    reason = f"the smallest detectable change is {percent(detectable)} in this budget"
    if side and not confirmed:
        reason = "a first batch raised an alarm that a second batch has not confirmed"
    elif side and not low < 1 < high:
        reason = f"the change is real but may be smaller than the {percent(plan.smallest)} that matters"
    return f"undecided, up to {percent(max(high - 1, 0))} slower is possible: {size}; {reason}"
