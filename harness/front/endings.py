"""The files of a run that ended without a result: a page, a comment and a JUnit file in the place of earlier ones.

Without them a comment of the run before, or its JUnit file, would be mistaken for that of this one.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from harness.model.result import NextStep, Result
from harness.model.spec import Verdict
from harness.report.machine import junit
from harness.report.render import markdown, page
from harness.report.view import ReportView


def ending_files(
    command: str, verdict: Verdict, said: Sequence[str], step: str, again: str, strict: bool = False
) -> Mapping[str, str]:
    """The files by name.

    Parameters
    ----------
    said
        The lines that were printed, the first of which begins with the verdict.
    step
        What to do next; empty where the lines say it.
    again
        The command line, quoted for a shell.
    """
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    steps = (NextStep(step),) if step else ()
    sentence, *more = (line.strip() for line in said)
    result = Result(command, verdict, sentence, started, 0.0, problems=tuple(more), next_steps=steps)
    view = ReportView(
        command=command,
        verdict=verdict,
        headline=sentence,
        started=started,
        problems=tuple(more),
        next_steps=steps,
        again=again,
    )
    return {
        "report.html": page(view),
        "report.md": markdown(view),
        "junit.xml": junit(result, strict),
    }
