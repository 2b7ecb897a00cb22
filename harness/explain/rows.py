"""A frame taken apart, in words: rows for tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.wording import percent
from harness.explain.attribution import OTHER, PARTS, REMAINDER_MAX, FrameAccount
from harness.explain.frame_plots import COLOURS
from harness.explain.growth import PartChange


@dataclass(frozen=True)
class PartRow:
    """One part of a frame, or the sum of them."""

    name: str
    milliseconds: str
    share: str
    means: str
    colour: str
    """As in the plots; empty for the sum."""


@dataclass(frozen=True)
class GrowthRow:
    """The change of one part of a frame."""

    name: str
    reference: str
    candidate: str
    change: str
    interval: str
    css: str
    says: str


def part_rows(account: FrameAccount) -> tuple[PartRow, ...]:
    """Parts in the order of a frame, the remainder, and their sum."""
    rows = [
        PartRow(
            name if name != OTHER else "unexplained",
            f"{account.part_ms(name):.3f}",
            percent(account.share(name)),
            PARTS[name],
            COLOURS[name],
        )
        for name in account.parts
    ]
    return (*rows, PartRow("frame", f"{account.mean_ms:.3f}", percent(1.0), f"mean of {len(account)} frames", ""))


def account_words(account: FrameAccount) -> str:
    """How well the parts are known."""
    if account.host_only:
        return "The kernel keeps no spans: only the device's time can be told from the rest."
    share = abs(account.share(OTHER))
    held = "within" if account.explained else "above"
    most = percent(REMAINDER_MAX, 0)
    said = f"{percent(share)} of the frame is unexplained, {held} the bound of {most}"
    if account.error_ns:
        said += f"; the clocks of guest and host are aligned to within {account.error_ns / 1e3:.0f} µs"
    return f"{said}."


def growth_rows(changes: Sequence[PartChange]) -> tuple[GrowthRow, ...]:
    """Changes of parts, for a table."""
    rows = []
    for one in changes:
        verdict = "grew" if one.change_ms > 0 else "shrank"
        says = f"{'▲' if one.change_ms > 0 else '▼'} {verdict}" if one.sure else "· noise"
        css = ("bad" if one.change_ms > 0 else "good") if one.sure else "muted"
        rows.append(
            GrowthRow(
                one.part,
                f"{one.reference_ms:.3f}",
                f"{one.candidate_ms:.3f}",
                f"{one.change_ms:+.3f}",
                f"{one.low_ms:+.3f} to {one.high_ms:+.3f}",
                css,
                says,
            )
        )
    return tuple(rows)
