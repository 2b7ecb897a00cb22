"""The history's site, and the night's report: what they say, and that they work in a browser, from disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.history.nightly_page import CellRow, FindingRow, NightView, night_markdown, night_page
from harness.history.series import RATIO
from harness.history.site import Dashboard, sparkline, write_site
from harness.history.site_views import series_views, site_view
from harness.history.store import History
from harness.history.survey import Survey, acknowledge, read, survey
from harness.model.spec import UsageError, Verdict
from harness.tests.browser import Browser, browser
from harness.tests.nights import Planted, nights

pytestmark = pytest.mark.xdist_group("site")
"""The site is made once."""
CELLS = ["x86_64 acquire_progress 2d default", "x86_64 linux 2d default", "riscv64 linux 2d default"]
PLANTED = [Planted(CELLS[0], 22, 0.03), Planted(CELLS[0], 45, -0.02), Planted(CELLS[1], 40, 0.025)]
HOSTILE = "</script><script>alert(1)</script><b>\"'&"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with sixty nights, the last three of which left reports, and the site made of them."""
    root = tmp_path_factory.mktemp("results")
    with History(f"sqlite:///{root / 'history.db'}") as history:
        history.append_all(list(nights(CELLS, 60, PLANTED)))
        survey(history)
        acknowledge(history, 1, "the safer barrier is worth it")
        look = read(history)
    for night in range(57, 60):
        (root / f"night-{night}").mkdir()
        (root / f"night-{night}" / "report.html").write_text(f"<title>run {night}</title>")
    write_site(site_view(look, root), series_views(look, root), root / "site")
    return root


@pytest.fixture(scope="module")
def look(results: Path) -> Survey:
    with History(f"sqlite:///{results / 'history.db'}") as history:
        return read(history)


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def ratio_page(look: Survey, results: Path, cell: str) -> Path:
    number = next(n for n, key in look.keys.items() if (key.cell, key.metric, key.scope) == (cell, "fps_trace", RATIO))
    return results / "site" / "series" / f"{number}.html"


def test_planted_regressions_and_the_improvement_are_each_found_once(look: Survey) -> None:
    found = [
        (look.keys[f.series_id].cell, f.worse, f.kind)
        for f in look.findings
        if look.keys[f.series_id].metric == "fps_trace" and look.keys[f.series_id].scope == RATIO
    ]
    assert sorted(found) == sorted([(CELLS[0], True, "step"), (CELLS[0], False, "step"), (CELLS[1], True, "step")])


def test_the_overview_names_every_cell_and_what_waits(results: Path, look: Survey) -> None:
    text = (results / "site" / "index.html").read_text()
    for cell in CELLS:
        assert f"<h3>{cell}</h3>" in text
    waiting = {(look.keys[f.series_id].cell, f.at_seq) for f in look.findings if f.status == "new" and f.worse}
    assert f"{len(waiting)} changes for somebody to look at" in text
    assert "the safer barrier is worth it" in text and "✓ pass" in text
    assert len(re.findall(r'<svg class="spark"', text)) == 3


def test_every_link_leads_to_a_file(results: Path) -> None:
    pages = [results / "site" / "index.html", *(results / "site" / "series").glob("*.html")]
    assert len(pages) == 1 + 4 * len(CELLS)
    for path in pages:
        for link in re.findall(r'href="([^"#]+)"', path.read_text()):
            assert (path.parent / link).resolve().is_file(), f"{path.name}: {link}"


@pytest.mark.slow
def test_a_site_is_replaced_whole(results: Path, look: Survey, tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(site_view(look, results), series_views(look, results), site)
    (site / "stray.html").write_text("of an older site")
    pages = write_site(site_view(look, results), series_views(look, results), site)
    assert pages == len(list(site.rglob("*.html"))) and [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("kind", ["a file", "notes", "a page of somebody else", "a name for a site"])
def test_nothing_but_a_site_is_replaced(results: Path, look: Survey, tmp_path: Path, kind: str) -> None:
    place, kept = tmp_path / "place", tmp_path / "place" / "notes.txt"
    if kind == "a file":
        kept = place
    else:
        place.mkdir()
        kept = place / ("index.html" if "page" in kind else kept.name)
    if kind == "a name for a site":
        write_site(site_view(look, results), [], place)
    kept.write_text("mine", encoding="ascii")
    with pytest.raises(UsageError, match="is not a folder|which would be removed: name another folder"):
        write_site(site_view(look, results), series_views(look, results), place)
    assert kept.read_text(encoding="ascii") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_hostile_names_stay_text(results: Path, look: Survey) -> None:
    one = next(series_views(look, results))
    hostile = replace(one, cell=HOSTILE, metric=HOSTILE, context=HOSTILE, hosts=[HOSTILE])
    text = Dashboard().series_page(hostile)
    assert "alert(1)</script>" not in text
    assert text.count("</script>") == 2


def test_a_flat_or_empty_sparkline_is_drawn() -> None:
    assert sparkline([], []) == ""
    assert sparkline([1.0], []).count("<circle") == 1
    assert "nan" not in sparkline([2.0, 2.0, 2.0], [(1, True)])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.slow
def test_the_overview_opens_in_a_browser(page: Browser, results: Path, dark: bool) -> None:
    page.errors.clear()
    page.open(results / "site" / "index.html", dark=dark)
    assert page.evaluate("document.querySelectorAll('.cell').length") == 3
    assert page.evaluate("document.querySelectorAll('.spark .mark').length") == 3
    picture = cv2.imdecode(np.frombuffer(page.picture(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert (picture.mean() < 90) == dark
    assert page.errors == []


@pytest.mark.slow
def test_pages_fit_a_phone(page: Browser, results: Path, look: Survey) -> None:
    for path in (results / "site" / "index.html", ratio_page(look, results, CELLS[0])):
        page.open(path, width=390, height=800)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name


def test_the_plot_shows_every_run_and_change(page: Browser, results: Path, look: Survey) -> None:
    page.errors.clear()
    page.open(ratio_page(look, results, CELLS[0]))
    assert page.evaluate("document.querySelectorAll('#plot .dot').length") == 60
    assert page.evaluate("document.querySelectorAll('#plot .edge').length") == 2
    assert page.evaluate("[...document.querySelectorAll('#plot .label')].map(n => n.textContent[0])") == ["▼", "▲"]
    assert page.evaluate("document.querySelectorAll('#plot .level').length") == 3
    assert page.errors == []


@pytest.mark.slow
def test_the_plot_zooms_by_mouse_keys_and_buttons(page: Browser, results: Path, look: Survey) -> None:
    page.open(ratio_page(look, results, CELLS[0]))
    box = page.evaluate("(b => [b.x, b.y, b.width, b.height])(document.getElementById('plot').getBoundingClientRect())")
    middle = box[1] + box[3] / 2
    count = "document.querySelectorAll('#plot .dot').length"
    page.mouse("mouseMoved", box[0] + box[2] * 0.4, middle)
    page.mouse("mousePressed", box[0] + box[2] * 0.4, middle)
    page.mouse("mouseMoved", box[0] + box[2] * 0.5, middle)
    page.mouse("mouseMoved", box[0] + box[2] * 0.6, middle)
    page.mouse("mouseReleased", box[0] + box[2] * 0.6, middle)
    zoomed = page.evaluate(count)
    assert 10 <= zoomed <= 16
    page.evaluate("document.getElementById('plot').focus()")
    page.key("+")
    assert page.evaluate(count) < zoomed
    page.key("0")
    assert page.evaluate(count) == 60
    page.evaluate("document.getElementById('recent').click()")
    assert page.evaluate(count) == 60
    page.key("ArrowLeft")
    assert "commit" in page.evaluate("document.getElementById('note').textContent")


@pytest.mark.slow
def test_a_point_opens_its_run(page: Browser, results: Path, look: Survey) -> None:
    page.open(ratio_page(look, results, CELLS[0]))
    x, y = page.evaluate(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])"
        "([...document.querySelectorAll('#plot .dot')].pop().getBoundingClientRect())"
    )
    page.mouse("mouseMoved", x, y)
    page.mouse("mousePressed", x, y)
    page.mouse("mouseReleased", x, y)
    page.settle()
    assert page.title() == "run 59"


def test_a_click_beside_a_point_goes_nowhere_and_the_wheel_scrolls(page: Browser, results: Path, look: Survey) -> None:
    page.open(ratio_page(look, results, CELLS[0]))
    x, y, bottom = page.evaluate(
        "(b => [b.x + b.width / 2, b.y + b.height / 2, document.getElementById('plot').getBoundingClientRect().bottom])"
        "([...document.querySelectorAll('#plot .dot')].pop().getBoundingClientRect())"
    )
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.mouse(kind, x, y + 60 if y + 60 < bottom else y - 60)
    page.settle()
    assert page.evaluate("document.title") != "run 59" and "commit" in page.evaluate("note.textContent")
    wheel = "plot.dispatchEvent(new WheelEvent('wheel', {deltaY: -100, ctrlKey: %s, cancelable: true, clientX: 500}))"
    assert page.evaluate(wheel % "false") and not page.evaluate(wheel % "true")
    assert page.evaluate("document.querySelectorAll('#plot .dot').length") < 60


@pytest.mark.slow
def test_a_tap_shows_the_value_and_whiskers_are_within_the_plot(page: Browser, results: Path, look: Survey) -> None:
    page.open(ratio_page(look, results, CELLS[0]), width=390, height=800)
    x, y = page.evaluate(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])"
        "([...document.querySelectorAll('#plot .dot')].pop().getBoundingClientRect())"
    )
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    page.call("Emulation.setTouchEmulationEnabled", enabled=False)
    page.settle()
    assert page.evaluate("document.title") != "run 59" and "commit" in page.evaluate("note.textContent")
    inside = "(b => [...document.querySelectorAll('#plot .whisker')].every(w => +w.getAttribute('y1') >= 0 && "
    assert page.evaluate(inside + "+w.getAttribute('y2') <= b.height))(plot.getBoundingClientRect())")


@pytest.mark.slow
def test_cells_are_found_by_words_and_by_what_moved(page: Browser, results: Path) -> None:
    page.open(results / "site" / "index.html")
    shown = "[...document.querySelectorAll('.cell')].filter(c => !c.hidden).length"
    assert page.evaluate(shown) == 3
    page.evaluate("words.value = 'RISCV64 linux'; words.dispatchEvent(new Event('input', {bubbles: true}))")
    assert page.evaluate(shown) == 1 and page.evaluate("count.textContent") == "1 of 3 cells"
    page.evaluate("words.value = ''; moved.checked = true; moved.dispatchEvent(new Event('input', {bubbles: true}))")
    assert page.evaluate(shown) == page.evaluate("document.querySelectorAll('.cell[data-moved]').length") < 3


def test_what_moved_in_one_run_of_one_cell_is_one_finding(look: Survey, results: Path) -> None:
    site = site_view(look, results)
    listed = [*site.open, *site.settled]
    folded = [one for view in listed for one in view.also]
    assert folded and len(listed) + len(folded) == len([f for f in look.findings if f.status != "withdrawn"])
    assert all(one.cause == view.cause and one.status == view.status for view in listed for one in view.also)
    assert len({(view.cause, view.status) for view in listed}) == len(listed)


def night_view() -> NightView:
    cells = [
        CellRow("x86_64 linux 2d default", Verdict.PASS, "pass: 300 frames/s", "run-1", 61.0),
        CellRow(
            "riscv64 linux 2d default", Verdict.GUEST_FAILED, f"panic {HOSTILE}|", "", 4.0, "in quarantine until …"
        ),
    ]
    finding = FindingRow(7, "new", f"fps_trace worse by -3 % {HOSTILE}", True, "run-0", "run-1")
    return NightView(
        Verdict.REGRESSION,
        "regression: 2 cells",
        "2026-03-01T03:00:00+00:00",
        900.0,
        cells,
        [finding],
        [],
        ["aarch64 linux 2d default"],
        1080,
        ["a note"],
        ["a problem"],
    )


def test_a_night_is_summed_up_in_markdown(results: Path) -> None:
    text = night_markdown(night_view())
    assert text.splitlines()[1] == "### ✗ regression: 2 cells"
    assert "finding 7" in text and "No time for: aarch64 linux 2d default" in text and "exit 1" in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 2
    for lines in (one.splitlines() for one in tables):
        assert len({line.count("|") - line.count("\\|") for line in lines}) == 1


def test_a_night_has_a_page(page: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(night_page(night_view()), encoding="utf-8")
    page.errors.clear()
    page.open(tmp_path / "report.html")
    assert page.evaluate("document.querySelectorAll('tr').length") == 2 + 3
    assert page.evaluate("document.querySelectorAll('script').length") == 0
    assert page.errors == []
