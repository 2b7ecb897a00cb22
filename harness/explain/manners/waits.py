"""Rules about waiting: for answers, for time to pass, and what the CPU does meanwhile."""

from __future__ import annotations

import numpy as np

from harness.core.arrays import F64, I64
from harness.core.comparison.lottery import FEWEST_LAUNCHES, launch_groups, lottery_advice
from harness.core.wording import percent
from harness.explain.manners.facts import NEVER_NS, DriverFacts, median_of
from harness.explain.manners.manner import DriverManner, not_looked

WENT_ON = 0.002
"""Share of notifications that may come before the answer to what was notified before."""
READS_MANY = 3.0
"""Reads of the device's registers a flush, while the driver waits for it."""
OVERLAP_LARGE = 0.1
"""Share of a frame during which the CPU computes while only the device has something to do."""
LATE_NS = 500_000
LATE_FACTOR = 5.0
"""A look at an answer is late from LATE_NS on, and where it takes LATE_FACTOR times as long as the device did."""
RESTS = 0.3
"""Share of a frame that the CPU rests."""
TICKS_MS = (10.0, 1000 / 64, 1000 / 60, 20.0, 1000 / 30, 1000 / 18.2065)
"""Periods of timers that kernels use, the shortest first. Below these the host's own scheduler keeps ticks."""
LOCKED = 0.5
"""Share of frames that begin within PHASE_WIDTH of a tick after it, at least, where frames wait for ticks."""
PHASE_WIDTH = 0.1
FRAMES_FEWEST = 30


def gives_up(facts: DriverFacts) -> DriverManner:
    """Notifications that come before what was notified earlier has been answered, by drivers that wait by polling."""
    rule = "waits"
    early, total = _early_notifies(facts)
    if not total:
        return not_looked(rule, "fewer than two notifications were traced")
    figures = f"{early} of {total} notifications came before the answer to the one before"
    if early <= WENT_ON * total or facts.interrupts or _shares_buffers(facts):
        return DriverManner(rule, figures)
    advice = (
        "Bound the wait by time and not by turns, and treat an answer that does not come as an error: "
        "how many turns an answer takes depends on the machine"
    )
    return DriverManner(rule, figures, advice)


def _early_notifies(facts: DriverFacts) -> tuple[int, int]:
    """Notifications at which some command was open, or the last notification's had not even been taken."""
    notify_ns, given = facts.notify_ns, facts.commands
    if len(notify_ns) < 2 or not len(given):
        return 0, 0
    later = notify_ns[1:]
    answered = np.searchsorted(np.sort(given.answered_ns), later, side="right")
    taken = np.searchsorted(np.sort(given.taken_ns), later)
    none_since = taken == np.searchsorted(np.sort(given.taken_ns), notify_ns[:-1])
    return int(np.count_nonzero((taken > answered) | none_since)), len(later)


def _reused(facts: DriverFacts) -> int:
    """Samples in which one buffer stood for two commands at once."""
    return sum(len(set(sample.waiting)) < len(sample.waiting) for sample in facts.samples)


def _shares_buffers(facts: DriverFacts) -> bool:
    """One buffer was used by two commands at once, or there is only one buffer."""
    one_buffer = bool(facts.control) and all(
        len({one.head for one in sample.commands}) == 1 for sample in facts.control
    )
    return one_buffer or _reused(facts) > 0


def buffers_reused(facts: DriverFacts) -> DriverManner:
    """Buffers that are given again before the device answered them."""
    rule = "buffers"
    if not facts.control:
        return not_looked(rule, "QEMU does not tell where the rings are")
    early, total = _early_notifies(facts)
    heads = len({one.head for sample in facts.control for one in sample.commands})
    buffers = "1 buffer" if heads == 1 else f"{heads} buffers"
    figures = f"{buffers} for commands; {early} of {total} notifications came before the answer"
    if not _reused(facts) and not (_shares_buffers(facts) and early > WENT_ON * max(total, 1)):
        return DriverManner(rule, figures)
    advice = (
        "Give each command a buffer of its own until it is answered: the device reads the later command twice, "
        "and never sees the earlier one"
    )
    return DriverManner(rule, figures, advice)


def polling_cost(facts: DriverFacts) -> DriverManner:
    """The cost of waiting: reads of registers, and a CPU that computes while only the device works."""
    rule = "polling"
    if facts.cpu is None or not facts.frames_traced:
        return not_looked(rule, "the CPU's time was not measured")
    frame_ms, overlap_ms = facts.interval_ms, facts.a_frame(overlap_s(facts)) * 1e3
    figures = f"the CPU computes {overlap_ms:.2f} of {frame_ms:.2f} ms a frame while the device works"
    reads = facts.register_reads
    each = reads.reads / max(reads.flushes, 1) if reads else 0.0
    if reads:
        figures += f", and reads its registers {each:.0f} times a flush"
    if each >= READS_MANY:
        advice = "Look at used->idx in memory: each read of a register leaves the guest and holds the device up"
        return DriverManner(rule, figures, advice)
    if frame_ms and overlap_ms >= OVERLAP_LARGE * frame_ms and not facts.interrupts:
        return DriverManner(
            rule, figures, "Draw the next frame meanwhile, or sleep until the interrupt: a spinning CPU is lost"
        )
    return DriverManner(rule, figures)


def overlap_s(facts: DriverFacts) -> float:
    """For how long the CPU computed while only the device had something to do, at the least, in seconds."""
    if facts.cpu is None:
        return 0.0
    works_s = device_s(facts) - facts.cpu.device_waited_s
    return max(0.0, min(works_s, facts.cpu.vcpu_s + facts.cpu.vcpu_waited_s + works_s - facts.cpu.wall_s))


def device_s(facts: DriverFacts) -> float:
    """For how long some command was open, from its notification to the answer, in seconds."""
    given = facts.commands
    answered = given.answered_ns < NEVER_NS
    if not answered.any() or not len(facts.notify_ns):
        return 0.0
    at = np.maximum(np.searchsorted(facts.notify_ns, given.taken_ns[answered]) - 1, 0)
    begins = np.minimum(facts.notify_ns[at], given.taken_ns[answered])
    ends = np.maximum.accumulate(given.answered_ns[answered])
    before = np.append(begins[0], ends[:-1])
    return float(np.maximum(ends - np.maximum(begins, before), 0).sum()) / 1e9


def late_look(facts: DriverFacts) -> DriverManner:
    """Within a frame, from the answer to a transfer to the next notification: a driver that waits without a look."""
    rule = "late poll"
    given = facts.commands
    last = np.flatnonzero(given.transfer & (given.answered_ns < NEVER_NS))
    if not len(last) or not len(facts.notify_ns):
        return not_looked(rule, "no transfer was traced from notification to answer")
    following = np.append(facts.notify_ns, NEVER_NS)[np.searchsorted(facts.notify_ns, given.answered_ns[last])]
    next_taken = np.append(given.taken_ns, NEVER_NS)[last + 1]
    next_flush = np.append(given.flush, False)[last + 1]
    apart = next_flush & (following < NEVER_NS) & (following <= next_taken)
    if np.count_nonzero(apart) < FRAMES_FEWEST // 2:
        return DriverManner(rule, "transfers and flushes are notified together")
    late_ns = median_of(following[apart] - given.answered_ns[last][apart])
    device_ns = median_of(given.answered_ns[last][apart] - given.taken_ns[last][apart])
    figures = f"the flush is notified {late_ns / 1e6:.2f} ms after the answer to the transfer, which took "
    figures += f"{device_ns / 1e6:.2f} ms"
    if late_ns < max(LATE_NS, LATE_FACTOR * device_ns):
        return DriverManner(rule, figures)
    return DriverManner(
        rule, figures, "Look at used->idx instead of waiting for a fixed time: the answer was there long before"
    )


def idle_gaps(facts: DriverFacts) -> DriverManner:
    """A CPU that rests between frames, and frames that begin at the ticks of a timer."""
    rule = "idle gaps"
    if facts.cpu is None or facts.frames_traced < FRAMES_FEWEST:
        return not_looked(rule, f"fewer than {FRAMES_FEWEST} frames, or the CPU's time was not measured")
    rest = 1 - min(1.0, (facts.cpu.vcpu_s + facts.cpu.vcpu_waited_s) / facts.cpu.wall_s)
    tick_ms = timer_tick_ms(facts.begins_ns)
    figures = f"the CPU rests {percent(rest, 0)} of the time; a frame takes {facts.interval_ms:.2f} ms"
    if tick_ms:
        figures += f", and begins at a tick of {tick_ms:.4g} ms"
    if facts.pace or (rest < RESTS and not tick_ms):
        return DriverManner(rule, figures)
    if tick_ms:
        return DriverManner(
            rule,
            figures,
            "Begin the next frame when the answer comes, not at the next tick of the timer, or declare the pace",
        )
    return DriverManner(
        rule, figures, "Find out what the guest waits for: it could draw more frames, unless it keeps a pace"
    )


def timer_tick_ms(times_ns: I64) -> float:
    """The timer's period that frames keep to; 0 when they keep to none.

    Frames that wait for a tick of T begin at one phase (their times modulo T) for the whole run, and are late only
    where the host was busy. Frames that come as fast as they can drift through all phases.

    Parameters
    ----------
    times_ns
        When each frame began to reach the device, shape (n,).
    """
    if len(times_ns) < FRAMES_FEWEST:
        return 0.0
    typical_ms = float(np.median(np.diff(times_ns))) / 1e6
    times_ms = (times_ns - times_ns[0]) / 1e6
    found = [(share, -tick_ms) for tick_ms in TICKS_MS for share in [_on_time(times_ms, tick_ms)[0]]]
    share, tick_ms = max(found)
    tick_ms = -tick_ms
    if share < LOCKED or typical_ms < 0.75 * tick_ms:
        return 0.0
    half = len(times_ms) // 2
    early, late = (_on_time(part, tick_ms)[1] for part in (times_ms[:half], times_ms[half:]))
    drift = abs((late - early + 0.5) % 1 - 0.5)
    return tick_ms if drift <= PHASE_WIDTH / 2 else 0.0


def _on_time(times_ms: F64, tick_ms: float) -> tuple[float, float]:
    """The largest share of phases that lie within PHASE_WIDTH of each other, and the first of these."""
    phases = np.sort(times_ms / tick_ms % 1)
    around = np.append(phases, phases + 1)
    within = np.searchsorted(around, phases + PHASE_WIDTH) - np.arange(len(phases))
    at = int(np.argmax(within))
    return float(within[at]) / len(phases), float(phases[at])


def lottery(facts: DriverFacts) -> DriverManner:
    """Launches of one image that fall into groups: QEMU's table of translations."""
    rule = "launches"
    count = len(facts.launch_ms)
    if count < FEWEST_LAUNCHES:
        return not_looked(rule, f"{count} launches were timed, {FEWEST_LAUNCHES} tell groups apart")
    groups = launch_groups(facts.launch_ms)
    low, high = min(facts.launch_ms), max(facts.launch_ms)
    figures = f"{count} launches at {low:.2f} to {high:.2f} ms a frame, of {len(groups)} kind{'s'[: len(groups) > 1]}"
    return DriverManner(rule, figures, lottery_advice(groups, "QEMU's TLB"))
