"""Text that came from a guest, a file name or a user, as Markdown that is only text.

A character that cannot be shown as itself is written out as its code; nothing is dropped.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from harness.core.text import neutral, printable

JOINER = "\N{WORD JOINER}"
"""Invisible and never a line break: parts a word so that a service no longer knows it as a mention or a link."""

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$!^])")
_BROKEN = (
    re.compile(r"@(?=\w)"),
    re.compile(r"(?<=#)(?=\d)"),
    re.compile(r":(?=//)"),
    re.compile(r"(?<=www)(?=\.)", re.IGNORECASE),
    re.compile(r":(?=[\w+-]+(?::|$))"),
    re.compile(r"(?<=\bGH-)(?=\d)", re.IGNORECASE),
)
"""Mentions, links, emoji codes and issues: services look for them in finished text, so a backslash does not help."""


def visible(text: str, keep: str = "") -> str:
    """Text whose control, bidi and other invisible characters are written out, except those in ``keep``."""
    if text.isprintable():
        return text
    return "".join(c if c in keep else printable(c).replace("\n", "\\x0a") for c in text)


def cell(text: str) -> str:
    """One line of Markdown that starts no mark-up, ends no table cell, mentions no user and commands no runner."""
    text = " ".join(neutral(text).split())
    for pattern in _BROKEN:
        text = pattern.sub(lambda found: found[0] + JOINER, text)
    return _MARKUP.sub(r"\\\1", text)


def _fence(text: str, least: int) -> str:
    return "`" * max(least, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


def code(text: str) -> Markup:
    """Inline code in Markdown."""
    text = " ".join(neutral(text).split())
    fence = _fence(text, 1)
    space = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return Markup(f"{fence}{space}{text}{space}{fence}")


def fenced(text: str) -> Markup:
    """A block of code in Markdown."""
    text = neutral(text)
    fence = _fence(text, 3)
    return Markup(f"{fence}\n{text}\n{fence}")
