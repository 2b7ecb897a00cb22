"""Untrusted text, made harmless before a terminal, a log or a CI service reads it."""

from __future__ import annotations

import re

_DOUBLED = re.compile(r":(?=:)|#(?=#\[)")


def printable(text: str) -> str:
    """Control, bidi and other invisible characters as escapes; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def neutral(text: str) -> str:
    """Printable, and with nothing in it that the log of a CI service would obey.

    ``##[`` becomes ``# #[`` and ``::`` becomes ``: :``, wherever they stand: guests may be cut anywhere.
    """
    return _DOUBLED.sub(lambda found: f"{found[0]} ", printable(text))
