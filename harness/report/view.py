"""A result as people look at it: built once, and rendered by the templates of the page and of the comment."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.hostnoise import noise_words
from harness.core.wording import amount, signed_percent, span
from harness.model.result import Gate, NextStep, Result
from harness.model.spec import Switches, Verdict

_CLASS = {Verdict.PASS: "good", Verdict.INCONCLUSIVE: "unsure", None: "muted"}
_SYMBOL = {Verdict.PASS: "✓", Verdict.INCONCLUSIVE: "?", None: "·"}


def verdict_class(verdict: Verdict | None) -> str:
    """CSS class of a verdict."""
    return _CLASS.get(verdict, "bad")


def verdict_symbol(verdict: Verdict | None) -> str:
    """A sign besides the colour."""
    return _SYMBOL.get(verdict, "✗")


@dataclass(frozen=True)
class GateRow:
    """One gate: figures in a row, and under it why."""

    metric: str
    kind: str
    candidate: str
    reference: str
    change: str
    """Of frame time where the metric is one of time, + is slower; else of the value."""
    verdict: str
    css: str
    symbol: str
    why: str


@dataclass(frozen=True)
class RunView:
    """What a page, a comment and a terminal show of one result."""

    title: str
    command: str
    started: str
    seconds: str
    verdict: str
    exit_code: int
    css: str
    symbol: str
    sentence: str
    problems: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    judged: tuple[GateRow, ...]
    """Failed first, then undecided, then passed."""
    reported: tuple[GateRow, ...]
    notices: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    reproduce: str


def view_of(result: Result) -> RunView:
    """The view of one result."""
    rows = [(gate, _gate_row(gate)) for gate in result.gates]
    judged = [pair for pair in rows if pair[0].verdict is not None]
    judged.sort(key=lambda pair: -(pair[0].verdict or Verdict.PASS).severity)
    return RunView(
        title=f"{result.verdict.value}: {result.command}",
        command=result.command,
        started=result.started,
        seconds=f"{result.seconds:.0f} s",
        verdict=result.verdict.value,
        exit_code=result.exit_code,
        css=verdict_class(result.verdict),
        symbol=verdict_symbol(result.verdict),
        sentence=result.sentence,
        problems=result.problems,
        next_steps=result.next_steps,
        judged=tuple(row for _, row in judged),
        reported=tuple(row for gate, row in rows if gate.verdict is None),
        notices=result.notices,
        facts=tuple(facts(result)),
        reproduce=reproduce(result),
    )


def number(value: float | None) -> str:
    """A figure for a table; a dash for none."""
    return "–" if value is None else amount(value)


def _gate_row(gate: Gate) -> GateRow:
    return GateRow(
        gate.metric,
        gate.kind,
        number(gate.value),
        number(gate.reference),
        _change(gate),
        gate.verdict.value if gate.verdict else "reported",
        verdict_class(gate.verdict),
        verdict_symbol(gate.verdict),
        gate.why,
    )


def _change(gate: Gate) -> str:
    found = gate.frame_time
    if found is None:
        return "–"
    timed = gate.kind == "ratio"
    change, low, high = (found.change, found.low, found.high) if timed else (gate.change or 0.0, gate.low, gate.high)
    if gate.low is None or gate.high is None or low is None or high is None:
        return signed_percent(change, 2)
    return f"{signed_percent(change)} ({span(low, high)})"


def facts(result: Result) -> list[tuple[str, str]]:
    """Where a result was measured, for a table."""
    found = []
    if result.host:
        host = result.host
        found.append(("host", f"{host.cpu}, {host.cores} cores, {host.os}, Linux {host.kernel}"))
    if result.qemu:
        qemu = result.qemu
        found.append(("QEMU", f"{qemu.version}, {qemu.accelerator}, {qemu.vcpus} vCPU, thread={qemu.tcg_thread}"))
    found.append(("compiler", result.compiler or "unknown"))
    dirty = " with uncommitted changes" if result.source.get("dirty") else ""
    found.append(("commit", f"{result.source.get('git') or 'not in git'}{dirty}"))
    timing = result.run.timing if result.run else None
    if timing is not None:
        found.append(("protocol", f"{len(timing.launches)} launches; {timing.protocol}"))
        found.append(("estimator", timing.estimator or "slice medians"))
        found.append(("host's noise", noise_words(timing.host)))
    return found


def reproduce(result: Result) -> str:
    """One line that runs the same again: the words that were given, quoted for a shell."""
    if result.words:
        return shlex.join(["make", result.command, *result.words])
    if result.command == "ab":
        arms = " ".join(f'{name}="{_switches(arm.switches)}"' for name, arm in result.arms.items())
        return f"make ab {arms}"
    switches = _switches(result.arms["candidate"].switches) if "candidate" in result.arms else ""
    return f"make {result.command} {switches}".strip()


def _switches(switches: Mapping[str, str]) -> str:
    chosen = Switches.of(switches) if switches else None
    if chosen is None:
        return "KERNEL=…"
    words = [f"ARCH={chosen.arch}"] if chosen.arch != "x86_64" else []
    return " ".join([*words, *(f"{name}={value}" for name, value in chosen.chosen)])
