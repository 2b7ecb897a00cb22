"""Figures in words: one sign for changes (+ is slower), a space before the per cent sign, a true minus."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"


def percent(share: float, digits: int = 1) -> str:
    """``19.6 %`` of 0.196."""
    return f"{_number(share, digits, '')} %"


def signed_percent(share: float, digits: int = 1) -> str:
    """``+19.6 %`` of 0.196, ``−0.5 %`` of -0.005."""
    return f"{_number(share, digits, '+')} %"


def span(low: float, high: float, digits: int = 1) -> str:
    """``+19.3 to +20.0 %``: an interval of changes."""
    return f"{_number(low, digits, '+')} to {_number(high, digits, '+')} %"


def changed_by(share: float, digits: int = 1) -> str:
    """``19.6 % slower``, ``0.5 % faster``: of a change of frame time."""
    return f"{percent(abs(share), digits)} {'slower' if share > 0 else 'faster'}"


def amount(value: float) -> str:
    """``1,589,980``, ``978.2``, ``0.968``: four digits, or all of a whole number."""
    if not math.isfinite(value):
        return "unknown"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}".replace("-", MINUS)
    return (f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}").replace("-", MINUS)


def _number(share: float, digits: int, sign: str) -> str:
    if not math.isfinite(share):
        return "any" if math.isnan(share) else f"{'+' if share > 0 else MINUS}\N{INFINITY}"
    text = f"{100 * share:{sign}.{digits}f}"
    return text.replace("-", MINUS)
