"""Kernels from source: one folder a combination of switches, the working tree or any revision."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.drive.errors import BuildError
from harness.spec import ROOT, Limits, Switches

BUILD_DIR = ROOT / "build"
REVISIONS_DIR = BUILD_DIR / "revisions"


@dataclass(frozen=True)
class BuiltKernel:
    """A kernel image and how it came to be."""

    path: Path
    sha256: str
    switches: Switches
    compiler: str
    commit: str = ""
    """Where the source came from: a commit, or empty for the working tree."""


def sha256_of(path: Path) -> str:
    """Hash of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.cache
def compiler_identity(command: str) -> str:
    """First line of ``--version``, which names the compiler's build."""
    try:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"the compiler {command} does not run: {error}; install it with 'make setup test'") from error
    return done.stdout.splitlines()[0]


def compiler_command(switches: Switches, compiler: str) -> str:
    """The command behind ``gcc`` or ``clang`` for an architecture."""
    from harness.spec import ARCHES

    return ARCHES[switches.arch].gcc if compiler == "gcc" else compiler


def build_kernel(
    switches: Switches,
    *,
    compiler: str = "gcc",
    tree: Path = ROOT,
    test: bool = False,
    commit: str = "",
    extra: tuple[str, ...] = (),
) -> BuiltKernel:
    """Build (or bring up to date) one kernel.

    Parameters
    ----------
    tree
        A checkout that holds ``kernel/``; its ``build/`` folder receives the objects.
    test
        The image with the in-kernel suites.
    commit
        What to record as the source's revision.
    extra
        Further ``KEY=value`` words for make.

    Raises
    ------
    BuildError
        With the last lines of make's output, when it does not build.
    """
    identity = compiler_identity(compiler_command(switches, compiler))
    out = tree / "build" / switches.folder / compiler
    words = [f"ARCH={switches.arch}", *(f"{name}={value}" for name, value in switches.chosen)]
    words += [f"CC={compiler}", f"OUT={os.path.relpath(out, tree / 'kernel')}", *extra, *(["TEST=1"] if test else [])]
    with folder_lock(out):
        run_make(tree / "kernel", words, switches.label)
        path = out / ("roulette-test.elf" if test else "roulette.elf")
        return BuiltKernel(path, sha256_of(path), switches, identity, commit)


def run_make(folder: Path, words: list[str], what: str) -> str:
    """Run make in a clean environment; returns its output.

    Raises
    ------
    BuildError
        When make is missing, fails or takes too long.
    """
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    command = ["make", "--no-print-directory", "-C", str(folder), "-j2", *words]
    try:
        done = subprocess.run(
            command,
            env=environment | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=Limits().build_s,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{what} cannot be built: {error}") from error
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("  ")]
        telling = [line for line in lines if "rror" in line or "***" in line] or lines
        raise BuildError(f"{what} does not build: " + " | ".join(telling[:3]))
    return done.stdout


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keeps two harnesses out of one build folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def git(*arguments: str, cwd: Path = ROOT) -> str:
    """Output of a git command, stripped.

    Raises
    ------
    BuildError
        When git is missing or refuses.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"git cannot be run: {error}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(f"git {arguments[0]}: {said}")
    return done.stdout.strip()


def source_state(tree: Path = ROOT) -> dict[str, object]:
    """``git`` (commit, or empty outside of git) and ``dirty`` of a checkout."""
    try:
        return {"git": git("rev-parse", "HEAD", cwd=tree), "dirty": bool(git("status", "--porcelain", cwd=tree))}
    except BuildError:
        return {"git": "", "dirty": True}


def kernel_tree_hash(tree: Path = ROOT) -> str:
    """Hash over names and contents of everything under ``kernel/``, the same with and without git."""
    digest = hashlib.sha256()
    for path in sorted((tree / "kernel").rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(tree)).encode() + b"\0" + sha256_of(path).encode() + b"\0")
    return digest.hexdigest()


def checkout_revision(revision: str, repository: Path = ROOT) -> tuple[Path, str]:
    """The files of a revision in a folder of its own, made once; returns the folder and the full commit.

    Raises
    ------
    BuildError
        When there is no such revision here; a shallow clone is named as the likely reason.
    """
    try:
        commit = git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", cwd=repository)
    except BuildError as error:
        hint = ""
        with contextlib.suppress(BuildError):
            if git("rev-parse", "--is-shallow-repository", cwd=repository) == "true":
                hint = "; this clone is shallow: run 'git fetch --unshallow'"
        raise BuildError(f"{revision}: no such revision here{hint}") from error
    folder = REVISIONS_DIR / commit
    if (folder / "kernel").is_dir():
        return folder, commit
    REVISIONS_DIR.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".checkout-", dir=REVISIONS_DIR))
    try:
        archive = scratch / "tree.tar"
        git("archive", "--format=tar", f"--output={archive}", commit, "kernel", cwd=repository)
        with tarfile.open(archive) as tar:
            tar.extractall(scratch)
        archive.unlink()
        with contextlib.suppress(OSError):
            scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder, commit
