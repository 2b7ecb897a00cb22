"""Kernels from source: one folder a combination of switches, the working tree or any revision."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import BuildError, ToolError
from harness.model.spec import ARCHES, ROOT, Limits, Switches
from harness.platform.child import clean_environment, end_child, start_child

BUILD_DIR = ROOT / "build"
REVISIONS_DIR = BUILD_DIR / "revisions"
IMAGES_MAX = 32
"""Images kept of one combination, the newest."""
LOCK_POLL_S = 0.05


@dataclass(frozen=True)
class BuiltKernel:
    """A kernel image and how it came to be."""

    path: Path
    """Named after its content, which never changes."""
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
    """First line of ``--version``, which names the compiler's build.

    Raises
    ------
    ToolError
        When it is missing or does not run; names the package.
    """
    packages = {arch.gcc: arch.gcc_package for arch in ARCHES.values()}
    try:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=20, check=True)
        return done.stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        said = "is not installed" if isinstance(error, FileNotFoundError) else f"does not run: {error}"
        package = packages.get(command, command)
        raise ToolError(f"the compiler {command} {said}: install the package {package} (make setup test)") from error


def compiler_command(switches: Switches, compiler: str) -> str:
    """The command behind ``gcc`` or ``clang`` for an architecture."""
    return ARCHES[switches.arch].gcc if compiler == "gcc" else compiler


def build_kernel(
    switches: Switches,
    *,
    compiler: str = "gcc",
    tree: Path = ROOT,
    test: bool = False,
    commit: str = "",
    shuffle: int = 0,
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
    shuffle
        Which other order to link the same objects in; 0 for their own.

    Raises
    ------
    BuildError
        With the last lines of make's output, when it does not build.
    """
    identity = compiler_identity(compiler_command(switches, compiler))
    out = tree / "build" / switches.folder / compiler
    words = [f"ARCH={switches.arch}", *(f"{name}={value}" for name, value in switches.chosen)]
    words += [f"CC={compiler}", f"OUT={os.path.relpath(out, tree / 'kernel')}", *(["TEST=1"] if test else [])]
    words += [f"SHUFFLE={shuffle}"] if shuffle else []
    with folder_lock(out):
        run_make(tree / "kernel", words, switches.label)
        path = _keep_image(out / f"roulette{'-test' if test else ''}{f'-{shuffle}' if shuffle else ''}.elf")
        return BuiltKernel(path, sha256_of(path), switches, identity, commit)


def _keep_image(built: Path) -> Path:
    """A copy under the name of its hash: the next build in this folder must not change what is being measured."""
    folder = built.parent / "images"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{built.stem}-{sha256_of(built)[:16]}.elf"
    part = kept.with_suffix(".part")
    shutil.copyfile(built, part)
    os.replace(part, kept)
    images = sorted(folder.glob(f"{built.stem}-{'[0-9a-f]' * 16}.elf"), key=lambda image: image.stat().st_mtime_ns)
    for old in images[:-IMAGES_MAX]:
        old.unlink()
    return kept


def run_make(folder: Path, words: list[str], what: str) -> str:
    """Run make in a clean environment; returns its output.

    Raises
    ------
    BuildError
        When make fails or takes too long.
    ToolError
        When there is no make, or nothing can be written.
    """
    if shutil.which("make") is None:
        raise ToolError("make is not installed: install the package make (make setup perf)")
    command = ["make", "--no-print-directory", "-C", str(folder), "-j2", *words]
    with tempfile.TemporaryFile() as output:
        make = start_child(command, stdout=output, stderr=output)
        try:
            status = make.wait(Limits().build_s)
        except subprocess.TimeoutExpired as error:
            raise BuildError(f"{what} is not built after {Limits().build_s:g} s") from error
        finally:
            end_child(make)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if status:
        lines = [line for line in said.splitlines() if not line.startswith("  ")]
        full = next((line for line in lines if os.strerror(errno.ENOSPC) in line), "")
        if full:
            raise ToolError(f"{what} cannot be built: {full}")
        raise BuildError(f"{what} does not build: " + " | ".join(_telling(lines)))
    return said


def _telling(lines: list[str]) -> list[str]:
    """The few lines of a failed build that say why: of compiler, linker or Makefile rather than make's summary."""
    words = ("error:", "undefined reference", "multiple definition", "***")
    own = [line for line in lines if not line.startswith(("make:", "make["))]
    return ([line for line in own if any(word in line for word in words)] or own or lines)[:3]


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keeps two harnesses out of one build folder.

    Raises
    ------
    BuildError
        When another one does not leave it within twice the time that a build may take.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 2 * Limits().build_s
    with open(folder / ".lock", "w", encoding="ascii") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise BuildError(f"another build has held {folder} for too long") from error
            time.sleep(LOCK_POLL_S)
        yield


def git(*arguments: str, cwd: Path = ROOT) -> str:
    """Output of a git command, without the blanks at its end.

    Raises
    ------
    BuildError
        When git refuses.
    ToolError
        When it is missing.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=clean_environment(),  # a hook's GIT_DIR would point at another repository
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = "is not installed: install the package git" if shutil.which("git") is None else f"cannot be run: {error}"
        raise ToolError(f"git {said}") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BuildError(f"git {arguments[0]}: {said}")
    return done.stdout.rstrip()


def source_state(tree: Path = ROOT) -> dict[str, object]:
    """``git`` (commit, or empty outside of git), ``dirty`` and ``baselines_changed`` of a checkout.

    A changed baseline does not make a kernel another one: it is told apart, for the verdict to mention.
    """
    try:
        changed = [line.split(maxsplit=1)[1] for line in git("status", "--porcelain", cwd=tree).splitlines()]
        baselines = any(name.startswith("baselines/") for name in changed)
        dirty = any(not name.startswith("baselines/") for name in changed)
        return {"git": git("rev-parse", "HEAD", cwd=tree), "dirty": dirty, "baselines_changed": baselines}
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
    except ToolError:
        raise
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
