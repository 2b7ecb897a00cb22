"""What ``make docs`` writes into the documents, from what the code declares."""

from __future__ import annotations

from pathlib import Path

from harness.front.help import command_table, settings_table
from harness.model.spec import ROOT

BEGIN, END = "<!-- commands: written by make docs -->\n", "<!-- commands: end -->"
SETTINGS = """# Settings

What each command takes, as `make COMMAND SETTING=value`. `make docs` writes this page from `harness/settings.py`. The
kernel's switches are documented in `kernel/options.h`. `ab` also takes one letter for each kernel: `A=…`, `B=…`.

"""


def written() -> dict[Path, str]:
    """Text of each document that is written, by its path."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    return {
        readme: f"{before}{BEGIN}{command_table()}{END}{after}",
        ROOT / "docs" / "settings.md": SETTINGS + settings_table(),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
