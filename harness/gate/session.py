"""One session: the arms of a comparison, their machines in every stage, and what came of it.

A session measures; it judges nothing. Stages run from the quickest to the longest, and a guest that fails in one is not
measured in the next: the user needs to hear of the incident soon.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.core import budget
from harness.core.device.trace import parse_trace
from harness.core.guest.complaints import device_complaints
from harness.core.guest.serial_noise import without_noise
from harness.gate.measured import NOT_ASKED, SAME_KERNEL, Measured, Order
from harness.gate.measuring.window import Window
from harness.gate.stage import Session, Stage
from harness.gate.stages import STAGES
from harness.model.declared import on_request
from harness.model.errors import GuestError, HarnessError
from harness.model.record import Cause, Incident, Lease
from harness.model.spec import Verdict
from harness.model.values import shown
from harness.platform.files.bounded import LOG_BYTES_MAX, read_bounded
from harness.platform.host.leases import WAIT_S, lease_cores, spare_cpus
from harness.platform.machine.qemu_command import QEMU_LOG, TRACE_LOG
from harness.platform.processes.beside import Beside

_LACKING = re.compile(
    rb"^virtio-\w+: (?:no such device on the PCI bus|a feature that is needed is not offered"
    rb"|the device refused the features chosen|the device offers no cursor queue|input=1 needs a keyboard)",
    re.MULTILINE,
)
"""The drivers' words for what a machine or its device does not have."""
_CHANGES = frozenset(("-cpu", "-machine", "-M", "-m", "-smp", "-accel", "-bios", "-icount"))
"""QEMU's options that make another machine of it, on which a kernel may not even begin."""


MOST_CORES = 32
"""More pairs at once than these cores hold would end a comparison before its first look."""


SPARE_FROM = 4
"""Leased cores from which on a host is large: then stages run beside the comparison."""
SPARE_FEWEST = 2
"""Idle cores beside the leased ones that these stages need."""


def measure(order: Order, folder: Path, progress: Callable[[str], None]) -> Measured:
    """Run every stage that was asked for.

    Raises
    ------
    HarnessError
        When QEMU or the harness itself fails; failures of guests become incidents instead.
    """
    compares = order.asks_for("timing") and order.reference is not None
    waiting = lease_cores(MOST_CORES, progress, _wait_s(order), quiet=order.quiet)
    with waiting if compares else nullcontext() as lease:
        order = _after_waiting(order, lease)
        session = Session(order, folder, progress)
        spare = spare_cpus(lease) if lease is not None and len(lease.cores) >= SPARE_FROM else ()
        measured = _stages(session, Measured(order, lease=lease), spare if len(spare) >= SPARE_FEWEST else ())
        return replace(measured, seconds=session.seconds, skipped=_with_budget(session, measured))


def _wait_s(order: Order) -> float:
    """How long to wait for cores: of a budget that was given, what the stages leave."""
    least_s = sum(stage.least_s(order) for stage in STAGES if order.asks_for(stage.name)) + budget.CLOSING_S
    return min(WAIT_S, max(order.budget_s - least_s, 0.0)) if order.bounded else WAIT_S


def _after_waiting(order: Order, lease: Lease | None) -> Order:
    """The order with the time that is left of a budget that was given."""
    waited_s = lease.waited_s if lease is not None and order.bounded else 0.0
    return replace(order, budget_s=order.budget_s - waited_s, spent_s=order.spent_s + waited_s)


def _stages(session: Session, measured: Measured, spare: tuple[int, ...]) -> Measured:
    """All stages, those that read no clock beside another where there is room.

    With spare cores they run beside the last, which compares. Of the same kernel twice nothing is compared: then they
    run at the same time, on the cores of the comparison.
    """
    *earlier, last = STAGES
    free = [stage for stage in earlier if stage.beside]
    cores = measured.lease.cores if measured.lease is not None else ()
    same = len(cores) > 1 and last.obstacle(session.order, measured) == SAME_KERNEL
    beside = free[1:] if same else free if spare else []
    here = free[:1] if same else [last]
    for stage in earlier:
        measured = _run(stage, session, measured) if stage not in beside + here else measured
    if not beside or measured.incidents:
        return _in_turn([*beside, last], session, measured)
    measured = _together(beside, here[0], session, measured, cores if same else spare)
    return _run(last, session, measured) if same else measured


def _together(
    beside: Sequence[Stage[Any, Any]],
    here: Stage[Any, Any],
    session: Session,
    measured: Measured,
    cpus: tuple[int, ...],
) -> Measured:
    """One stage in this process, others at the same time in a copy of it."""
    session.progress(f"{', '.join(stage.name for stage in beside)}: started beside {here.name}")
    with Beside(partial(_silently, beside, session, measured), cpus) as work:
        found = _run(here, session, measured)
        brought = work.result()
    if brought is None:
        # An error of it is raised here.
        return _in_turn(beside, session, found)
    return replace(
        found,
        brought=(*found.brought, *brought.brought[len(measured.brought) :]),
        incidents=(*found.incidents, *brought.incidents[len(measured.incidents) :]),
        skipped={**brought.skipped, **found.skipped},
    )


def _silently(stages: Sequence[Stage[Any, Any]], session: Session, measured: Measured) -> Measured:
    """In a copy of this process, whose lines would stand between those of the comparison."""
    session.progress = lambda text: None
    return _in_turn(stages, session, measured)


def _in_turn(stages: Sequence[Stage[Any, Any]], session: Session, measured: Measured) -> Measured:
    for stage in stages:
        measured = _run(stage, session, measured)
    return measured


def _run(stage: Stage[Any, Any], session: Session, measured: Measured) -> Measured:
    """Run one stage, unless it cannot, was not asked for, or the guest has already failed."""
    why = stage.obstacle(session.order, measured)
    if why is None and not session.order.asks_for(stage.name):
        if on_request(stage.name):  # not left out by not naming it
            return measured
        why = NOT_ASKED
    elif why is None and (measured.incidents or stage.long and _failed(measured)):
        why = "the guest had failed before"
    if why is not None:
        return replace(measured, skipped={**measured.skipped, stage.name: why}) if why else measured
    session.later_s = _later_s(stage, session, measured)
    if not _has_time(stage, session):
        return replace(measured, skipped={**measured.skipped, stage.name: budget.NO_TIME})
    least_s = stage.least_s(session.order)
    expected_s = least_s * session.slowness
    session.progress(f"{stage.name}: started{f', about {expected_s:.0f} s' if expected_s >= 1.0 else ''}")
    session.done_s += least_s
    try:
        brought = stage.measure(session, measured)
        return replace(measured.joined_by(brought), skipped={**measured.skipped, **session.left_out})
    except GuestError as error:
        inside = _inside(error, session.folder)
        where = f" (see {inside})" if inside else ""
        lacking = _not_offered(error, session.order)
        if lacking:
            text = f"{stage.name}: {lacking}{where}"
            return replace(measured, incidents=(*measured.incidents, Incident(Verdict.USAGE, text, Cause.DEVICE)))
        words = _device_words(error)
        device = [Incident(Verdict.GUEST_FAILED, f"{stage.name}: {text}", Cause.DEVICE) for text in words]
        incident = Incident(Verdict.GUEST_FAILED, f"{stage.name}: {error.message}{where}")
        return replace(measured, incidents=(*measured.incidents, *device, incident))


def _later_s(stage: Stage[Any, Any], session: Session, measured: Measured) -> float:
    """The least time of the stages after one, without those that will not run."""
    order = session.order
    later = STAGES[STAGES.index(stage) + 1 :]
    return sum(
        one.least_s(order) for one in later if order.asks_for(one.name) and one.obstacle(order, measured) is None
    )


def _has_time(stage: Stage[Any, Any], session: Session) -> bool:
    """A stage may begin while there is time for it; of the long ones the last, which decides, keeps its own first."""
    needs_s, last_s = (one.least_s(session.order) for one in (stage, STAGES[-1]))
    if stage.long and last_s <= session.later_s:
        needs_s = (needs_s + last_s) * session.slowness
    return not needs_s or session.left_s >= needs_s


def _with_budget(session: Session, measured: Measured) -> dict[str, str]:
    """Reasons for everything that was left out; where time was missing, with the budget that would be enough."""
    short = {name: why for name, why in measured.skipped.items() if why.endswith(budget.NO_TIME)}
    if not short:
        return dict(measured.skipped)
    order = session.order
    missing_s = sum(stage.least_s(order) for stage in STAGES if stage.name in short)
    would_do = budget.budget_that_would_do(
        order.spent_s, session.seconds, session.done_s, missing_s, order.sessions, order.after_s
    )
    said = {name: why.replace(budget.NO_TIME, budget.no_time(would_do)) for name, why in short.items()}
    return {**measured.skipped, **said}


def _not_offered(error: GuestError, order: Order) -> str:
    """What a kernel misses on a machine that QEMU_ARGS changed: the caller's choice, not a failure."""
    extra = order.machine.extra
    if not extra or error.evidence is None or not error.evidence.is_file():
        return ""
    serial = without_noise(read_bounded(error.evidence, LOG_BYTES_MAX))
    said = _LACKING.search(serial)
    if said:
        return f"this machine does not offer what the kernel needs: {said[0].decode()}"
    if serial.strip() or not order.candidate.capabilities.boot_line or not _CHANGES.intersection(extra):
        return ""
    given = shown(shlex.join(extra))
    return f"the kernel does not begin on the machine that QEMU_ARGS={given} makes of it: {error.message}"


def _device_words(error: GuestError) -> tuple[str, ...]:
    """The device's complaints before a guest failed, from the logs beside its serial line."""
    if error.evidence is None:
        return ()
    logs = [error.evidence.parent / name for name in (TRACE_LOG, QEMU_LOG)]
    trace, said = (read_bounded(path, LOG_BYTES_MAX) if path.is_file() else b"" for path in logs)
    return device_complaints(parse_trace(trace), said)


def _failed(measured: Measured) -> bool:
    """Whether a finished stage has shown that the guest fails: longer stages would measure a broken kernel."""
    window = measured.of(Window)
    rules = [rule for rule in measured.order.rules if rule.row.failure and rule.kind == "bound"]
    if window is not None:
        for rule in rules:
            if rule.limit is not None and (window.serial.total(rule.metric) or 0) > rule.limit:
                return True
    found = (one for stage in STAGES for one in stage.seen(measured))
    return any(one.verdict is not Verdict.INCONCLUSIVE for one in found)


def _inside(error: HarnessError, folder: Path) -> Path | None:
    """Where in the run's folder the evidence lies, if it does."""
    if error.evidence is None or not error.evidence.is_relative_to(folder):
        return None
    return error.evidence.relative_to(folder)
