"""The table of drivers: rows are kept, taken again where nothing has changed, and written as a page or as Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands import survey
from harness.core.device.recount import recounted_fps
from harness.model.spec import UsageError, Verdict
from harness.model.survey import COLUMNS, NOTHING, SurveyRow, SurveyRows, survey_markdown
from harness.report.printer import Printer
from harness.settings import Arguments
from harness.tests.printer import Transcript


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two targets in ``tmp_path``, and the names of those that were measured; the second one interrupts once."""
    names: list[str] = []

    def pretend(name: str, share_s: float, what: str, out: Printer) -> SurveyRow:
        names.append(Path(name).stem)
        if names == ["one", "two"]:
            raise KeyboardInterrupt
        return SurveyRow(name, Verdict.PASS, tuple(f"{len(names)}" for _ in COLUMNS), "pass: 9 frames/s", "results/a")

    monkeypatch.setattr(survey, "_measured", pretend)
    monkeypatch.setattr(survey, "RESULTS_DIR", tmp_path / "results")
    for name in ("one", "two"):
        (tmp_path / f"{name}.elf").write_bytes(name.encode())
        (tmp_path / f"{name}.toml").write_text(f'image = {{ kernel = "{name}.elf" }}\n', encoding="utf-8")
    return names


def run(folder: Path, page: str = "table.html", **more: str) -> tuple[Verdict, list[str]]:
    out = Transcript()
    given = {"TARGETS": f"{folder}/one.toml,{folder}/two.toml", "PAGE": str(folder / page), **more}
    return survey.main(Arguments("survey", given), out), out.said


def test_an_interrupted_survey_goes_on_where_it_was(tmp_path: Path, measured: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    verdict, _ = run(tmp_path, RESUME="1")
    assert verdict is Verdict.PASS and measured == ["one", "two", "two"]
    text = (tmp_path / "table.html").read_text(encoding="utf-8")
    assert "2 drivers" in text and "Recount is how far" in text


def test_a_changed_image_and_a_survey_without_resume_are_measured_again(tmp_path: Path, measured: list[str]) -> None:
    measured.append("begun")
    run(tmp_path)
    (tmp_path / "one.elf").write_bytes(b"another")
    run(tmp_path, RESUME="1")
    assert measured[1:] == ["one", "two", "one"]
    run(tmp_path)
    assert measured[4:] == ["one", "two"]


def test_markdown_holds_the_same_rows(tmp_path: Path, measured: list[str]) -> None:
    measured.append("begun")
    run(tmp_path, "table.md")
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert text.startswith("| target | verdict | frames/s | recount |") and "- `two`: pass: 9 frames/s" in text


def test_rows_that_cannot_be_read_are_named(tmp_path: Path, measured: list[str]) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table.html.rows.json").write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="RESUME=1: .*cannot be read"):
        run(tmp_path, RESUME="1")


def test_rows_without_a_digest_are_never_taken_again() -> None:
    row = SurveyRow("mine", Verdict.PASS, (NOTHING,) * len(COLUMNS), "pass")
    assert SurveyRows((row,)).of("mine", "") is None
    assert "| mine | pass |" in survey_markdown((row,))


def events(*words: str) -> str:
    return "".join(f"7@{at // 1000}.{at % 1000:03d}000:virtio_gpu_cmd_{kind}\n" for at, kind in map(_event, words))


def _event(word: str) -> tuple[int, str]:
    at, _, kind = word.partition(" ")
    size = kind[1:] or "640"
    name = {"t": "res_xfer_toh_2d", "f": "res_flush"}[kind[0]]
    return int(at), f"{name} res 0x1, w {size}, h 480, x 0, y 0"


def test_a_second_count_takes_flushes_after_a_transfer() -> None:
    trace = events("1000 t", "1010 f", "1015 f", "1100 t", "1110 f", "1200 t", "1210 f", "1310 f")
    assert recounted_fps(trace, 0, 0, 2) == pytest.approx(10)
    assert recounted_fps(trace, 0, 0, 3) is None
    assert recounted_fps(trace, 1_100_000_000, 0, 1) == pytest.approx(10)


def test_a_second_count_of_parts_needs_a_declared_gap() -> None:
    trace = events("1000 t", "1010 f100", "1011 f200", "1110 f100", "1111 f200", "1210 f100", "1211 f200")
    assert recounted_fps(trace, 0, 0, 2) is None
    assert recounted_fps(trace, 0, 0, 2, gap_ns=5_000_000) == pytest.approx(10)
