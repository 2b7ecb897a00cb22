"""Commands that tell tables: what a terminal shows stands on a page of its own as well."""

from __future__ import annotations

from pathlib import Path

from harness.model.result import Result
from harness.model.spec import Verdict
from harness.report.told import TellingPrinter, write_told
from harness.robustness.hostile import TEXTS, html_problems, markdown_problems
from harness.tests.printer import RecordingPrinter

RESULT = Result("bench", Verdict.INCONCLUSIVE, "1 of 2 promises kept: missed b", "2026-01-01T00:00:00+00:00", 3.0)


def test_a_table_is_told_and_stands_on_the_page(tmp_path: Path, printer: RecordingPrinter) -> None:
    told = TellingPrinter(printer)
    told.line("first")
    told.table("promises", ["", "what", "here"], [["✓ kept", "a", "1 s"], ["✗ missed", "b", "3 s"]])
    write_told(told, RESULT, tmp_path, "make bench ONLY=gate")
    page, comment = ((tmp_path / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert [section.title for section in told.sections] == ["Promises"]
    for text in (page, comment):
        assert "1 of 2 promises kept" in text and "✗ missed" in text and "make bench ONLY=gate" in text
    assert "inconclusive · exit 4" in page


def test_what_a_table_holds_is_only_text(tmp_path: Path, printer: RecordingPrinter) -> None:
    told = TellingPrinter(printer)
    told.table("hostile", ["what", "here"], [[text, text] for text in TEXTS])
    write_told(told, RESULT, tmp_path, "make bench")
    assert not html_problems((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not markdown_problems((tmp_path / "report.md").read_text(encoding="utf-8"))
