"""Databases for tests: a PostgreSQL of Debian's packages, started in a temporary folder, and what one holds."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from harness.history import schema
from harness.history.store import History

_DONE_WITHIN_S = 60


def approved_kernels(history: History) -> list[str]:
    """Hashes of every approval's kernel, oldest first."""
    table = schema.approvals
    with history.reading() as connection:
        rows = connection.execute(sa.select(table.c.kernel_sha256).order_by(table.c.approved, table.c.label)).all()
    return [str(row[0]) for row in rows]


def waiting(queue: Path) -> int:
    """Runs that wait for the history."""
    return len(list(queue.glob("[0-9]*.json")))


def _binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found:
        raise AssertionError("PostgreSQL is not installed: apt-get install postgresql python3-psycopg2")
    return Path(found[-1]).parent


def _as_owner(command: list[str], folder: Path) -> None:
    """Run a command as a user that PostgreSQL accepts: it refuses root."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_DONE_WITHIN_S, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-800:]}"


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A server that listens on a socket in its own folder only; yields a URL, and stops and deletes it afterwards."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        cluster = str(folder / "cluster")
        _as_owner(
            [str(binaries / "initdb"), "-D", cluster, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"], folder
        )
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c shared_buffers=16MB"
        control = [str(binaries / "pg_ctl"), "-D", cluster, "-w", "-t", "40"]
        _as_owner([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
        try:
            yield f"postgresql+psycopg2://postgres@/postgres?host={folder}"
        finally:
            _as_owner([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
