"""Files by their content: each is kept under the SHA-256 of its bytes, and a damaged one is never handed out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.cluster.faults import BundleDamaged
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded

_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of_bytes(content: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


class BlobStore:
    """A folder of blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise BundleDamaged(f"{digest[:80]!r} is not a SHA-256")
        return self.folder / digest[:2] / digest[2:]

    def add(self, content: bytes, digest: str = "") -> str:
        """Keep a blob; returns its digest.

        Raises
        ------
        BundleDamaged
            When it was announced under another digest than it has.
        OSError
            When there is no room.
        """
        own = digest_of_bytes(content)
        if digest and own != digest:
            raise BundleDamaged(f"a blob was sent as {digest[:16]} and is {own[:16]}")
        path = self._path(own)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        return own

    def get(self, digest: str) -> bytes:
        """A blob, checked; a damaged one is removed, so that it is asked for again.

        Raises
        ------
        BundleDamaged
            When its bytes have another digest now.
        FileNotFoundError
            When it is not here.
        """
        path = self._path(digest)
        content = read_bounded(path, KERNEL_BYTES_MAX)
        if digest_of_bytes(content) != digest:
            path.unlink(missing_ok=True)
            raise BundleDamaged(f"the blob {digest[:16]} has changed on the disk")
        return content

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those that are not here, each once."""
        return [digest for digest in dict.fromkeys(digests) if not self._path(digest).exists()]

    def add_all(self, blobs: Mapping[str, bytes]) -> None:
        """Keep several; raises as :meth:`add`."""
        for digest, content in blobs.items():
            self.add(content, digest)
