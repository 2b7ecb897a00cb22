"""Every kind of page, on a phone and on a desk, light and dark: nothing is cut, and axe-core finds nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.model.spec import ROOT
from harness.tests.browser import Browser, browser
from harness.tests.gallery import pages

pytestmark = pytest.mark.xdist_group("pages")
"""The pages are made once."""
AXE = ROOT / "harness" / "tests" / "vendor" / "axe.min.js"
PHONE, DESK = 390, 1280
KINDS = (
    "regression",
    "guest failed",
    "comparison of arms",
    "bisection",
    "acceptance",
    "an ending without a result",
    "latency",
    "late input",
    "several modes",
    "malformed commands",
    "planted hiccup",
    "explanation",
    "a driver's manners",
    "bench",
    "survey",
    "two saved runs",
    "what is approved",
    "night",
    "a shared night",
    "site",
    "series",
    "proof",
)
WIDER = """[...document.querySelectorAll('body *')].filter(one => one.scrollWidth > one.clientWidth + 1 &&
    getComputedStyle(one).overflowX === 'auto' && one.clientWidth > 0).map(one =>
    one.getAttribute('aria-label') || one.textContent.slice(0, 60))"""
"""Boxes that must be scrolled sideways."""
BROKEN = """(() => {
    const found = [], walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.parentElement.closest('svg, pre, code, script, style')) continue;
        if (!node.parentElement.checkVisibility()) continue;
        const said = node.textContent.replace(/\\S{31,}/g, path => ' '.repeat(path.length));
        for (const word of said.matchAll(/[A-Za-z]{2,14}/g)) {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map(one => Math.round(one.top))).size > 1) found.push(word[0]);
        }
    }
    return found;
})()"""
"""Words of everyday length that are broken in two where they are shown; those of a long path may be."""
OVERLAPPING = """[...document.querySelectorAll('svg')].flatMap(svg => {
    const texts = [...svg.querySelectorAll('text')].map(one => [one.textContent.trim(), one.getBoundingClientRect()])
        .filter(([said, box]) => said && box.width > 0);
    return texts.flatMap(([said, box], at) => texts.slice(at + 1).filter(([other, next]) => other !== said &&
        Math.min(box.right, next.right) - Math.max(box.left, next.left) > 1 &&
        Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top) > 0.15 * Math.min(box.height, next.height))
        .map(([other]) => `${said} / ${other}`));
})"""
"""Texts of a drawing that lie on each other."""
FOLD = """[...document.querySelectorAll('.verdict, h1, .changes li, .next')].map(one =>
    one.getBoundingClientRect().bottom)"""
"""Where the verdict, what changed and the next step end."""
HIDDEN = """(() => { window.scrollTo(500, 0); const moved = window.scrollX; window.scrollTo(0, 0); return moved; })()"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    pytest.importorskip("unicorn")
    return pages(tmp_path_factory.mktemp("gallery"))


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def found_by_axe(page: Browser) -> list[str]:
    """What axe-core complains of, of any weight, with the first element of each."""
    # The pages' own policy forbids foreign scripts; the debugger's evaluation is not subject to it.
    page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
    text = page.evaluate("axe.run(document).then(found => JSON.stringify(found.violations))")
    rules: list[dict[str, Any]] = json.loads(text)
    return [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}" for one in rules]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("planted hiccup", ">5 ms</span>"),
        ("late input", ">6 keys</span>"),
        ("late input", "60 keys at random moments, at 60 frames/s: 59 seen in a recorded frame"),
        ("several modes", "Wrong: the 7th picture of 1366x768 has 800x600."),
        ("malformed commands", "Failed: a check."),
    ],
)
def test_a_page_says_what_was_wrong_and_in_which_unit(kind: str, says: str, gallery: Mapping[str, Path]) -> None:
    assert says in gallery[kind].read_text(encoding="utf-8")


def test_the_gallery_holds_every_kind(gallery: Mapping[str, Path]) -> None:
    assert tuple(gallery) == KINDS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_page_is_whole_and_accessible_on_every_screen(kind: str, page: Browser, gallery: Mapping[str, Path]) -> None:
    for width, dark in ((PHONE, True), (DESK, False)):
        page.errors.clear()
        page.open(gallery[kind], width=width, height=900, dark=dark)
        assert page.errors == []
        assert page.evaluate(HIDDEN) == 0, f"{kind} is wider than {width} pixels"
        assert page.evaluate(WIDER) == [], f"{kind} at {width} pixels"
        assert page.evaluate(BROKEN) == [], f"{kind} at {width} pixels"
        assert page.evaluate(OVERLAPPING) == [], f"{kind} at {width} pixels"
        assert max(page.evaluate(FOLD)) <= 900, f"{kind} at {width} pixels: what is said first needs scrolling"
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert found_by_axe(page) == [], f"{kind} at {width} pixels, {'dark' if dark else 'light'}"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "a shared night"])
@pytest.mark.slow
def test_a_page_that_did_not_pass_says_what_to_do_next(kind: str, gallery: Mapping[str, Path]) -> None:
    """The page of a shared night follows it; the night's own report says what to do."""
    text = gallery[kind].read_text(encoding="utf-8")
    found = re.search(r"· exit ([1-5])<", text)
    assert found is None or '<div class="next">' in text


@pytest.mark.slow
def test_axe_finds_what_is_planted(page: Browser, tmp_path: Path) -> None:
    planted = tmp_path / "planted.html"
    planted.write_text("<p style='color: #999; background: #fff'>pale<img src='x.png'></p>", encoding="utf-8")
    page.open(planted)
    found = " ".join(found_by_axe(page))
    assert all(rule in found for rule in ("color-contrast", "image-alt", "html-has-lang", "document-title"))
