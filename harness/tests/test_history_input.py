"""Input of a history from outside: one bad line, file or address does not stop the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.cli import main
from harness.history.jsonl import import_lines
from harness.history.queue import remember
from harness.history.series import record_from_line, record_to_line
from harness.history.store import History
from harness.model.result import ResultError
from harness.robustness.history_samples import history_run
from harness.tests.test_replay import save_run


@pytest.fixture()
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'history.db'}"


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(record_to_line(history_run(7))) | fields).encode()


BAD_LINES: tuple[tuple[bytes, str], ...] = (
    (b"[" * 200_000, "nested too deeply"),
    (b'{"a":' * 200_000, "nested too deeply"),
    (changed(sentence="\ud800"), "surrogates not allowed"),
    (changed(seconds=10**400), "too large"),
    (b'{"schema":1,"seconds":' + b"9" * 5000 + b"}", "Exceeds the limit"),
    (changed(verdict="splendid"), "'splendid' is not a verdict"),
    (changed(started="yesterday"), "Invalid isoformat"),
    (changed(started="2026-01-01T00:00:00"), "names no time zone"),
    (changed(started="2026-99-01T00:00:00Z"), "month must be in"),
    (changed(cell=7), "'7' is not text"),
    (changed(dirty="no"), "dirty is neither"),
    (changed(points=[["m", "ratio", "c", True, None, None]]), "'True' is not a number"),
    (changed(points=[["m", "ratio", "c", 10**400, None, None]]), "too large"),
    (changed(points=[["m"]]), "not enough values"),
    (changed(points=7), "not iterable"),
    (changed(run_id="x" * 300), "at most 200 are stored"),
    (changed(host="a\0b"), "zero byte"),
    (b"\xff\xfe", "can't decode"),
    (b"7", "must be an object"),
)


@pytest.mark.parametrize(("line", "says"), BAD_LINES)
def test_a_line_that_is_no_run_is_refused_with_the_reason(line: bytes, says: str) -> None:
    with pytest.raises(ResultError, match=says) as raised:
        record_from_line(line)
    assert len(str(raised.value)) < 300


def test_bad_lines_are_set_aside_and_the_rest_goes_in(url: str, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    good = [record_to_line(history_run(number)).encode() for number in (1, 2)]
    path.write_bytes(b"\n".join([good[0], *(line for line, _ in BAD_LINES), good[1]]) + b"\n")
    with History(url) as history:
        imported = import_lines(history, path)
    assert (imported.added, len(imported.refused)) == (2, len(BAD_LINES))
    assert imported.kept == tmp_path / "history.jsonl.rejected"
    kept = imported.kept.read_bytes()
    assert all(line in kept for line, _ in BAD_LINES) and b"# line 2: not a run" in kept


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "/dev/zero"])
def test_a_file_that_cannot_be_read_is_a_usage_error(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HISTORY_URL", f"sqlite:///{tmp_path}/history.db")
    path = tmp_path / "lines" if kind != "/dev/zero" else Path(kind)
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    assert main(["history", "import", str(path)]) == 2
    assert capsys.readouterr().out.startswith(f"usage: {path}")


def test_a_bad_file_does_not_hold_up_the_queue(url: str, tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    for number, (line, _) in enumerate(BAD_LINES, 1):
        (queue / f"{number:08d}-bad.json").write_bytes(line)
    delivery = remember(history_run(1), url, queue)
    assert (delivery.delivered, delivery.waiting, len(delivery.said)) == (1, 0, len(BAD_LINES))
    assert len(list(queue.glob("*.rejected"))) == len(BAD_LINES)


def test_a_damaged_run_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HISTORY_URL", f"sqlite:///{tmp_path}/history.db")
    for name in ("one", "damaged", "two"):
        save_run(tmp_path / name)
    (tmp_path / "damaged" / "result.json").write_bytes(b"{")
    words = [str(tmp_path / name) for name in ("one", "damaged", "two")]
    assert main(["history", "add", *words, "CELL=x"]) == 5
    said = capsys.readouterr().out
    assert "one: added" in said and "two: added" in said and "/damaged cannot be replayed: it is damaged (" in said
    assert main(["history", "add", words[0], str(tmp_path / "none"), "CELL=x"]) == 2
    assert "none: no saved run" in capsys.readouterr().out


def test_an_empty_file_is_no_sound_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    path.touch()
    monkeypatch.setenv("HISTORY_URL", f"sqlite:///{path}")
    assert main(["history", "check"]) == 5
    with History() as history:
        history.append(history_run(1))
    assert main(["history", "check"]) == 0


@pytest.mark.parametrize(
    "address",
    ["postgresql//u:secret@h/n", "postgresql://u:secret@h:port/n", "nothing://u:secret@h/n", "secret", "sqlite"]
    + ["sqlite:///x?timeout=secret", "sqlite:///x?check_same_thread=secret"],
)
def test_an_address_is_not_repeated_in_an_error(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HISTORY_URL", address)
    assert main(["history", "check"]) == 2
    assert "secret" not in "".join(capsys.readouterr())


def test_a_database_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HISTORY_URL", "postgresql://u:secret@127.0.0.1:1/n?sslpassword=secret")
    assert main(["history", "check"]) == 5
    assert "secret" not in "".join(capsys.readouterr())
