"""The live page: cells, hosts and verdicts, while it runs and from its file afterwards."""

from __future__ import annotations

import re
from pathlib import Path

from harness.cluster.dispatch import Dispatcher
from harness.cluster.live import LivePage, board_of, live_page, page_from_file
from harness.model.job import PAIR
from harness.tests.cluster_parts import QUICK, FakeEngine, job, small_cargo, wishes


def run_with_page(tmp_path: Path) -> tuple[Dispatcher, LivePage, list[str]]:
    """A run of eight jobs, one of which fails and one of which nobody can run; and the page at each look."""
    engine = FakeEngine(tmp_path / "workers")
    engine.add("one", run_s=3.0), engine.add("two", run_s=4.0), engine.add("old", version="v0")
    results = tmp_path / "results"
    results.mkdir()
    page = LivePage(results, "nightly", engine.clock)
    seen: list[str] = []

    def watch(dispatcher: Dispatcher) -> None:
        page.show(dispatcher)
        seen.append(page.path.read_text(encoding="utf-8"))

    found = Dispatcher(
        engine, small_cargo(tmp_path), results, QUICK, clock=engine.clock, sleep=engine.sleep, watch=watch
    )
    jobs = [job(f"cell {number}", *(["fail"] if number == 2 else [])) for number in range(7)]
    jobs.append(job("<b>cell & gl", needs=(PAIR, "gl")))
    list(found.run(wishes(jobs, found.cargo)))
    page.end(found)
    return found, page, seen


def test_the_page_shows_what_runs_waits_and_is_done(tmp_path: Path) -> None:
    _, page, seen = run_with_page(tmp_path)
    middle = next(text for text in seen if "▸ runs" in text and "✓ pass" in text)
    assert 'http-equiv="refresh"' in middle and "· waits" in middle and "running, " in middle
    over = page.path.read_text(encoding="utf-8")
    assert 'http-equiv="refresh"' not in over and "harness-failed" in over and "8 done" in over
    assert "✗ guest-failed" in over and "the guest hangs" in over and "no worker offers gl" in over
    assert "version v0 of the harness" in over and "&lt;b&gt;cell &amp; gl" in over and "<b>cell" not in over


def test_every_finished_cell_links_to_its_report(tmp_path: Path) -> None:
    found, page, _ = run_with_page(tmp_path)
    links = re.findall(r'href="([^"]+)/report.html"', page.path.read_text(encoding="utf-8"))
    assert sorted(links) == sorted(Path(end.folder).name for end in found.ended.values() if end.folder)
    assert all((page.results / link).is_dir() for link in links)


def test_the_page_works_from_its_file_when_the_run_is_over(tmp_path: Path) -> None:
    _, page, _ = run_with_page(tmp_path)
    folder = page.results / "20260301T030000Z-nightly"
    folder.mkdir()
    page.keep(folder)
    kept = (folder / "cluster.html").read_text(encoding="utf-8")
    assert page_from_file(folder / "cluster.json") == kept
    assert re.findall(r'href="\.\./[^"]+/report.html"', kept)


def test_a_wrong_picture_is_shown_in_the_page_itself(tmp_path: Path) -> None:
    found, page, _ = run_with_page(tmp_path)
    [end] = [one for one in found.ended.values() if one.job.label == "cell 1"]
    pictures = Path(end.folder) / "pictures"
    pictures.mkdir()
    (pictures / "frame-7-captured.png").write_bytes(b"\x89PNG")
    import dataclasses

    found.ended = {"x": dataclasses.replace(end, exit_code=3)}
    text = live_page(board_of(found, "nightly", "now", True), page.results)
    assert "data:image/png;base64,iVBORw==" in text and "frame-7-captured.png" in text
