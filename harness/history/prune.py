"""Pruning: old runs are thinned out by a rule that keeps changes visible.

The newest runs of each cell stay. One in :attr:`Retention.every` of the older ones stays. A run of any age stays when
a finding refers to it, when it shows the level before or after a change, when it is one of the first of its cell (the
anchor), and when it measured a kernel at the commit of an approval. Findings and approvals are never pruned.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from harness.history import schema
from harness.history.store import History

AROUND = 10
"""Runs of a cell that are kept on either side of each change, and at its beginning."""


@dataclass(frozen=True)
class Retention:
    """The rule."""

    newest: int = 400
    """Runs of each cell that stay in any case."""
    every: int = 7
    """One in this many of the older ones stays."""


@dataclass(frozen=True)
class Pruned:
    """Result of a pruning."""

    runs: int
    points: int
    left: int
    """Runs that the history still has."""


def prune(history: History, rule: Retention = Retention()) -> Pruned:
    """Delete what the rule drops, in one transaction."""
    runs, points = schema.runs, schema.points
    with history.transaction() as connection:
        cells: dict[str, list[int]] = {}
        for cell, seq in connection.execute(sa.select(runs.c.cell, runs.c.seq).order_by(runs.c.seq)):
            cells.setdefault(cell, []).append(seq)
        marked = _marked(connection)
        dropped = [seq for mine in cells.values() for seq in _droppable(mine, marked, rule)]
        gone = 0
        for begin in range(0, len(dropped), 500):
            chunk = dropped[begin : begin + 500]
            gone += connection.execute(points.delete().where(points.c.seq.in_(chunk))).rowcount
            connection.execute(runs.delete().where(runs.c.seq.in_(chunk)))
        if dropped:
            schema.count_points(connection)
        return Pruned(len(dropped), gone, sum(map(len, cells.values())) - len(dropped))


def _marked(connection: sa.engine.Connection) -> list[int]:
    """Runs that findings or approvals refer to, rising."""
    findings, approvals, runs = schema.findings, schema.approvals, schema.runs
    columns = ("before_seq", "at_seq", "after_seq", "found_seq", "fixed_seq")
    marked = {
        seq
        for row in connection.execute(sa.select(*(findings.c[name] for name in columns)))
        for seq in row
        if seq is not None
    }
    approved = sa.select(approvals.c.commit_id).where(approvals.c.commit_id != "")
    marked |= {row[0] for row in connection.execute(sa.select(runs.c.seq).where(runs.c.commit_id.in_(approved)))}
    return sorted(marked)


def _droppable(seqs: Sequence[int], marked: Sequence[int], rule: Retention) -> list[int]:
    """The runs of one cell, rising, that the rule drops."""
    old = len(seqs) - rule.newest
    keep = {index for index in range(len(seqs)) if index >= old or index < AROUND or index % rule.every == 0}
    for seq in marked:
        at = bisect.bisect_left(seqs, seq)
        keep.update(range(at - AROUND, at + AROUND + 1))
    return [seq for index, seq in enumerate(seqs) if index not in keep]
