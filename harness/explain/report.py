"""An explanation as one self-contained page and as Markdown.

A missing section is left out with its reason; the others stay the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.wording import MINUS, signed_percent, span
from harness.explain.attribution import FrameAccount
from harness.explain.case_report import CandidateRow, EventsPerFrame, Replay, StepRow, measured_words
from harness.explain.effects import Ablation, Worth, label
from harness.explain.explanation import CASE, Explanation, Regression
from harness.explain.frame_plots import stack_script, timeline_script
from harness.explain.plots import effects_script, steps_script
from harness.explain.rows import account_words, growth_rows, part_rows
from harness.model.result import Result
from harness.report.files import write_junit
from harness.report.plots import Script, drawn
from harness.report.render import markdown
from harness.report.render import page as html_page
from harness.report.run_view import facts, run_links
from harness.report.view import (
    MUTED,
    UNSURE,
    Plot,
    ReportView,
    Section,
    Table,
    TableCell,
    TableRow,
    columns,
    table,
    texts,
)

_CLASS = {Worth.SLOWER: "bad", Worth.FASTER: "good", Worth.NOISE: "muted"}
_SYMBOL = {Worth.SLOWER: "▲", Worth.FASTER: "▼", Worth.NOISE: "·"}


FUNCTIONS_SHOWN = 20


@dataclass(frozen=True)
class Page:
    """The data of a page."""

    result: Result
    found: Explanation
    again: str
    """The command that asks the same again."""


@dataclass(frozen=True)
class EffectRow:
    """One change of switches, in words."""

    what: str
    change: str
    milliseconds: str
    interval: str
    says: str
    css: str
    symbol: str


@dataclass(frozen=True)
class SeedRow:
    """One step of the case study, in words."""

    name: str
    changed: str
    claimed: str
    fences: str
    spins: str
    timeouts: str
    fps: str
    against: str
    css: str


def effect_rows(ablation: Ablation) -> tuple[EffectRow, ...]:
    """The ranked effects, for a table."""
    rows = []
    for effect in ablation.effects:
        rows.append(
            EffectRow(
                label(effect.changes),
                signed_percent(effect.change),
                f"{effect.change * ablation.frame_ms:+.2f} ms".replace("-", MINUS),
                span(effect.low, effect.high),
                effect.words,
                _CLASS[effect.worth],
                _SYMBOL[effect.worth],
            )
        )
    return tuple(rows)


def seed_rows(replay: Replay) -> tuple[SeedRow, ...]:
    """Steps, then the candidates that were never tried, for a table."""
    rows = [_row(row.step.name, row.step.changed, row.step.claimed, row) for row in replay.rows]
    for one in replay.candidates:
        name = " ".join(f"{key}={value}" for key, value in one.candidate.changes)
        rows.append(_row(f"the first step with {name}", one.candidate.cause, "never tried", one))
    return tuple(rows)


def _row(name: str, changed: str, claimed: str, row: StepRow | CandidateRow) -> SeedRow:
    counts = row.counts
    first = isinstance(row, StepRow) and row.effect is None and not row.same and not row.trouble
    against = "" if first else measured_words(row.effect, row.same, row.trouble)
    css = _CLASS[row.effect.worth] if row.effect is not None else "muted"
    return SeedRow(
        name,
        changed,
        claimed,
        _count(counts, "fences"),
        _count(counts, "spins"),
        _count(counts, "timeouts"),
        f"{row.fps:.4g}" if row.fps else "–",
        against,
        css,
    )


def _count(counts: EventsPerFrame | None, key: str) -> str:
    return "–" if counts is None else f"{getattr(counts, key):,.4g}"


def write_explanation(page: Page, folder: Path) -> tuple[str, ...]:
    """Write ``report.html``, ``report.md``, ``junit.xml`` and the plots' scripts; returns the plots that failed."""
    plots, missing = drawn(_scripts(page.found), folder)
    view = explanation_view(page, folder, plots)
    (folder / "report.html").write_text(html_page(view), encoding="utf-8")
    (folder / "report.md").write_text(markdown(view), encoding="utf-8")
    write_junit(page.result, folder)
    return missing


def _scripts(found: Explanation) -> list[Script]:
    scripts = list(_frame_scripts(found.account)) if found.account is not None else []
    if found.ablation is not None and found.ablation.effects:
        caption = "Change of frame time with its interval; right of the line a frame takes longer."
        scripts.append(Script("effects", effects_script(found.ablation.effects), caption))
    for replay in found.replays:
        rates = [(row.step.name, row.fps) for row in replay.rows if row.fps]
        if len(rates) > 1:
            caption = "Frames a second at each step, each measured beside the step before."
            scripts.append(Script(f"case-{replay.device}", steps_script(rates), caption))
    return scripts


def _frame_scripts(account: FrameAccount) -> Iterator[Script]:
    yield Script(
        "parts", stack_script(account), "Each frame's time by part, from the start of drawing to the next start."
    )
    drawings = (
        ("typical", account.typical_frame, account.typical, "The frame of median length"),
        ("worst", account.worst_frame, account.worst, "The longest frame"),
    )
    for name, number, spans, caption in drawings:
        if spans:
            script = timeline_script(f"frame {number}, {name}", spans)
            yield Script(f"frame-{name}", script, f"{caption}: who did what, on one clock.")


def explanation_view(page: Page, folder: Path, plots: Mapping[str, Plot]) -> ReportView:
    """Everything that the report of an explanation shows."""
    found = page.found
    if found.regression is not None:
        sections = _regression_sections(found.regression)
    else:
        sections = [*_frame_sections(found, plots), *_switch_sections(found, plots), *_seed_sections(found, plots)]
    measured = (("protocol", found.ablation.protocol),) if found.ablation else ()
    return ReportView(
        command="explain",
        verdict=page.result.verdict,
        headline=f"{found.sentence}.",
        started=page.result.started,
        seconds=page.result.seconds,
        next_steps=page.result.next_steps,
        sections=tuple(sections),
        notices=page.result.notices,
        facts=(*facts(page.result), *measured),
        again=page.again,
        links=tuple(link for link in run_links(page.result, folder) if (folder / link.href).is_file()),
    )


def _frame_sections(found: Explanation, plots: Mapping[str, Plot]) -> list[Section]:
    title = "Where a frame goes"
    counts = found.counts
    counted = ""
    if counts is not None:
        counted = (
            f"A frame has {counts.fences:.4g} fences, {counts.spins:.4g} spins, {counts.completions:.4g} completions "
            f"and {counts.timeouts:.4g} timeouts while polling, by the kernel's own count"
            f"{f' in a build with {counts.counted_in}' if counts.counted_in else ''}."
        )
    if found.account is None:
        why = found.missing.get("parts", "Not asked for.")
        return [Section(title, lead=tuple(text for text in (why, counted) if text))]
    rows = [
        TableRow(
            (
                TableCell(one.name, colour=one.colour, strong=not one.colour),
                *texts(one.milliseconds, one.share, one.means),
            )
        )
        for one in part_rows(found.account)
    ]
    shown = tuple(plots[name] for name in ("parts", "frame-typical", "frame-worst") if name in plots)
    closing = tuple(text for text in (account_words(found.account), counted) if text)
    return [
        Section(title, plots=shown, table=table(columns("part", "#ms", "#share", "which is"), rows), closing=closing)
    ]


def _effects_table(ablation: Ablation, first: str) -> Table | None:
    rows = [
        TableRow(
            (
                TableCell(r.what, code=True),
                *texts(r.milliseconds, r.change, r.interval),
                TableCell(f"{r.symbol} {r.says}", r.css),
            )
        )
        for r in effect_rows(ablation)
    ]
    return table(columns(first, "#frame time", "#of a frame", "#interval", "which is"), rows)


def _switch_sections(found: Explanation, plots: Mapping[str, Plot]) -> list[Section]:
    ablation = found.ablation
    title = "Effect of each switch"
    if ablation is None or not ablation.effects:
        sections = [Section(title, lead=(found.missing.get("switches", "Not asked for."),))]
    else:
        lead = (
            f"One switch changed at a time, from {ablation.base}, whose frames take {ablation.frame_ms:.2f} ms. "
            "The intervals hold all at once, at 95 %."
        )
        shown = tuple(plots[name] for name in ("effects",) if name in plots)
        sections = [Section(title, lead=(lead,), plots=shown, table=_effects_table(ablation, "changed to"))]
        sections += _pair_sections(ablation)
    rows = [TableRow((TableCell(what, code=True), TableCell(why))) for what, why in unmeasured_rows(ablation)]
    if rows:
        sections.append(Section("Not measured", table=table(columns("change", "why"), rows), folded=len(rows) > 6))
    return sections


def _pair_sections(ablation: Ablation) -> list[Section]:
    rows = []
    for one in ablation.interactions:
        sizes = (signed_percent(one.together), signed_percent(one.apart), span(one.low, one.high))
        says = "adds up, within the noise" if one.adds_up else "does not add up"
        tone = MUTED if one.adds_up else UNSURE
        rows.append(TableRow((TableCell(label(one.changes), code=True), *texts(*sizes), TableCell(says, tone))))
    lead = "Changes whose effects are sure, made together: does the frame change by the sum of both?"
    head = columns("changed together", "#together", "#as a sum", "#difference, interval", "so it")
    return [Section("Two at once", lead=(lead,), table=table(head, rows))] if rows else []


def _seed_sections(found: Explanation, plots: Mapping[str, Plot]) -> list[Section]:
    counted_in = _counted_in(found.replays)
    built = f"; steps that count nothing were built with {counted_in} for it" if counted_in else ""
    head = columns("step", "#fences", "#spins", "#timeouts", "#FPS", "against the step before")
    sections = []
    for replay in found.replays:
        name = f"case-{replay.device}"
        rows = [
            TableRow(
                (
                    TableCell(r.name, strong=True),
                    *texts(r.fences, r.spins, r.timeouts, r.fps),
                    TableCell(r.against, r.css),
                ),
                why=f"{r.changed} Claimed: {r.claimed}",
            )
            for r in seed_rows(replay)
        ]
        lead = (
            "Step by step: what its authors changed, what they said it did, and what it does here. "
            f"Fences, spins and timeouts are means a frame, counted by the kernel{built}."
        )
        title = f"The case study, replayed on the {replay.device} device"
        shown = (plots[name],) if name in plots else ()
        sections.append(Section(title, (lead,), shown, table(head, rows), replay.closing, emphatic=True))
    return sections or [Section("The case study", lead=(found.missing.get(CASE, "Not asked for."),))]


def _regression_sections(found: Regression) -> list[Section]:
    sections = [Section("The regression", lead=(found.said,))]
    rows = [
        TableRow((*texts(r.name, r.reference, r.candidate, r.change, r.interval), TableCell(r.says, r.css)))
        for r in growth_rows(found.parts)
    ]
    if rows:
        lead = (
            "Both kernels took turns; parts are means of the shorter 95 % of a launch's frames. "
            "The intervals hold all at once, at 95 %."
        )
        head = columns("part", "#reference, ms", "#candidate, ms", "#change", "#interval", "which")
        sections.append(Section("Which part of the frame grew", (lead,), table=table(head, rows)))
    counts = [
        TableRow((TableCell(one.name, code=True), *texts(*_instructions(one.reference, one.candidate))))
        for one in found.functions[:FUNCTIONS_SHOWN]
    ]
    if counts:
        lead = (
            "Instructions a frame, exactly, by QEMU's log of every block that ran; functions that vary between runs, "
            "as polling does, are left out."
        )
        head = columns("function", "#reference", "#candidate", "#change")
        sections.append(Section("Which functions execute more", (lead,), table=table(head, counts)))
    if found.restored is not None and found.restored.effects:
        sections.append(Section("Which switch gives it back", table=_effects_table(found.restored, "set back to")))
    return sections


def _instructions(before: float, now: float) -> tuple[str, str, str]:
    return f"{before:,.0f}", f"{now:,.0f}", f"{now - before:+,.0f}"


def unmeasured_rows(ablation: Ablation | None) -> tuple[tuple[str, str], ...]:
    """Reasons why changes were not measured, each with the changes that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for one in ablation.unmeasured if ablation else ():
        by_reason.setdefault(one.why, []).append(label(one.changes))
    return tuple((", ".join(names), why) for why, names in by_reason.items())


def _counted_in(replays: Sequence[Replay]) -> str:
    """Switches that had to be set so that every step's events were counted."""
    found = {row.counts.counted_in for replay in replays for row in replay.rows if row.counts}
    return " or ".join(sorted(text for text in found if text))
