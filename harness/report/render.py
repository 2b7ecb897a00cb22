"""A view as a page, as Markdown and as terminal text, by one template each."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.core.text import neutral
from harness.report.text import cell, code, fenced, visible
from harness.report.view import ReportView, Section, TableCell

_LONG = re.compile(r"\S{17,}")
"""Longer than any word of a language."""
_BREAKS = re.compile(r"[_/]|[^_/-]{8}(?=[^_/-]{9})")
"""A sign within a name, or eight characters of what goes on without one."""

TEMPLATES = Path(__file__).parent / "templates"
VENDOR = Path(__file__).parent / "vendor"


def environment(finalize: Any = None) -> jinja2.Environment:
    """Templates in which every text is escaped; by default for HTML."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize or _shown,
    )
    made.filters["breakable"] = _breakable
    return made


def _shown(value: Any) -> Any:
    """Text of a page: mark-up that we made ourselves stays, everything else shows its control characters."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value, keep="\n\t")


def _markdown_text(value: Any) -> Any:
    return value if isinstance(value, Markup) else Markup(cell(str(value)))


def _markdown_cell(one: TableCell) -> Markup:
    """A table's cell; the second line stands in brackets."""
    text = f"**{cell(one.text)}**" if one.strong and one.text else cell(one.text)
    return Markup(f"{text} ({cell(one.small)})" if one.small else text)


def _address(text: str) -> Markup:
    """An address inside ``<>``."""
    return Markup(re.sub(r"[\s<>\\|]", "", visible(text)))


def _plain_text(value: Any) -> Any:
    return value if isinstance(value, Markup) else Markup(neutral(str(value)))


def _breakable(text: str) -> Markup:
    """Text of a page whose very long words may be broken, after signs within them first of all."""
    cuts = [word.start() + found.end() for word in _LONG.finditer(text) for found in _BREAKS.finditer(word[0])]
    ends = [0, *cuts, len(text)]
    return Markup(Markup("<wbr>").join(_shown(text[begin:end]) for begin, end in zip(ends, ends[1:])))


def source_policy(script: str) -> Markup:
    """The entry of a page's policy for its one script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup(f"'sha256-{digest}'")


@functools.cache
def chart_script() -> str:
    """The script that lets plots be hovered and zoomed: the vendored library, then ours."""
    parts = [VENDOR / "uPlot.iife.min.js", TEMPLATES / "charts.js"]
    # No bound needed: templates of this tree.
    return "\n".join(path.read_text(encoding="utf-8") for path in parts)


def page(view: ReportView) -> str:
    """The text of ``report.html``: complete in itself."""
    interactive = any(plot.chart for section in view.sections for plot in section.plots)
    script = chart_script() if interactive else ""
    style = (VENDOR / "uPlot.min.css").read_text(encoding="utf-8") if interactive else ""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            title=f"{view.verdict.value}: {view.title or view.command}",
            script=Markup(script),
            chart_style=Markup(style),
            script_policy=source_policy(script) if script else Markup("'none'"),
            open_sections=_open(view),
            folded_sections=tuple(section for section in view.sections if section.folded),
        )
    )


def _open(view: ReportView) -> tuple[Section, ...]:
    return tuple(section for section in view.sections if not section.folded)


def markdown(view: ReportView) -> str:
    """The text of ``report.md``: a comment for a pull request, which the next run replaces."""
    made = environment(_markdown_text)
    made.filters.update(code=code, fenced=fenced, mdcell=_markdown_cell, url=_address)
    made.tests["match"] = lambda text, pattern: bool(re.match(pattern, text))
    text = made.get_template("report.md.j2").render(
        view=view, open_sections=_open(view), folded_sections=tuple(s for s in view.sections if s.folded)
    )
    return text.rstrip("\n") + "\n"


def terminal_lines(view: ReportView) -> tuple[str, ...]:
    """Lines for a terminal."""
    text = environment(_plain_text).get_template("report.txt.j2").render(view=view)
    return tuple(line for line in text.splitlines() if line.strip())
