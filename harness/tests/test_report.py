"""Reports of a run: what stands first, evidence, links, and that no text of a guest is more than text."""

from __future__ import annotations

import dataclasses
import html
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.model.result import Arm, Frames, Gate, Host, Metric, NextStep, QemuSetup, Result
from harness.model.spec import Verdict
from harness.platform.pictures.gnuplot import plot_svg
from harness.report.files import write_reports
from harness.report.machine import github_lines, junit
from harness.report.plots import PlottedChange, ratio_plot
from harness.report.render import markdown, page, terminal_lines
from harness.report.run_view import arm_names, title_of, view_of
from harness.report.words import LABELS
from harness.robustness.hostile import TEXTS, html_problems, markdown_problems, runner_problems

RNG = np.random.default_rng(3)
FRAMES_MS = {"candidate": RNG.gamma(40, 0.03, 900), "reference": RNG.gamma(40, 0.025, 900)}
EFFECTS = [(0.2, 0), (0.19, 0), (0.21, 1)]


def gates(why: str = "19.0 % slower") -> tuple[Gate, ...]:
    return (
        Gate("spins_per_frame", "report", None, "reported, not judged", 271.0, 270.0, 0.003),
        Gate("completions_per_frame", "equal", Verdict.PASS, "equal", 2.0, 2.0, 0.0),
        Gate("fps_trace", "ratio", Verdict.REGRESSION, why, 808.0, 960.0, -0.16, -0.163, -0.157, 0.015),
        Gate("instructions_per_frame", "rise", Verdict.INCONCLUSIVE, "the reference has no data", 1_910_143.0),
    )


def result(**changes: object) -> Result:
    metrics = {"fps_trace": Metric(808.0, "frames/s", "trace", n=900)}
    made = Result(
        command="perf",
        verdict=Verdict.REGRESSION,
        sentence="regression: 19.0 % slower than the baseline",
        started="2026-01-02T03:04:05+00:00",
        seconds=61.25,
        source={"git": "ab" * 20, "dirty": False},
        arms={
            "candidate": Arm({"ARCH": "x86_64", "FAULT": "slow_draw"}, "c" * 64, metrics),
            "reference": Arm({"ARCH": "x86_64"}, "d" * 64, metrics),
        },
        gates=gates(),
        next_steps=(NextStep("see which part grew", "make explain RESULT=results/x"),),
        words=("FAULT=slow_draw",),
    )
    return dataclasses.replace(made, **changes)


def compared() -> Result:
    arms = {
        "A": Arm({"ARCH": "x86_64", "BARRIER": "seqcst_spin"}, "a" * 64, {}),
        "B": Arm({"ARCH": "x86_64", "BARRIER": "acquire_progress"}, "b" * 64, {}),
    }
    return result(command="ab", arms=arms, gates=())


def test_verdict_change_and_next_step_stand_before_plots_and_plots_before_tables(tmp_path: Path) -> None:
    assert write_reports(result(), tmp_path, FRAMES_MS, EFFECTS) == ()
    text = (tmp_path / "report.html").read_text()
    places = [
        "regression · exit 1",
        "<h1>",
        "+19.0 %",
        "make explain RESULT=results/x",
        'class="plot"',
        "What was judged",
    ]
    places += ["Reported, not judged"]
    found = [text.index(place) for place in places]
    assert found == sorted(found)
    body = text[text.index("What was judged") :]
    order = [
        body.index(name) for name in ("frame rate", "instructions a frame", "completions a frame", "spins a frame")
    ]
    assert order == sorted(order), "failed first, judged before reported"
    assert text.count("<details") >= 3 and len(text) < 2_000_000


def test_limits_are_drawn_with_their_names(tmp_path: Path) -> None:
    write_reports(result(), tmp_path, FRAMES_MS, EFFECTS)
    text = (tmp_path / "report.html").read_text()
    assert text.count("limit +1.5 %") >= 4 and "95 % interval" in text


def test_a_page_links_what_the_run_holds_and_the_commit(tmp_path: Path) -> None:
    (tmp_path / "window").mkdir()
    (tmp_path / "window" / "serial.log").write_text("[DONE]")
    write_reports(result(), tmp_path, FRAMES_MS, commit_url="https://example.org/c/{commit}")
    text = (tmp_path / "report.html").read_text()
    for href in ("result.json", "frames.csv", "window/serial.log", "junit.xml"):
        assert f'href="{href}"' in text
    assert f'href="https://example.org/c/{"ab" * 20}"' in text and "trace.log" not in text
    assert f"](<https://example.org/c/{'ab' * 20}>)" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "frames.csv").read_text().count("\n") == 1801
    write_reports(result(), tmp_path, {}, commit_url="javascript:alert(1)//{commit}")
    assert "javascript:" not in (tmp_path / "report.html").read_text()


def planted_evidence(folder: Path) -> Frames:
    """One bad pixel in a picture of noise, which no PNG can shrink."""
    (folder / "pictures").mkdir()
    expected = RNG.integers(0, 255, (768, 1024, 3), np.uint8)
    names = []
    for number in range(8):
        captured = expected.copy()
        captured[384, 341] ^= 255
        for end, picture in (("", captured), ("-expected", expected), ("-difference", expected)):
            cv2.imwrite(str(folder / "pictures" / f"{number:02d}-corrupt{end}.png"), picture)
        names.append(f"pictures/{number:02d}-corrupt-difference.png")
    return Frames(checked=9, intact=1, corrupt=8, findings=("frame 2 is corrupt",), evidence=tuple(names))


@pytest.mark.slow
def test_evidence_is_cropped_captioned_and_within_its_budget(tmp_path: Path) -> None:
    frames = planted_evidence(tmp_path)
    text = page(view_of(result(frames=frames), tmp_path))
    for caption in ("captured", "expected", "difference"):
        assert text.count(f"<figcaption>{caption}</figcaption>") == 6
    assert "rows 336 to 431, columns 293 to 388" in text and "2 more bad frames" in text
    assert len(text) < 2_000_000


def test_arms_are_named_by_what_differs() -> None:
    assert arm_names(compared().arms) == {"A": "seqcst_spin (A)", "B": "acquire_progress (B)"}
    assert title_of(compared()) == "acquire_progress (B) against seqcst_spin (A)"
    view = view_of(compared(), Path("/nowhere"))
    assert f"<h1>{view.title}</h1>" in page(view) and view.title in markdown(view).replace("\\", "")


def test_a_comment_has_a_heading_a_table_and_a_marker(tmp_path: Path) -> None:
    text = markdown(view_of(result(), tmp_path))
    assert text.splitlines()[:2] == [
        "<!-- performance-report: perf -->",
        "### ✗ regression: 19.0 % slower than the baseline",
    ]
    assert "| **frame rate** (fps\\_trace, ratio) | ✗ regression |" in text
    assert text.count("<details>") == text.count("</details>") >= 2
    assert "```\nmake perf FAULT=slow_draw\n```" in text and "`make explain RESULT=results/x`" in text


def test_a_terminal_says_the_verdict_and_what_next(tmp_path: Path) -> None:
    lines = terminal_lines(view_of(result(notices=("one\x1b[2J",)), tmp_path))
    assert lines == (
        "note: one\\x1b[2J",
        "regression: 19.0 % slower than the baseline",
        "next: see which part grew: make explain RESULT=results/x",
    )


def hostile(text: str) -> Result:
    metric = Metric(1.0, text, text)
    return result(
        sentence=text,
        problems=(text, f"second {text}"),
        notices=(text,),
        next_steps=(NextStep(text, text),),
        words=(text,),
        host=Host(text, 2, text, text),
        qemu=QemuSetup(text, text, 1, text, text),
        compiler=text,
        arms={text: Arm({"ARCH": "x86_64"}, "c" * 64, {text: metric, "fps_trace": metric})},
        gates=(Gate(text, text, Verdict.GUEST_FAILED, text, 1.0), Gate("pictures", "equal", None, text)),
        frames=Frames(3, 1, corrupt=2, findings=(text,), evidence=(text,)),
    )


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.slow
def test_no_text_of_a_guest_is_more_than_text(text: str, tmp_path: Path) -> None:
    one = hostile(text)
    view = view_of(one, tmp_path)
    assert markdown_problems(markdown(view)) == []
    assert html_problems(page(view)) == []
    assert [problem for line in terminal_lines(view) for problem in runner_problems(line)] == []
    suites = ElementTree.fromstring(junit(one).encode())
    said = [value for node in suites.iter() for value in (node.text or "", *node.attrib.values())]
    assert [problem for value in said for problem in runner_problems(value)] == []
    for line in github_lines(one):
        kind, _, message = line.removeprefix("::").partition("::")
        assert kind.split()[0] in ("error", "warning", "notice") and "\n" not in line
        assert runner_problems(message) == [] and kind.count(",") == 0


def test_the_checker_knows_what_it_looks_for() -> None:
    assert len([text for text in TEXTS if markdown_problems(text)]) >= len(TEXTS) - 4
    assert runner_problems("x ##[y]") and runner_problems(" ::debug::x") and runner_problems("\x1b[2J")
    assert html_problems("<script></script><script></script>") and html_problems("<b onclick=x>")
    assert html_problems("a\u202eb") and not html_problems("<p>plain</p>")


def test_figures_that_are_unknown_are_left_out_of_plots(tmp_path: Path) -> None:
    unknown = Gate("fps_trace", "ratio", Verdict.INCONCLUSIVE, "too few launches", 808.0, 960.0, -0.16)
    effects = [(float("nan"), 0), (0.01, 0), (0.02, 1), (float("inf"), 1)]
    assert write_reports(result(gates=(unknown,)), tmp_path, FRAMES_MS, effects) == ()
    assert "NaN" not in (tmp_path / "report.html").read_text().replace(":NaN)", "")


def test_every_metric_can_be_named_on_the_axis_of_a_plot() -> None:
    names = [*LABELS.values(), "100 % sure", "5%"]
    svg = plot_svg(ratio_plot([PlottedChange(name, 0.01, 0.0, 0.02) for name in names], 0.015).text)
    assert all(html.escape(name, quote=False) in svg for name in names)


@pytest.mark.parametrize(("change", "shown"), [(0.01, "100 frames/s"), (-0.01, "102 frames/s")])
def test_a_row_s_figures_never_lie_the_other_way_round_than_its_change(change: float, shown: str) -> None:
    """101 against 100 frames/s over the whole run; side by side it may be 1 % slower all the same."""
    gate = Gate("fps_trace", "ratio", Verdict.PASS, "no change", 101.0, 100.0, change, change, change, 0.015)
    section = next(one for one in view_of(result(gates=(gate,)), Path()).sections if one.title == "What was judged")
    assert section.table is not None
    assert [cell.text for cell in section.table.rows[0].cells[2:4]] == ["101 frames/s", shown]
