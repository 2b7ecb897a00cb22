"""Render the history as a site."""

from __future__ import annotations

from harness.history.site import write_site
from harness.history.site_views import series_views, site_view
from harness.history.store import History
from harness.history.survey import read, require
from harness.model.spec import Verdict
from harness.platform.files.store import RESULTS_DIR
from harness.report.printer import Printer
from harness.settings import Arguments

ORDER = 90
EXAMPLES = ("", "SITE=public")
NEXT = "open the index.html that it names; make history findings"
WRITES = ("site",)

SITE_DIR = RESULTS_DIR / "site"


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``report [SITE=results/site]``: pages from the history as it is stored; nothing is measured."""
    folder = ((arguments.path("SITE") if arguments.has("SITE") else None) or SITE_DIR).resolve()
    out.progress("report: reading the history")
    with History() as history:
        look = read(history)
        require(look)
        pages = write_site(site_view(look, RESULTS_DIR), series_views(look, RESULTS_DIR), folder)
    out.line(f"{pages} pages from {len(look.runs)} runs; open {folder / 'index.html'}")
    return Verdict.PASS
