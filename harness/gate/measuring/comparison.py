"""A comparison while it runs: how many pairs at once, how many launches more, and what an alarm asks for."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.core.comparison.statistics import Decision, Next, Plan, decide, next_look, plan_of
from harness.core.wording import signed_percent
from harness.gate.measuring.launch import ClockStepped, MeasuredLaunch, PairSpec, measure_launches
from harness.gate.measuring.protocol import Protocol, fitted_protocol, protocol_beside_load, surviving_protocol
from harness.gate.measuring.timing import NOT_RELINKED, Timing, alike
from harness.model.spec import RunSpec
from harness.platform.host.hostload import available_memory_mib, host_load, host_moment
from harness.platform.host.leases import Progress
from harness.platform.machine.pin import CoreVanished

Arms = Mapping[str, RunSpec]
"""By role."""

OVERRUN = 1.1
"""Share of the budget that launches may use: the last may end late."""
PAIRS_SLOW = 0.25
"""How much longer frames may get when more pairs run at once: beyond, pairs compete for more than cores."""
LINK_FIRST_S = 10.0
"""A budget that has time to link both kernels in other orders before the first launch that counts."""
PAIR_MIB = 2 * 64
"""Memory of a pair beside that of its guests."""


@dataclass(frozen=True)
class Relinked:
    """Both arms linked in other orders, or why they are not."""

    arms: tuple[Arms, ...] = ()
    problem: str = ""


def compare(
    arms: Arms,
    folder: Path,
    protocol: Protocol,
    budget_s: float,
    progress: Progress,
    random_state: int,
    smallest: float = 0.015,
    aim: float | None = None,
    relink: Callable[[], Relinked] | None = None,
    same_tlb: bool = True,
) -> Timing:
    """Launch pairs until the decision is reached or the budget is used up.

    Parameters
    ----------
    arms
        ``candidate`` and ``reference``.
    budget_s
        Time for all launches. The first launch, which warms caches and is not used, says how many fit.
    random_state
        Of the randomised roles and cores.
    aim
        A smaller effect that is looked for where the noise allows.
    relink
        Images linked in other orders. Launches take turns at them; where the budget has no time for that, only those
        that are to confirm an alarm.
    same_tlb
        Both arms warm their translations, or neither; False where that difference is what is asked.
    """
    comparison = _Comparison(arms, folder, protocol, budget_s, progress, np.random.default_rng(random_state))
    return comparison.run(smallest, aim, relink, same_tlb)


def status_words(decision: Decision, launches: int, most: int, left_s: float) -> str:
    """``comparing 12/28 · +2.6 % ± 4.0 · about 20 s left``: at most, for it may be decided sooner."""
    size = ""
    if math.isfinite(decision.ratio) and 0 < decision.low and math.isfinite(decision.high):
        size = f" · {signed_percent(decision.ratio - 1)} ± {50 * (decision.high - decision.low):.1f}"
    return f"comparing {launches}/{most}{size} · about {max(left_s, 0):.0f} s left"


class _Comparison:
    """The launches so far, and what they were made with."""

    def __init__(
        self,
        arms: Arms,
        folder: Path,
        protocol: Protocol,
        budget_s: float,
        progress: Progress,
        rng: np.random.Generator,
    ) -> None:
        self.begun = time.monotonic()
        self.before = host_moment(protocol.cores)
        self.layouts: tuple[Arms, ...] = (arms,)
        """Arms to launch in turn; each pair of images linked alike."""
        self.folder, self.protocol, self.budget_s = folder, protocol, budget_s
        self.progress, self.rng = progress, rng
        self.measured: list[MeasuredLaunch] = []
        self.batch = 0
        self.round_s = 0.1
        """Seconds that a round of launches takes."""
        self.layout = ""

    def run(self, smallest: float, aim: float | None, relink: Callable[[], Relinked] | None, same_tlb: bool) -> Timing:
        """All of it."""
        tlb = self._warm_up(same_tlb)
        if relink is not None and self.budget_s >= LINK_FIRST_S:
            self._relink(relink, "linking both kernels in other orders")
            relink = None
        self._widen()
        left = max(int((self.budget_s - self._spent_s()) / self.round_s) * self.protocol.pairs, 0)
        plan = plan_of(len(self.measured) + left, smallest, aim, len(self.layouts))
        decision = self._decide(plan)
        while not (self.measured and decision.next is Next.STOP) and self._wanted(plan) > 0 and not self._late():
            if decision.next is Next.CONFIRM:
                self._confirm(relink)
            self._launch_until_look(plan, decision)
            decision = self._decide(plan)
        host = self.protocol.cores[: 2 * self.protocol.pairs]
        load = host_load(self.before, host_moment(host), host, [one.load for one in self.measured])
        return Timing(
            tuple(self.measured), decision, plan, self.protocol, self._spent_s(), load, tlb, layout=self.layout
        )

    def _decide(self, plan: Plan) -> Decision:
        return decide([one.launch for one in self.measured], plan)

    def _spent_s(self) -> float:
        return time.monotonic() - self.begun

    def _late(self) -> bool:
        return self._spent_s() + self.round_s > self.budget_s * OVERRUN

    def _wanted(self, plan: Plan) -> int:
        """Launches until the next look."""
        total = len(self.measured)
        first = sum(1 for one in self.measured if one.launch.batch == 0)
        return next_look(first, total - first, plan) or min(plan.launches - total, plan.fewest)

    def _launch_until_look(self, plan: Plan, decision: Decision) -> None:
        wanted = self._wanted(plan)
        while wanted > 0 and not self._late():
            wanted -= self._round(min(self.protocol.pairs, wanted))
            rounds = (plan.launches - len(self.measured)) / self.protocol.pairs
            left_s = min(self.budget_s - self._spent_s(), rounds * self.round_s)
            self.progress(status_words(decision, len(self.measured), plan.launches, left_s))

    def _round(self, pairs: int) -> int:
        """Launch this many pairs at once. Returns how many were measured: none where a core has vanished."""
        begun, number = time.monotonic(), len(self.measured)
        try:
            launched = self._measure([self._pair(number + one) for one in range(pairs)], self.protocol)
        except CoreVanished:
            self.protocol = surviving_protocol(self.protocol, os.sched_getaffinity(0))
            # A core that comes and goes must not keep a comparison from its end.
            return 0
        except ClockStepped as error:
            self._note_once(f"launches were measured again: {error}")
            return 0
        self.measured += launched
        took_s = time.monotonic() - begun
        self.round_s = took_s if number == 0 else 0.8 * self.round_s + 0.2 * took_s
        return pairs

    def _note_once(self, notice: str) -> None:
        """Keep the first notice of a kind."""
        kind = notice.partition(":")[0]
        if not any(one.startswith(kind) for one in self.protocol.notices):
            self.protocol = replace(self.protocol, notices=(*self.protocol.notices, notice))

    def _pair(self, number: int) -> PairSpec:
        """The pair of this number. Layouts take turns, so that none weighs more than another."""
        turn = number % len(self.layouts)
        return PairSpec(
            self.layouts[turn],
            self.folder / f"launch-{number:03d}",
            self.batch,
            turn + 1 if len(self.layouts) > 1 else 0,
        )

    def _measure(self, pairs: Sequence[PairSpec], protocol: Protocol) -> tuple[MeasuredLaunch, ...]:
        return measure_launches(pairs, protocol, self.rng)

    def _confirm(self, relink: Callable[[], Relinked] | None) -> None:
        """From now on launches are to confirm an alarm, on images linked in other orders where there are such."""
        self.batch = 1
        if relink is not None:
            self._relink(relink, "an alarm; linking both kernels in other orders to check it")
            if len(self.layouts) > 1:
                self.layout = f"an alarm was checked on images linked in {len(self.layouts)} other orders"

    def _relink(self, relink: Callable[[], Relinked], why: str) -> None:
        """From now on launches take turns at images linked in other orders, where there are such."""
        self.progress(f"timing: {why}")
        found = relink()
        if not found.arms:
            self.layout = f"{NOT_RELINKED}: {found.problem}"
            return
        cold = [spec.params.tlb for spec in self.layouts[0].values()]
        self.layouts = tuple(
            {role: replace(spec, params=replace(spec.params, tlb=tlb)) for (role, spec), tlb in zip(arms.items(), cold)}
            for arms in found.arms
        )
        self.layout = f"both kernels linked alike in {len(self.layouts)} orders that took turns"

    def _warm_up(self, same_tlb: bool) -> str:
        """Fit the slices to the frame time; says whether both arms warm their translations.

        A guest whose frames do not fit into the usual slices is measured for longer.
        """
        arms = self.layouts[0]
        found = fitted_slices(arms, self.folder / "warm-up", self.protocol, self.rng)
        self.protocol, self.round_s, said = found.protocol, found.launch_s, found.tlb
        if not same_tlb:
            return "translations as each arm asks for"
        changed, words = alike(arms, said)
        self.layouts = (changed,)
        return words

    def _widen(self) -> None:
        """Run more pairs at once for as long as they do not slow each other, and there is time to learn so."""
        most = min(self.protocol.most_pairs, _pairs_in_memory(self.layouts[0]))
        alone_ms = 0.0
        for pairs in _widths(most):
            if self._spent_s() + 2 * self.round_s > self.budget_s / 2:
                return
            before, number = self.protocol, len(self.measured)
            self.protocol = replace(self.protocol, pairs=pairs)
            if self._round(pairs) == 0:
                return
            frame_ms = _frame_ms(self.measured[number:])
            alone_ms = alone_ms or frame_ms
            slowed = frame_ms / alone_ms - 1
            if slowed > PAIRS_SLOW:
                self.protocol = before
                return
            self.protocol = replace(self.protocol, slowed=slowed)


@dataclass(frozen=True)
class WarmUpLaunch:
    """The reason why a launch is not used."""

    protocol: Protocol
    """With slices for this frame time."""
    launch_s: float
    """Seconds that a launch takes."""
    tlb: Mapping[str, str]
    """By role: what the kernel says of its translations."""


def fitted_slices(arms: Arms, folder: Path, protocol: Protocol, rng: np.random.Generator) -> WarmUpLaunch:
    """Launch once, and fit the slices to the host and to the frame time.

    A guest whose frames do not fit into the usual slices is measured for longer.
    """
    launch_s, said = 0.1, dict.fromkeys(arms, "")
    for longer in (1, 4, 16):
        begun, looked = time.monotonic(), replace(protocol, slice_s=protocol.slice_s * longer, pairs=1)
        try:
            (measured,) = measure_launches([PairSpec(arms, folder)], looked, rng)
        except CoreVanished:
            protocol = surviving_protocol(protocol, os.sched_getaffinity(0))
            continue
        except ClockStepped:
            continue
        launch_s, said = max(time.monotonic() - begun, 0.1), dict(measured.tlb)
        known = [float(np.median(times)) for times in measured.frame_ms.values() if len(times) >= 4]
        if len(known) == len(measured.frame_ms):
            fitted = fitted_protocol(protocol_beside_load(protocol, measured.load), max(known))
            return WarmUpLaunch(fitted, max(launch_s + fitted.measured_s - looked.measured_s, 0.1), said)
    return WarmUpLaunch(protocol, launch_s, said)


def _widths(most: int) -> list[int]:
    """Numbers of pairs to try: twice as many each time; none where one is all that there can be."""
    if most < 2:
        return []
    return [*(1 << step for step in range(most.bit_length()) if 1 << step < most), most]


def _pairs_in_memory(arms: Arms) -> int:
    """How many pairs fit into what memory is free; one where that cannot be told."""
    free_mib = available_memory_mib()
    needed_mib = sum(spec.machine.memory_mib for spec in arms.values()) + PAIR_MIB
    return max(free_mib // needed_mib, 1) if free_mib else 1


def _frame_ms(launches: Sequence[MeasuredLaunch]) -> float:
    """Usual frame time of several launches, both arms together."""
    medians = [float(np.median(times)) for one in launches for times in one.frame_ms.values() if len(times)]
    return float(np.median(medians)) if medians else float("nan")
