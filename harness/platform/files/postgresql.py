"""A PostgreSQL server of Debian's packages, started in a temporary folder."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.model.errors import StoreError
from harness.platform.files.scratch import scratch_folder
from harness.platform.processes.child import run_child

_DONE_WITHIN_S = 60


def _binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found:
        raise StoreError("PostgreSQL is not installed: apt-get install postgresql python3-psycopg2")
    return Path(found[-1]).parent


def _as_owner(command: list[str], folder: Path) -> None:
    """Run a command as a user that PostgreSQL accepts: it refuses root."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = run_child(command, cwd=folder, limit_s=_DONE_WITHIN_S)
    if done.status:
        raise StoreError(f"{' '.join(command)}: {(done.errors or ('no words',))[-1]}")


@contextlib.contextmanager
def postgresql(durable: bool = False, shared_mb: int = 16) -> Iterator[str]:
    """A server that listens on a socket in its own folder only; yields a URL, and stops and deletes it afterwards.

    Parameters
    ----------
    durable
        Whether a transaction that is done survives a loss of power, as in a real one.
    """
    binaries = _binaries()
    with scratch_folder("postgresql") as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        cluster = str(folder / "cluster")
        _as_owner(
            [str(binaries / "initdb"), "-D", cluster, "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8"], folder
        )
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync={'on' if durable else 'off'}"
        options += f" -c shared_buffers={shared_mb}MB"
        control = [str(binaries / "pg_ctl"), "-D", cluster, "-w", "-t", "40"]
        _as_owner([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
        try:
            yield f"postgresql+psycopg2://postgres@/postgres?host={folder}"
        finally:
            _as_owner([*control, "-m", "immediate", "stop"], folder)
