"""What a worker does with a job: unpack the bundle, run the harness in it, pack the result.

One job at a time. A result is kept for a while after it was handed out, so that a job that is asked for again, because
the connection was lost meanwhile, is not measured twice.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.cluster.blobs import BlobStore, digest_of_bytes
from harness.cluster.bundle import Bundle, harness_version, read_bundle, save_bundle, unpack
from harness.cluster.checkout import make_checkout
from harness.cluster.faults import BundleDamaged
from harness.cluster.parcel import pack
from harness.cluster.protocol import DAMAGED, DISK_FULL, OTHER_VERSION, PROTOCOL, HostFacts, JobAnswer
from harness.model import codec
from harness.model.errors import BuildError, StoreError
from harness.model.job import Job
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.processes.pipeline import HarnessRun, run_harness, run_suites

ROOM_BYTES = 256 << 20
"""A run's logs and pictures take at most this much."""
_OF_THIS_PROCESS = ("HISTORY_URL", "HARNESS_RESULTS", "PYTHONPATH")
"""Variables that would lead a job out of its tree."""
KEPT_MAX = 16
"""Results that a worker keeps for those who ask again."""

JobRunner = Callable[[Job, Path, Path], HarnessRun]
"""Runs a job in an unpacked bundle; its results go to a folder."""


def run_in_tree(job: Job, tree: Path, results: Path) -> HarnessRun:
    """Run the harness of the bundle, or its suites.

    Raises
    ------
    BuildError
        When a tree for suites cannot be made a checkout.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _OF_THIS_PROCESS}
    if job.suite:
        make_checkout(tree)
        shutil.rmtree(tree / "build" / "test", ignore_errors=True)
        return run_suites(job.words, job.limit_s, tree, environment)
    environment["HARNESS_RESULTS"] = str(results)
    return run_harness(job.words, job.limit_s, tree=tree, environment=environment)


class Workplace:
    """A worker's folder, and what it tells and does."""

    def __init__(
        self,
        folder: Path,
        offers: tuple[str, ...],
        fingerprints: tuple[str, ...],
        runner: JobRunner = run_in_tree,
        version: str | None = None,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self.folder = folder
        self.offers = offers
        self.fingerprints = fingerprints
        self.runner = runner
        self.version = version if version is not None else harness_version()
        self.room_bytes = room_bytes
        self.blobs = BlobStore(folder / "blobs")
        self.running = ""
        for name in ("bundles", "trees", "kept", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def host(self) -> str:
        """This host's name."""
        return socket.gethostname()

    def facts(self) -> HostFacts:
        """What the worker tells of itself."""
        held = tuple(path.stem for path in (self.folder / "kept").glob("*.json"))
        running = (self.running,) if self.running else ()
        return HostFacts(
            PROTOCOL,
            self.version,
            self.host,
            os.getpid(),
            self.offers,
            self.fingerprints,
            (*held, *running),
            shutil.disk_usage(self.folder).free,
            time.time(),
        )

    def receive(self, blobs: Mapping[str, bytes]) -> str:
        """Keep what was sent; returns a trouble, or nothing."""
        try:
            self.blobs.add_all(blobs)
        except BundleDamaged:
            return DAMAGED
        except OSError as error:
            return _trouble_of(error)
        return ""

    def do(self, job_text: str, digest: str, bundle_text: str, version: str) -> JobAnswer:
        """Run a job, or say what is missing for it.

        Parameters
        ----------
        digest
            Of the bundle.
        bundle_text
            Its list of files; empty when the worker should have it.
        version
            Of the harness that asks.
        """
        job = codec.from_json(Job, job_text)
        nothing = JobAnswer(job.id, 5, (), 0.0, self.host, b"", "")
        if version != self.version:
            return replace(nothing, trouble=OTHER_VERSION)
        kept = self._kept(job.id)
        if kept is not None:
            return kept
        self.running = job.id
        try:
            return self._run(job, digest, bundle_text, nothing)
        except BundleDamaged:
            return replace(nothing, trouble=DAMAGED)
        except StoreError:
            return replace(nothing, trouble=DISK_FULL)
        except BuildError as error:
            return replace(nothing, said=(error.message,))
        except OSError as error:
            return replace(nothing, trouble=_trouble_of(error))
        finally:
            self.running = ""

    def _run(self, job: Job, digest: str, bundle_text: str, nothing: JobAnswer) -> JobAnswer:
        if shutil.disk_usage(self.folder).free < self.room_bytes:
            return replace(nothing, trouble=DISK_FULL)
        bundle = self._bundle(digest, bundle_text)
        if bundle is None:
            return replace(nothing, missing=(digest,))
        if missing := self.blobs.missing(file.sha256 for file in bundle.files):
            return replace(nothing, missing=tuple(missing))
        tree = unpack(bundle, self.blobs, self.folder / "trees")
        results = self.folder / "results" / job.id
        shutil.rmtree(results, ignore_errors=True)
        begun = time.monotonic()
        try:
            ran = self.runner(job, tree, results)
            seconds = time.monotonic() - begun
            if ran.folder is None and any(os.strerror(errno.ENOSPC) in line for line in ran.said):
                return replace(nothing, trouble=DISK_FULL)
            parcel = pack(ran.folder) if ran.folder is not None else b""
        finally:
            shutil.rmtree(results, ignore_errors=True)
        answer = JobAnswer(job.id, ran.exit_code, ran.said, seconds, self.host, parcel, digest_of_bytes(parcel))
        with contextlib.suppress(OSError):  # a full disk costs no result that can still be handed out
            self._keep(answer)
        return answer

    def _bundle(self, digest: str, text: str) -> Bundle | None:
        if text:
            bundle = read_bundle(text, digest)
            save_bundle(bundle, self.folder / "bundles")
            return bundle
        try:
            # No bound needed: what this worker kept itself.
            return read_bundle((self.folder / "bundles" / f"{digest}.json").read_text(encoding="utf-8"), digest)
        except FileNotFoundError:
            return None

    def _keep(self, answer: JobAnswer) -> None:
        folder = self.folder / "kept"
        write_whole(folder / f"{answer.job}.parcel", answer.parcel)
        plain = {name: value for name, value in asdict(answer).items() if name not in ("parcel",)}
        write_whole(folder / f"{answer.job}.json", codec.to_json(plain))
        notes = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for old in notes[:-KEPT_MAX]:
            old.unlink(missing_ok=True)
            old.with_suffix(".parcel").unlink(missing_ok=True)

    def _kept(self, job: str) -> JobAnswer | None:
        """The result of a job that ran before; None where there is none, or it was damaged meanwhile."""
        path = self.folder / "kept" / f"{job}.json"
        try:
            plain: dict[str, Any] = codec.parse_object(path.read_text(encoding="utf-8"))
            parcel = read_bounded(path.with_suffix(".parcel"), KERNEL_BYTES_MAX)
            if digest_of_bytes(parcel) == plain["sha256"]:
                said, missing = tuple(plain.pop("said")), tuple(plain.pop("missing"))
                return JobAnswer(**plain, said=said, missing=missing, parcel=parcel)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        path.unlink(missing_ok=True)
        return None


def _trouble_of(error: OSError) -> str:
    """A disk without room; any other failure of it counts as that, for the host cannot run jobs."""
    return DAMAGED if isinstance(error, FileNotFoundError) else DISK_FULL


PLACE: list[Workplace] = []
"""The workplace of this process, once it is a worker."""


def do_job(job_text: str, digest: str, bundle_text: str, version: str) -> dict[str, Any]:
    """Called by the dispatcher: run a job here; the answer as plain values."""
    return asdict(PLACE[0].do(job_text, digest, bundle_text, version))


def receive_blobs(blobs: Mapping[str, bytes]) -> str:
    """Called by the dispatcher: keep blobs here; a trouble, or nothing."""
    return PLACE[0].receive(blobs)
