"""Findings and approvals in the history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from harness.history import schema
from harness.history.pending import mark_analysed
from harness.history.series import Finding
from harness.history.store import History
from harness.model.baseline import Approval, Baseline

_COLUMNS = [column.name for column in schema.findings.columns]


def load_findings(history: History) -> list[Finding]:
    """Every finding, by number."""
    with history.reading() as connection:
        rows = connection.execute(sa.select(schema.findings).order_by(schema.findings.c.id)).all()
    return [_finding(row) for row in rows]


def _finding(row: Row) -> Finding:
    fields = dict(zip(_COLUMNS, row))
    companions = tuple((str(name), float(change)) for name, change in json.loads(fields.pop("companions")))
    return Finding(**fields, companions=companions)


def store_findings(history: History, findings: Iterable[Finding]) -> list[Finding]:
    """Write findings, new and changed, in one transaction; returns them with their numbers."""
    with history.transaction() as connection:
        return [_stored(connection, finding) for finding in findings]


def store_analysis(history: History, findings: Iterable[Finding], runs: Sequence[int], rule: str) -> list[Finding]:
    """As :func:`store_findings`, and in the same transaction: these runs were analysed, by this rule."""
    with history.transaction() as connection:
        stored = [_stored(connection, finding) for finding in findings]
        mark_analysed(connection, runs, rule)
    return stored


def _stored(connection: Connection, finding: Finding) -> Finding:
    table = schema.findings
    row = {name: getattr(finding, name) for name in _COLUMNS if name not in ("id", "companions")}
    row["companions"] = json.dumps(finding.companions)
    if finding.id is None:
        return replace(finding, id=connection.execute(table.insert().values(**row)).inserted_primary_key[0])
    connection.execute(table.update().where(table.c.id == finding.id).values(**row))
    return finding


def store_approvals(history: History, baselines: Iterable[Baseline]) -> int:
    """Add every approval of the baselines that the history lacks; returns how many."""
    table = schema.approvals
    added = 0
    with history.transaction() as connection:
        known = {
            tuple(row) for row in connection.execute(sa.select(table.c.label, table.c.kernel_sha256, table.c.approved))
        }
        for baseline in baselines:
            approvals: list[Approval | Baseline] = [*baseline.history, baseline]
            for approval in approvals:
                key = (baseline.label, approval.kernel_sha256, approval.approved)
                if key in known:
                    continue
                known.add(key)
                added += 1
                connection.execute(
                    table.insert().values(
                        label=baseline.label,
                        kernel_sha256=approval.kernel_sha256,
                        approved=approval.approved,
                        reason=approval.reason,
                        commit_id=approval.commit,
                        ratio=approval.ratio,
                    )
                )
    return added
