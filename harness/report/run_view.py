"""The view of a run: of the gate, of a comparison of arms, of whatever judges gates."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.core.timing.hostnoise import noise_words
from harness.model.latency_record import LatencyRecord
from harness.model.modes_record import ModesRecord
from harness.model.record import PicturesRecord, TimingRecord
from harness.model.refusals_record import RefusalsRecord
from harness.model.result import Arm, Gate, Result
from harness.model.spec import Switches, Verdict
from harness.report.latency_view import latency_section
from harness.report.modes_view import modes_section
from harness.report.movie import movie_of
from harness.report.past import past_values, sparkline
from harness.report.pictures import evidence_of, film_of
from harness.report.refusals_view import refusals_section
from harness.report.view import (
    Highlight,
    Link,
    Plot,
    ReportView,
    Section,
    TableCell,
    TableRow,
    columns,
    symbol_of,
    table,
    tone_of,
)
from harness.report.words import change_words, figure, label_of

SIGN = "Change is of time where the metric is a rate or a time: + is slower."
CHANGES_SHOWN = 3
FINDINGS_SHOWN = 4
_RAW = (
    ("data (JSON)", "result.json"),
    ("frame times (CSV)", "frames.csv"),
    ("serial log", "window/serial.log"),
    ("serial log", "serial.log"),
    ("picture", "screen.png"),
    ("trace", "window/trace.log"),
    ("serial log with keys", "latency/serial.log"),
    ("trace with keys", "latency/trace.log"),
    ("serial log of the modes", "modes/serial.log"),
    ("trace of the modes", "modes/trace.log"),
    ("explain", "explain.html"),
    ("JUnit", "junit.xml"),
)
_UNNAMED = re.compile(r"[A-Z]")


def arm_names(arms: Mapping[str, Arm]) -> dict[str, str]:
    """What to call each arm: lettered ones by what differs between their switches, ``seqcst_spin (A)``."""
    lettered = [name for name in arms if _UNNAMED.fullmatch(name)]
    switches = [arms[name].switches for name in lettered]
    keys = list(dict.fromkeys(key for one in switches for key in one))
    differing = [key for key in keys if len({one.get(key) for one in switches}) > 1]
    names = {name: name for name in arms}
    for name in lettered:
        arm = arms[name]
        words = [
            arm.switches.get(key, "") if key == "BARRIER" else f"{key}={arm.switches.get(key)}" for key in differing
        ]
        if not differing and len({arms[one].build.get("commit") for one in lettered}) > 1:
            words = [arm.build.get("commit", "")[:9] or "working tree"]
        names[name] = f"{' '.join(words)} ({name})" if words and arm.switches else name
    return names


def title_of(result: Result) -> str:
    """The heading of a comparison: its arms by what differs between them."""
    if result.command != "ab" or len(result.arms) < 2:
        return ""
    first, *others = arm_names(result.arms).values()
    return f"{', '.join(others)} against {first}"


def reproduce(result: Result) -> str:
    """One line that runs the same again: the words that were given, quoted for a shell."""
    if result.words:
        return shlex.join(["make", result.command, *result.words])
    if result.command == "ab":
        arms = " ".join(f'{name}="{_switch_words(arm.switches)}"' for name, arm in result.arms.items())
        return f"make ab {arms}"
    switches = _switch_words(result.arms["candidate"].switches) if "candidate" in result.arms else ""
    return f"make {result.command} {switches}".strip()


def _switch_words(switches: Mapping[str, str]) -> str:
    if not switches:
        return "KERNEL=…"
    chosen = Switches.of(switches)
    words = [f"ARCH={chosen.arch}"] if chosen.arch != "x86_64" else []
    return " ".join([*words, *(f"{name}={value}" for name, value in chosen.chosen)])


def facts(result: Result) -> tuple[tuple[str, str], ...]:
    """Where and how a result was measured."""
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
    timing = result.run.of(TimingRecord) if result.run else None
    if timing is not None:
        found.append(("protocol", f"{len(timing.launches)} launches; {timing.protocol}"))
        found.append(("estimator", timing.estimator or "slice medians"))
        found.append(("host's noise", noise_words(timing.host)))
    for name, arm in result.arms.items():
        switches = " ".join(f"{key}={value}" for key, value in arm.switches.items()) or "not built here"
        compiler = arm.build.get("compiler", "")
        found.append(
            (name, "; ".join(word for word in (switches, f"sha256 {arm.kernel_sha256[:16]}…", compiler) if word))
        )
    return tuple(found)


def run_links(result: Result, folder: Path, commit_url: str = "") -> tuple[Link, ...]:
    """Ways on from a run: its raw data, its logs, the history and the commit.

    Parameters
    ----------
    folder
        The run's folder, maybe still private. Files that it lacks are not linked, except the result itself.
    commit_url
        With ``{commit}`` in it; empty for none.
    """
    held = [Link(text, name) for text, name in _RAW if name == "result.json" or (folder / name).is_file()]
    for arm in sorted(name for name in result.runs if _UNNAMED.fullmatch(name)):
        named = ((f"{text} of {arm}", f"{arm}/{name}") for text, name in _RAW if "/" in name)
        held += [Link(text, name) for text, name in named if (folder / name).is_file()]
    if (folder.parent / "site" / "index.html").is_file():
        held.append(Link("history", "../site/index.html"))
    commit = str(result.source.get("git") or "")
    if commit_url.startswith(("https://", "http://")) and re.fullmatch(r"[0-9a-f]{7,64}", commit):
        held.append(Link(f"commit {commit[:9]}", commit_url.replace("{commit}", commit)))
    return tuple(held)


def _severity(gate: Gate) -> int:
    return -1 if gate.verdict is None else gate.verdict.severity


def _about(gate: Gate, result: Result) -> str:
    """What a gate is about: the metric, and in a comparison the arms."""
    if result.command == "ab" and " against " in gate.why.partition(":")[0]:
        return gate.why.partition(":")[0]
    return label_of(gate.metric)


def _changes(result: Result) -> tuple[Highlight, ...]:
    """The comparison's outcome, then whatever failed, worst first."""
    ratios = [gate for gate in result.gates if gate.kind == "ratio" and gate.metric == "fps_trace"]
    failed = sorted(
        (gate for gate in result.gates if gate.verdict not in (None, Verdict.PASS) and gate not in ratios),
        key=_severity,
        reverse=True,
    )
    found = []
    for gate in ratios:
        size, bounds = change_words(gate)
        if size != "–":
            label = "frame time" if result.command != "ab" else f"frame time, {_about(gate, result)}"
            found.append(Highlight(label, size, bounds, tone_of(gate.verdict)))
    for gate in failed:
        size, _ = change_words(gate)
        shown = size if size != "–" else figure(gate.value, _unit(gate, result))
        found.append(Highlight(label_of(gate.metric), shown, gate.why, tone_of(gate.verdict)))
    return tuple(found[: CHANGES_SHOWN + max(0, len(ratios) - 1)])


def _unit(gate: Gate, result: Result) -> str:
    for arm in result.arms.values():
        if gate.metric in arm.metrics:
            return arm.metrics[gate.metric].unit
    return ""


def _gate_row(gate: Gate, result: Result) -> TableRow:
    size, bounds = change_words(gate)
    unit = _unit(gate, result)
    tone = tone_of(gate.verdict)
    verdict = gate.verdict.value if gate.verdict else "reported"
    label = _about(gate, result)
    cells = (
        TableCell(
            label, small="" if label == gate.metric else f"{gate.metric}, {gate.kind}", strong=gate.verdict is not None
        ),
        TableCell(f"{symbol_of(gate.verdict)} {verdict}", tone=tone),
        TableCell(figure(gate.value, unit)),
        _reference_cell(gate, unit),
        TableCell(size, small=bounds),
    )
    return TableRow(cells, why=gate.why if gate.why != "reported, not judged" else "", tone=tone)


def _reference_cell(gate: Gate, unit: str) -> TableCell:
    """What was compared with.

    Where the two figures, each over a whole run, lie the other way round than the comparison of launches side by side,
    the comparison is right: the figure that it comes to is shown instead.
    """
    if gate.kind == "ratio" and gate.value and gate.reference and gate.change is not None and gate.change > -1:
        if (gate.value - gate.reference) * gate.change < 0:
            return TableCell(figure(gate.value / (1 + gate.change), unit), small="by the comparison side by side")
    return TableCell(figure(gate.reference, unit))


def _gate_sections(result: Result, plots: Sequence[Plot]) -> list[Section]:
    ours, theirs = ("candidate", "reference") if result.command != "ab" else ("measured", "compared with")
    head = columns("metric", "verdict", f"#{ours}", f"#{theirs}", "#change")
    rows = sorted(result.gates, key=_severity, reverse=True)
    judged = [_gate_row(gate, result) for gate in rows if gate.verdict is not None]
    told = [_gate_row(gate, result) for gate in rows if gate.verdict is None]
    found = [Section("Measured", plots=tuple(plots))] if plots else []
    if judged:
        found.append(
            Section("What was judged", table=table(head, judged), closing=(f"{SIGN} Intervals hold at 95 %.",))
        )
    if told:
        found.append(Section(f"Reported, not judged ({len(told)})", table=table(head, told), folded=True))
    return found


def _arms_section(result: Result) -> Section | None:
    names = arm_names(result.arms)
    metrics = list(dict.fromkeys(metric for arm in result.arms.values() for metric in arm.metrics))
    rows = []
    for metric in metrics:
        found = [result.arms[name].metrics.get(metric) for name in names]
        source = next((one.source for one in found if one), "")
        values = [TableCell(figure(one.value, one.unit)) if one else TableCell("n/a", tone="muted") for one in found]
        label = label_of(metric)
        rows.append(
            TableRow(
                (TableCell(label, small="" if label == metric else metric), *values, TableCell(source, tone="muted"))
            )
        )
    made = table(columns("metric", *(f"#{name}" for name in names.values()), "source"), rows)
    folded = result.command != "ab"
    return Section("Arms, every metric", table=made, folded=folded) if made else None


def _pictures_sections(result: Result, folder: Path) -> list[Section]:
    frames = result.frames
    if frames is None:
        return []
    noted = result.run.of(PicturesRecord) if result.run else None
    evidence, more = evidence_of(folder, frames.evidence)
    counts = TableRow(tuple(TableCell(f"{count:,}") for count in frames.counts.values()))
    told = [text for text in frames.findings if text not in result.problems]
    lead = [text for text in (noted.sentence if noted else "", *told[:FINDINGS_SHOWN], more) if text]
    section = Section(
        "Pictures",
        lead=tuple(dict.fromkeys(lead)),
        table=table(columns(*(f"#{name}" for name in frames.counts)), [counts]),
        evidence=evidence,
        folded=frames.bad == 0,
    )
    movie = movie_of(folder, noted.film if noted else ()) if frames.bad else None
    if movie is not None:
        kept = f"{movie.wrong} of the {movie.frames} frames that were kept are wrong"
        words = f"Captured on the left, expected on the right, differences framed: {kept}."
        return [section, Section("The run, side by side", movie=movie, closing=(words,), folded=True)]
    film = film_of(folder, noted.film if noted else ())
    if film is None:
        return [section]
    what = "screen" if result.run is not None and result.run.target is not None else "wheel"
    words = f"The {what} as captured: {film.count} screendumps, reduced."
    return [section, Section("Film", film=film, closing=(words,), folded=True)]


def short_view(result: Result) -> ReportView:
    """Lines for a terminal about a run."""
    return ReportView(
        result.command, result.verdict, result.sentence, next_steps=result.next_steps, notices=result.notices
    )


def view_of(
    result: Result,
    folder: Path,
    plots: Sequence[Plot] = (),
    commit_url: str = "",
    *,
    latency_plots: Sequence[Plot] = (),
) -> ReportView:
    """Everything that a report of this run shows."""
    sections = _gate_sections(result, plots)
    pictures = _pictures_sections(result, folder)
    arms = _arms_section(result)
    bad = [section for section in pictures if not section.folded]
    rest = [section for section in pictures if section.folded]
    at = 1 if plots and result.verdict is not Verdict.GUEST_FAILED else 0
    sections[at:at] = bad
    latency = result.run.of(LatencyRecord) if result.run else None
    if latency is not None:
        sections.insert(at, latency_section(latency, latency_plots))
    modes = result.run.of(ModesRecord) if result.run else None
    if modes is not None:
        sections.insert(at, modes_section(modes))
    refusals = result.run.of(RefusalsRecord) if result.run else None
    if refusals is not None:
        sections.insert(at, refusals_section(refusals))
    sections += [*([arms] if arms else []), *rest]
    past = sparkline(past_values(result, folder))
    said = {result.sentence, *(result.sentence.partition(": ")[2::2])}
    return ReportView(
        command=result.command,
        verdict=result.verdict,
        headline=result.sentence,
        started=result.started,
        seconds=result.seconds,
        title=title_of(result),
        changes=_changes(result),
        past=Plot(past.svg, past.words) if past is not None else None,
        problems=tuple(text for text in result.problems if text not in said),
        next_steps=result.next_steps,
        sections=tuple(sections),
        notices=result.notices,
        facts=facts(result),
        again=reproduce(result),
        qemu=result.qemu.command if result.qemu else "",
        links=run_links(result, folder, commit_url),
    )
