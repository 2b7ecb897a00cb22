"""Which series wait for an analysis: those with runs that came since the last one.

A run waits until an analysis that read it is stored, in the same transaction. Numbers of runs do not tell which these
are: of two writers at once, the one with the lower number may be the later to commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from harness.history import schema
from harness.history.store import History

_RULE = "analysis"
"""Key of the rule by which the findings were found."""
_CHUNK = 500


@dataclass(frozen=True)
class Pending:
    """The work of an analysis."""

    runs: tuple[int, ...]
    """Numbers of the runs that wait."""
    series: frozenset[int]
    """Numbers of the series to analyse: all of them when the rule has changed."""


def pending(history: History, rule: str) -> Pending:
    """What has to be analysed for the findings to be those of this rule."""
    runs, points = schema.runs, schema.points
    with history.reading() as connection:
        waiting = tuple(connection.execute(sa.select(runs.c.seq).where(runs.c.pending)).scalars())
        known = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.key == _RULE)).scalar()
        if known != rule:
            return Pending(waiting, frozenset(connection.execute(sa.select(schema.series.c.id)).scalars()))
        touched: set[int] = set()
        # By number, which has an index: a join may read every point.
        for begin in range(0, len(waiting), _CHUNK):
            mine = points.c.seq.in_(waiting[begin : begin + _CHUNK])
            touched |= set(connection.execute(sa.select(points.c.series_id).where(mine).distinct()).scalars())
        return Pending(waiting, frozenset(touched))


def mark_analysed(connection: Connection, done: Sequence[int], rule: str) -> None:
    """Note that these runs were analysed by this rule."""
    runs, meta = schema.runs, schema.meta
    for begin in range(0, len(done), _CHUNK):
        connection.execute(runs.update().where(runs.c.seq.in_(done[begin : begin + _CHUNK])).values(pending=False))
    if not connection.execute(meta.update().where(meta.c.key == _RULE).values(value=rule)).rowcount:
        connection.execute(meta.insert().values(key=_RULE, value=rule))
