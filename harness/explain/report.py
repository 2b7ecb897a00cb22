"""An explanation as one self-contained page and as Markdown.

A section that is missing is left out with its reason; the others do not change for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.explain.attribution import FrameAccount
from harness.explain.case_report import CandidateRow, Counts, Replay, StepRow, measured_words
from harness.explain.effects import Ablation, Worth, label
from harness.explain.explanation import Explanation
from harness.explain.frame_plots import stack_script, timeline_script
from harness.explain.plots import effects_script, steps_script
from harness.explain.rows import account_words, growth_rows, part_rows
from harness.model.result import Result
from harness.platform.gnuplot import PlotError, plot_svg
from harness.report.markdown import cell
from harness.report.page import Plot, environment, facts, verdict_class, verdict_symbol
from harness.report.plots import themed

_CLASS = {Worth.SLOWER: "bad", Worth.FASTER: "good", Worth.NOISE: "muted"}
_SYMBOL = {Worth.SLOWER: "▲", Worth.FASTER: "▼", Worth.NOISE: "·"}


FUNCTIONS_SHOWN = 20


@dataclass(frozen=True)
class Page:
    """What a page is made from."""

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
    """One step of the seed case, in words."""

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
                f"{effect.change:+.1%}",
                f"{effect.change * ablation.frame_ms:+.2f} ms",
                f"{effect.low:+.1%} to {effect.high:+.1%}",
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


def _count(counts: Counts | None, key: str) -> str:
    return "–" if counts is None else f"{getattr(counts, key):,.4g}"


def write_explanation(page: Page, folder: Path) -> tuple[str, ...]:
    """Write ``report.html``, ``report.md`` and the plots' scripts; returns what could not be drawn."""
    plots, missing = _plots(page.found, folder)
    (folder / "report.html").write_text(render_explanation(page, plots), encoding="utf-8")
    (folder / "report.md").write_text(explanation_markdown(page), encoding="utf-8")
    return missing


def _plots(found: Explanation, folder: Path) -> tuple[dict[str, Plot], tuple[str, ...]]:
    scripts: dict[str, tuple[str, str]] = {}
    if found.account is not None:
        scripts |= _frame_scripts(found.account)
    if found.ablation is not None and found.ablation.effects:
        caption = "Change of frame time with its interval; right of the line a frame takes longer."
        scripts["effects"] = effects_script(found.ablation.effects), caption
    for replay in found.replays:
        rates = [(row.step.name, row.fps) for row in replay.rows if row.fps]
        if len(rates) > 1:
            caption = "Frames a second at each step, each measured beside the step before."
            scripts[f"seed-{replay.device}"] = steps_script(rates), caption
    plots: dict[str, Plot] = {}
    missing: list[str] = []
    for name, (script, caption) in scripts.items():
        try:
            plots[name] = Plot(themed(plot_svg(script)), caption)
            (folder / f"{name}.gnuplot").write_text(script, encoding="utf-8")
        except PlotError as error:
            missing.append(error.message)
    return plots, tuple(dict.fromkeys(missing))


def _frame_scripts(account: FrameAccount) -> dict[str, tuple[str, str]]:
    caption = "Each frame's time by part, from the start of drawing to the next start."
    found = {"parts": (stack_script(account), caption)}
    for name, number, spans in (
        ("typical", account.typical_frame, account.typical),
        ("worst", account.worst_frame, account.worst),
    ):
        if spans:
            caption = {"typical": "The frame of median length", "worst": "The longest frame"}[name]
            title = f"frame {number}, {name}"
            found[f"frame-{name}"] = timeline_script(title, spans), f"{caption}: who did what, on one clock."
    return found


def render_explanation(page: Page, plots: dict[str, Plot]) -> str:
    """The text of ``report.html``."""
    found = page.found
    restored = found.regression.restored if found.regression else None
    return (
        environment()
        .get_template("explain.html.j2")
        .render(
            title=f"explain {found.subject}",
            result=page.result,
            found=found,
            verdict_class=verdict_class(page.result.verdict),
            symbol=verdict_symbol(page.result.verdict),
            plots=plots,
            parts=part_rows(found.account) if found.account else (),
            account_words=account_words(found.account) if found.account else "",
            growth=growth_rows(found.regression.parts) if found.regression else (),
            functions=found.regression.functions[:FUNCTIONS_SHOWN] if found.regression else (),
            restored=effect_rows(restored) if restored else (),
            effects=effect_rows(found.ablation) if found.ablation else (),
            interactions=found.ablation.interactions if found.ablation else (),
            unmeasured=unmeasured_rows(found.ablation or restored),
            label=label,
            replays=[(replay, seed_rows(replay)) for replay in found.replays],
            counted_in=_counted_in(found.replays),
            facts=facts(page.result),
            again=page.again,
        )
    )


def unmeasured_rows(ablation: Ablation | None) -> tuple[tuple[str, str], ...]:
    """Reasons why changes were not measured, each with the changes that it holds for."""
    by_reason: dict[str, list[str]] = {}
    for one in ablation.unmeasured if ablation else ():
        by_reason.setdefault(one.why, []).append(label(one.changes))
    return tuple((", ".join(names), why) for why, names in by_reason.items())


def _counted_in(replays: Sequence[Replay]) -> str:
    """Which switches had to be set to have every step's events counted."""
    found = {row.counts.counted_in for replay in replays for row in replay.rows if row.counts}
    return " or ".join(sorted(text for text in found if text))


def explanation_markdown(page: Page) -> str:
    """The whole page without its plots."""
    found = page.found
    lines = [f"### {cell(found.sentence)}", ""]
    if found.account is not None:
        lines += ["| part | ms | share | which is |", "|---|---:|---:|---|"]
        lines += [_line([row.name, row.milliseconds, row.share, row.means]) for row in part_rows(found.account)]
        lines += ["", cell(account_words(found.account)), ""]
    if found.regression is not None and found.regression.parts:
        lines += ["| part | reference, ms | candidate, ms | change | interval | |", "|---|---:|---:|---:|---:|---|"]
        for part in growth_rows(found.regression.parts):
            lines.append(_line([part.name, part.reference, part.candidate, part.change, part.interval, part.says]))
        lines.append("")
    if found.regression is not None:
        lines += [f"- {cell(one.words)} instructions a frame" for one in found.regression.functions[:FUNCTIONS_SHOWN]]
        lines.append("")
    if found.ablation is not None and found.ablation.effects:
        lines += ["| change | frame time | ms | interval | |", "|---|---:|---:|---:|---|"]
        for row in effect_rows(found.ablation):
            lines.append(_line([row.what, row.change, row.milliseconds, row.interval, f"{row.symbol} {row.says}"]))
        lines.append("")
        lines += [f"- {cell(label(one.changes))}: {cell(one.words)}" for one in found.ablation.interactions]
        lines += [f"- {cell(what)}: {cell(why)}" for what, why in unmeasured_rows(found.ablation)]
    for replay in found.replays:
        lines += ["", f"#### The seed case on the {replay.device} device", ""]
        lines += ["| step | what changed | claimed | fences | spins | timeouts | FPS | against the step before |"]
        lines += ["|---|---|---|---:|---:|---:|---:|---|"]
        for step in seed_rows(replay):
            texts = [step.name, step.changed, step.claimed, step.fences, step.spins, step.timeouts, step.fps]
            lines.append(_line([*texts, step.against]))
        lines += ["", " ".join(cell(sentence) for sentence in replay.closing)]
    lines += [""] + [f"- {cell(text)}" for text in page.result.notices]
    lines += ["", f"`{page.again}`, exit {page.result.exit_code}, {page.result.seconds:.0f} s"]
    return "\n".join(lines) + "\n"


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(cell(text) for text in texts) + " |"
