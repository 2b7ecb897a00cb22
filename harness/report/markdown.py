"""A result as Markdown: a comment on a change, which the next run replaces by its marker."""

from __future__ import annotations

import re

import jinja2

from harness.core.text import neutral
from harness.model.result import Result
from harness.report.page import TEMPLATES
from harness.report.view import view_of

MARKER = "<!-- performance-gate: {command} -->"
"""The first line of a comment; a CI job finds the comment of an earlier run by it."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&!])")
_LINKING = re.compile(r"(@(?=\w)|#(?=\d)|:(?=//)|(?<=\bwww)\.|:(?=[\w+-]+:))")
_BREAK = "<!-- -->"
"""Keeps what stands around it from being one word for GitHub and GitLab, and shows nothing."""


def cell(text: str) -> str:
    """Text that is shown as it is: no markup, no mention, no link, no emoji, no end of a table cell."""
    escaped = _MARKUP.sub(r"\\\1", neutral(text))
    return " ".join(_LINKING.sub(rf"\1{_BREAK}", escaped).split())


def code(text: str) -> str:
    """Text as code; backticks become apostrophes."""
    return f"`{' '.join(neutral(text).replace('`', chr(39)).split())}`"


def markdown(result: Result) -> str:
    """The whole comment: verdict, what was judged, what to do, how to run it again."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "code": code}
    view = view_of(result)
    return environment.get_template("comment.j2").render(view=view, marker=MARKER.format(command=result.command))
