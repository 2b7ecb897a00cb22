"""The timing stage."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.core.comparison.statistics import CANDIDATE, REFERENCE, Plan, decide
from harness.gate.judging.still import still_screen
from harness.gate.measured import SAME_KERNEL, Measured, Order
from harness.gate.measuring.comparison import compare
from harness.gate.measuring.frame_file import FRAMES_FILE, load_frames
from harness.gate.measuring.launch import MeasuredLaunch
from harness.gate.measuring.protocol import WARM_UP_FRAMES, Protocol, choose_protocol
from harness.gate.measuring.timing import TIMING_S, Timing
from harness.gate.measuring.window import Window
from harness.gate.relink import relinked_arms
from harness.gate.stage import Session, Stage
from harness.model.record import LaunchRecord, TimingRecord
from harness.model.result import Result
from harness.platform.machine.pin import probe_rights

ORDER = 50
LEAST_S = 9.0
"""A launch to warm up, and two batches."""
LAUNCHES_MAX = 100_000


class TimingStage(Stage[Timing, TimingRecord]):
    """Candidate and reference side by side in many short launches."""

    long = True
    brings, keeps = Timing, TimingRecord

    def obstacle(self, order: Order, measured: Measured) -> str | None:
        if order.reference is None:
            return "nothing to compare with"
        same = order.asks_for(self.name) and order.loads_the_same
        if same:
            return SAME_KERNEL
        if order.stood_still:
            return order.stood_still
        still = still_screen(measured.of(Window), order.candidate.target)
        if still is None or still.moved:
            return None
        return f"{still.words}, so that there are no frame times to compare"

    def measure(self, session: Session, measured: Measured) -> Timing:
        order = session.order
        reference = order.reference
        assert reference is not None
        protocol = choose_protocol(probe_rights(), order.machine)
        params = replace(order.params, seconds=TIMING_S, records=0, warmup=order.params.warmup or WARM_UP_FRAMES)
        if protocol.swap:
            order = replace(order, machine=replace(order.machine, render_threads=0))
        arms = {CANDIDATE: order.run_spec(order.candidate, params)}
        arms[REFERENCE] = order.run_spec(reference, params)
        return compare(
            arms,
            session.folder / self.name,
            protocol,
            session.left_s,
            session.progress,
            random_state=order.random_state,
            smallest=order.smallest,
            aim=order.aim,
            relink=partial(relinked_arms, {CANDIDATE: order.candidate, REFERENCE: reference}, arms),
        )

    def record(self, brought: Timing) -> TimingRecord:
        launches = tuple(LaunchRecord(one.launch, one.boot_ms, one.load) for one in brought.launches)
        said = (brought.protocol.words, brought.tlb, *brought.protocol.notices, brought.layout)
        words = "; ".join(text for text in said if text)
        return TimingRecord(words, brought.seconds, brought.plan, launches, brought.host, brought.estimator)

    def replay(self, folder: Path, result: Result, record: TimingRecord) -> Timing:
        _check_plan(record.plan)
        arrays = load_frames(folder / FRAMES_FILE)
        launches = tuple(
            MeasuredLaunch(
                one.launch,
                {role: arrays[f"{number}-{role}"] for role in (CANDIDATE, REFERENCE)},
                {role: one.boot_ms[role] for role in (CANDIDATE, REFERENCE)},
                {},
                (),
                one.load,
            )
            for number, one in enumerate(record.launches)
        )
        decision = decide([one.launch for one in launches], record.plan)
        return Timing(launches, decision, record.plan, Protocol(), record.seconds, record.host)


def _check_plan(plan: Plan) -> None:
    """Reject a plan with which no decision can be reached."""
    sound = (
        0 < plan.smallest < 1
        and (plan.aim is None or 0 < plan.aim < 1)
        and 0 <= plan.allowance < 1
        and 1 <= plan.launches <= LAUNCHES_MAX
    )
    sound = sound and 1 <= plan.looks <= plan.launches + LAUNCHES_MAX and 0 <= plan.trim < 0.5
    if not sound or not all(0 < share < 1 for share in (plan.confidence, plan.alarm_alpha, 1 - plan.reserve)):
        raise ValueError("the plan of the comparison is not one that can be decided on")
