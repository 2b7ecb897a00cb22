"""A result folder on its way: one archive, its SHA-256, and the checks before it joins the results."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import shutil
import tarfile
from dataclasses import asdict
from pathlib import Path

from harness.cluster.blobs import digest_of_bytes
from harness.cluster.faults import ParcelDamaged
from harness.model import codec
from harness.model.errors import StoreError
from harness.platform.files.atomic import sync_folder, write_whole
from harness.platform.files.job_note import JOB_FILE, JobNote
from harness.platform.files.store import passing_folder

PARCEL_BYTES_MAX = 1 << 30
"""An archive that unpacks to more than this is refused."""


def pack(folder: Path) -> bytes:
    """A result folder as an archive; links and devices are left out."""
    buffer = io.BytesIO()
    # No bound needed: archives in memory, counted while they are unpacked.
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=3) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, str(path.relative_to(folder)), recursive=False)
    return buffer.getvalue()


def place(content: bytes, sha256: str, note: JobNote, results: Path, command: str) -> Path:
    """Check an archive and put it among the results; returns its folder, whole or absent.

    Its name has this host's time: that of the other one may be wrong.

    Raises
    ------
    ParcelDamaged
        When its hash differs from the announced one, or it is not an archive of plain files.
    StoreError
        When it cannot be written.
    """
    if digest_of_bytes(content) != sha256:
        raise ParcelDamaged(f"the result of {note.label} was sent as {sha256[:16]} and is another")
    now = datetime.datetime.now(datetime.timezone.utc)
    name = f"{now:%Y%m%dT%H%M%SZ}-{command}"
    try:
        with passing_folder(results, name) as part:
            _extract(content, part, note.label)
            write_whole(part / JOB_FILE, codec.to_json(asdict(note)))
            part.chmod(0o755)
            sync_folder(part)
            return _rename(part, results, name)
    except OSError as error:
        raise StoreError(f"the result of {note.label} cannot be written: {error.strerror}") from error


def _extract(content: bytes, part: Path, label: str) -> None:
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                total += member.size
                inside = not Path(member.name).is_absolute() and ".." not in Path(member.name).parts
                source = archive.extractfile(member) if member.isreg() and inside else None
                if source is None or total > PARCEL_BYTES_MAX:
                    raise ParcelDamaged(f"the result of {label} holds {member.name[:80]!r}, which is not a file of it")
                target = part / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise ParcelDamaged(f"the result of {label} is not an archive: {error}") from error


def _rename(part: Path, results: Path, name: str) -> Path:
    for number in range(1, 10_000):
        final = results / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            if not final.exists():
                os.rename(part, final)
                sync_folder(results)
                return final
    raise StoreError(f"{name}: ten thousand results of this second exist already", part)
