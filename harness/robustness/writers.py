"""Everything that writes what must last, as programs to disturb."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.model.declared import command_table
from harness.robustness import samples, what_lasts
from harness.robustness.killpoints import FULL, KILL, Writer, harness, python

_APPROVE = """
import sys
from pathlib import Path
from harness import cli
from harness.commands import approve
from harness.gate.approved import references
place = Path(sys.argv[1])
approve.BASELINES_DIR = place / "baselines"
references.read_baseline.__defaults__ = (place / "baselines",)
approve.RESULTS_DIR = place
sys.exit(cli.main(["approve", "REASON=new", f"RESULT={place / 'run'}"]))
"""
_COMMIT = """
import sys
from pathlib import Path
from harness.platform.files.store import RunFolder
from harness.robustness.samples import RESULT
with RunFolder("perf", Path(sys.argv[1]) / "results") as run:
    (run.path / "report.md").write_text("new")
    run.commit(RESULT)
"""
_LINE = """
import sys
from pathlib import Path
from harness.history.jsonl import append_line
from harness.robustness.history_samples import history_run
append_line(history_run(2), Path(sys.argv[1]) / "history.jsonl")
"""
_SITE = """
import sys
from pathlib import Path
from harness.platform.files.atomic import whole_folder
with whole_folder(Path(sys.argv[1]) / "site") as part:
    (part / "series").mkdir()
    (part / "index.html").write_text("new")
    (part / "series" / "one.html").write_text("new")
"""
_PAGE = """
import sys
from pathlib import Path
from harness.platform.files.atomic import write_whole
write_whole(Path(sys.argv[1]) / "page.html", "new" * 9)
"""
_JOURNAL = """
import sys
from pathlib import Path
from harness.history.journal import CellFinished, Journal, only_night
folder = Path(sys.argv[1])
with only_night(folder):
    journal = Journal(folder)
    journal.begin("second")
    journal.finish(CellFinished("second", "pass", "pass", "", 1.0))
"""
_QUEUE = """
import sys
from pathlib import Path
from harness.history.queue import remember
from harness.robustness.history_samples import history_run
place = Path(sys.argv[1])
sys.exit(5 if remember(history_run(99), f"sqlite:///{place}/history.db", place / "queue").waiting else 0)
"""


def _apart(place: Path) -> Mapping[str, str]:
    return {"HARNESS_RESULTS": str(place / "results"), "HISTORY_URL": what_lasts.history_url(place)}


CODE = (
    Writer("approve", python(_APPROVE), samples.fill_baseline, what_lasts.baseline_problems),
    Writer("result", python(_COMMIT), samples.fill_results, what_lasts.results_problems),
    Writer("line", python(_LINE), what_lasts.fill_line, what_lasts.line_problems, hows=(KILL, FULL)),
    Writer("queue", python(_QUEUE), what_lasts.fill_history, what_lasts.queue_problems, environment=_apart),
    Writer("journal", python(_JOURNAL), what_lasts.fill_journal, what_lasts.journal_problems, hows=(KILL, FULL)),
    Writer("site", python(_SITE), what_lasts.fill_site, what_lasts.site_problems),
    Writer("page", python(_PAGE), what_lasts.fill_page, what_lasts.page_problems),
)
_HISTORY = tuple(
    Writer(f"history {words[0]}", harness("history", *words), what_lasts.fill_history, problems, environment=_apart)
    for words, problems in (
        (("import", "{}/new.jsonl"), what_lasts.history_problems),
        (("prune", "KEEP=20"), what_lasts.history_problems),
        (("export", "{}/old.jsonl"), what_lasts.export_problems),
        (("analyze",), what_lasts.history_problems),
    )
)
_COMMANDS = (
    Writer(
        "report",
        harness("report", "SITE={}/site"),
        what_lasts.fill_report,
        what_lasts.report_problems,
        environment=_apart,
    ),
    Writer(
        "compare",
        harness("compare", "A={}/run", "B={}/run", "PAGE={}/page.html"),
        what_lasts.fill_page,
        what_lasts.page_problems,
        environment=_apart,
    ),
    Writer("build", harness("build"), what_lasts.fill_tree, what_lasts.build_problems, cwd=lambda place: place),
)
WITH_QEMU = (
    Writer(
        "boot",
        harness("boot", "BOOT_LOG_TIMEOUT=1"),
        samples.fill_results,
        what_lasts.results_problems,
        environment=_apart,
    ),
    Writer(
        "perf",
        harness("perf", "STAGES=window"),
        samples.fill_results,
        what_lasts.results_problems,
        hows=(KILL,),
        environment=_apart,
    ),
)
"""Under a real QEMU: a few seconds a point."""
WRITERS = CODE + _HISTORY + _COMMANDS


def covers() -> Mapping[str, tuple[str, ...]]:
    """Which programs stand for each command: the command itself, and the code that alone writes for it.

    A command that measures keeps what lasts in one folder, a result. What else a command writes, its file declares as
    ``WRITES``; single files are written as a page is.
    """
    return {
        name: tuple(
            writer.name
            for writer in (*WRITERS, *WITH_QEMU)
            if writer.name.partition(" ")[0] == name
            or writer.name in row.writes
            or (writer.name == "result" and row.measures)
        )
        for name, row in command_table().items()
    }
