"""What was stored before a writer was disturbed, and what must hold of it afterwards."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness.gate.approved.references import read_baseline
from harness.history.journal import Journal
from harness.history.jsonl import append_line, import_lines
from harness.history.site import TITLE
from harness.history.store import History
from harness.model.baseline import KERNEL_NAME
from harness.model.errors import HarnessError
from harness.model.spec import ROOT, UsageError
from harness.platform.files.store import RunFolder, load_result
from harness.platform.processes.child import run_child
from harness.robustness import history_samples, samples
from harness.robustness.killpoints import KILL, Ended, harness

OLD_SITE = f"<title>{TITLE}</title>"
_KEPT = 20
"""Newest runs that the pruned history keeps."""


def history_url(place: Path) -> str:
    """URL of the history in a place."""
    return f"sqlite:///{place / 'history.db'}"


def baseline_problems(place: Path, ended: Ended) -> list[str]:
    arch = place / "baselines" / "x86_64"
    try:
        stored, kernel = read_baseline("x86_64", "acquire_progress", place / "baselines")
    except (HarnessError, UsageError) as error:
        return [f"the baseline is lost: {error}"]
    found = []
    if stored.reason not in (samples.OLD_REASON, samples.NEW_REASON):
        found.append(f"a third baseline: {stored.reason}")
    if (kernel == samples.NEW_ELF) is not (stored.reason == samples.NEW_REASON):
        found.append(f"{KERNEL_NAME} is of another approval")
    said_new = ended.how != KILL and "approved x86_64/acquire_progress" in ended.said
    said_old = "nothing was stored" in ended.said or "is as it was" in ended.said
    if said_new and stored.reason != samples.NEW_REASON or said_old and stored.reason != samples.OLD_REASON:
        found.append(f"it says otherwise: {ended.said[-200:]}")
    if (left := sorted(os.listdir(arch))) != ["acquire_progress"]:
        found.append(f"left beside it: {left}")
    return found


def results_problems(place: Path, ended: Ended) -> list[str]:
    """Problems of a results folder. The old result is unchanged, others are whole, the next run clears the rest."""
    results = place / "results"
    found = []
    if not (results / "latest" / "exit_code").is_file():
        found.append("latest leads nowhere")
    for path in sorted(results.iterdir()):
        if path.name.startswith(".") or path.name == "latest":
            continue
        if (path / "result.json").exists():
            try:
                code = load_result(path).verdict.exit_code
            except HarnessError as error:
                found.append(f"{path.name}: {error}")
                continue
            if (path / "exit_code").read_text(encoding="ascii") != f"{code}\n":
                found.append(f"{path.name}: exit_code says otherwise")
        elif not (path / "exit_code").is_file():
            found.append(f"{path.name} has neither a result nor an exit code")
    if "Traceback" in ended.said and ended.how == KILL:
        found.append("a traceback")
    RunFolder("next", results).discard()
    left = [path.name for path in results.glob(".*") if path.name != os.readlink(results / "latest")]
    return found + [f"the next run left {name}" for name in left if not name.endswith(".lock")]


def history_problems(place: Path, ended: Ended) -> list[str]:
    """The database is sound and holds what it held, or what prune keeps of it; the next import works."""
    try:
        with History(history_url(place)) as history:
            said, before = history.check(), {run.run_id for run in history.runs()}
            (place / "more.jsonl").write_bytes(
                history_samples.history_lines(history_samples.RUNS + 9, history_samples.RUNS + 9)
            )
            added = import_lines(history, place / "more.jsonl").added
    except HarnessError as error:
        return [f"the history is lost: {error}"]
    old = [history_samples.history_run(number).run_id for number in range(1, history_samples.RUNS + 1)]
    whole = before.issuperset(old) or before.issuperset(old[-_KEPT:]) and before.issubset(old)
    found = [f"the history is damaged: {said}"] if said else []
    found += [] if whole else [f"{len(before)} runs are left of {history_samples.RUNS}"]
    return found + ([] if added == 1 else ["the next run was not added"])


def export_problems(place: Path, ended: Ended) -> list[str]:
    """The file is the old one or the new one, and the history as it was."""
    lines = (place / "old.jsonl").read_bytes()
    whole = lines == history_samples.history_lines(1, history_samples.RUNS)
    return ([] if whole else [f"the file has {len(lines.splitlines())} lines"]) + history_problems(place, ended)


def fill_history(place: Path) -> None:
    """A history of some runs, stored results, and a file with more runs."""
    samples.fill_results(place)
    (place / "old.jsonl").write_bytes(history_samples.history_lines(1, history_samples.RUNS))
    with History(history_url(place)) as history:
        import_lines(history, place / "old.jsonl")
    (place / "new.jsonl").write_bytes(history_samples.history_lines(history_samples.RUNS - 5, history_samples.RUNS + 5))


def site_problems(place: Path, ended: Ended) -> list[str]:
    texts = {(place / "site" / name).read_text(encoding="utf-8") for name in ("index.html", "series/one.html")}
    return [] if texts in ({OLD_SITE}, {"new"}) else [f"the site is {texts}"]


def fill_site(place: Path) -> None:
    (place / "site" / "series").mkdir(parents=True)
    (place / "site" / "index.html").write_text(OLD_SITE, encoding="ascii")
    (place / "site" / "series" / "one.html").write_text(OLD_SITE, encoding="ascii")


def report_problems(place: Path, ended: Ended) -> list[str]:
    index = (place / "site" / "index.html").read_text(encoding="utf-8")
    whole = index == OLD_SITE or index.rstrip().endswith("</html>")
    links = [name for name in (place / "site").glob("**/*.html") if not name.read_bytes().strip()]
    return (
        ([] if whole else ["half a page"])
        + [f"{name.name} is empty" for name in links]
        + history_problems(place, ended)
    )


def page_problems(place: Path, ended: Ended) -> list[str]:
    text = (place / "page.html").read_text(encoding="utf-8")
    whole = text in ("old", "new" * 9) or text.rstrip().endswith("</html>")
    return [] if whole else [f"half a page: {text[-80:]!r}"]


def fill_report(place: Path) -> None:
    """A history, and the site of an earlier one."""
    fill_history(place)
    fill_site(place)


def fill_line(place: Path) -> None:
    """A file with one line."""
    (place / "history.jsonl").write_text('{"old":1}\n', encoding="ascii")


def fill_page(place: Path) -> None:
    fill_runs(place)
    (place / "page.html").write_text("old", encoding="ascii")


def fill_runs(place: Path) -> None:
    """Two saved runs of the gate."""
    samples.fill_baseline(place)
    samples.fill_results(place)


def line_problems(place: Path, ended: Ended) -> list[str]:
    path = place / "history.jsonl"
    append_line(history_samples.history_run(3), path)
    lines = path.read_text(encoding="utf-8").splitlines()
    sound = lines[0] == '{"old":1}' and "2026-run-3" in lines[-1] and len(lines) <= 3
    return [] if sound else [f"the file is {lines}"]


def journal_problems(place: Path, ended: Ended) -> list[str]:
    journal = Journal(place)
    cells = [one.cell for one in journal.finished]
    return [] if journal.plan is not None and cells in (["first"], ["first", "second"]) else [f"finished: {cells}"]


def fill_journal(place: Path) -> None:
    (place / "journal.jsonl").write_text(
        '{"kind":"plan","started":"2026-01-01T00:00:00+00:00","digest":"d","commit":"c"}\n'
        '{"kind":"finished","cell":"first","verdict":"pass","sentence":"","folder":"","seconds":1.0}\n',
        encoding="ascii",
    )


def fill_tree(place: Path) -> None:
    """A copy of what a build needs."""
    for part in ("harness", "kernel", "targets"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("tests"))


def build_problems(place: Path, ended: Ended) -> list[str]:
    """The next build works, whatever this one left."""
    done = run_child([*harness("build")(place)], limit_s=120, environment=os.environ, cwd=place, merged=True)
    return [] if done.status == 0 else [f"the next build: {done.text[-300:]}"]


def queue_problems(place: Path, ended: Ended) -> list[str]:
    """A run that was to be remembered is in the history, waits in the queue, or was never taken."""
    found = history_problems(place, ended)
    waiting = list((place / "queue").glob("*.json")) if (place / "queue").is_dir() else []
    return found + [f"{path.name} is cut short" for path in waiting if not path.read_bytes().endswith(b"}\n")]
