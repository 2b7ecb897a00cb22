"""Parts of the documents that ``make docs`` writes, from declarations in the code."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.front.help import commands_markdown, settings_markdown
from harness.gate.calibration.report import calibration_pages
from harness.gate.judging.gates import KINDS
from harness.gate.judging.metrics import ROWS
from harness.model import codec
from harness.model.refusals_record import RefusalsRecord
from harness.model.spec import ROOT
from harness.report.refusals_view import answers_table
from harness.report.words import label_of
from harness.robustness.fixes import Fix, fixes_by_subject
from harness.tests.screenfigures import screens_markdown

BEGIN, END = "<!-- commands: written by make docs -->\n", "<!-- commands: end -->"
CALIBRATED, CALIBRATED_END = "<!-- calibration: written by make docs -->\n", "<!-- calibration: end -->"
SCREENS, SCREENS_END = "<!-- screens: written by make docs -->\n", "<!-- screens: end -->"
REFUSALS, REFUSALS_END = "<!-- answers: written by make docs -->\n", "<!-- answers: end -->"
SETTINGS = """# Settings

What each command takes, as `make COMMAND SETTING=value`. `make docs` writes this page from
`harness/settings/declared.py`. The kernel's switches are documented in `kernel/options.h`. `ab` also takes one letter
for each kernel: `A=…`, `B=…`.

"""
METRICS = """# Metrics and gates

What `make perf` measures of a kernel, how each figure is judged, and what each kind of gate does. `make docs` writes
this page from `harness/gate/judging/metrics.py` and `harness/gate/judging/gates.py`. A file `CONFIG=` may override
numbers of a gate.

"""
ROBUSTNESS = """# Robustness

What holds when something goes wrong: an interrupt, a full disk, a hostile kernel, a damaged file, a faulty driver. Each
row names a test that fails when the lines behind the promise are taken out; `make test-full` takes them out of a copy
of the tree, row by row, and runs that test. `make bench ONLY=robustness` attacks the tree itself. `make docs`
writes this page, from `harness/robustness/fix_rows/`.
"""


def metrics_page() -> str:
    """Tables of metrics and of kinds of gates."""
    head = ["| metric | name | unit | better | gates |", "|---|---|---|---|---|"]
    rows = [
        (f"`{row.name}`", label_of(row.name), row.unit, row.better, ", ".join(one.kind for one in row.judged))
        for row in ROWS
    ]
    kinds = [(f"**{name}**", (kind.__doc__ or "").replace("``", "`").strip()) for name, kind in sorted(KINDS.items())]
    lines = [*head, *map(_row, rows), "", "| gate | what it does |", "|---|---|", *map(_row, kinds)]
    return METRICS + "\n".join(lines) + "\n"


def answers() -> str:
    """The answers of every QEMU version that is recorded."""
    files = sorted((ROOT / "docs" / "refusals").glob("qemu-*.json"))
    return answers_table([codec.from_json(RefusalsRecord, path.read_text(encoding="utf-8")) for path in files])


def robustness_page() -> str:
    """A table of promises a subject, each with the test that fails without it."""
    head = ["| what holds | in | the test that fails without it |", "|---|---|---|"]
    parts = [
        f"\n## {subject}\n\n" + "\n".join([*head, *(_row((fix.what, f"`{fix.file}`", _test_of(fix))) for fix in fixes)])
        for subject, fixes in fixes_by_subject().items()
    ]
    return ROBUSTNESS + "\n".join(parts) + "\n"


def _test_of(fix: Fix) -> str:
    kind, *words = shlex.split(fix.test)
    if kind == "pytest":
        return f"`{words[0].removeprefix('harness/tests/')}`"
    return f"the kernel's suite `{words[0]}`, natively" if kind == "native" else f"`make {fix.test}`"


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def between(path: Path, begin: str, end: str, table: str) -> str:
    """A document's text, with this between two of its lines."""
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    return f"{before}{begin}{table}{end}{rest.partition(end)[2]}"


def written() -> dict[Path, str]:
    """Text of each document that is written, by its path."""
    readme, docs = ROOT / "README.md", ROOT / "docs"
    measuring, targets, refusals = docs / "measuring.md", docs / "targets.md", docs / "refusals.md"
    return {
        measuring: between(measuring, CALIBRATED, CALIBRATED_END, calibration_pages(ROOT / "baselines")),
        readme: between(readme, BEGIN, END, commands_markdown()),
        refusals: between(refusals, REFUSALS, REFUSALS_END, answers()),
        targets: between(targets, SCREENS, SCREENS_END, screens_markdown()),
        docs / "settings.md": SETTINGS + settings_markdown(),
        docs / "metrics.md": metrics_page(),
        docs / "robustness.md": robustness_page(),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
