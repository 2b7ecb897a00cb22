"""Kernels from source: one folder a combination of switches, the working tree or any revision."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import BuildError, ToolError
from harness.model.spec import ARCHES, ROOT, Limits, Switches
from harness.platform.files.atomic import whole_folder, write_whole
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.files.locks import Busy, lock
from harness.platform.kernels.compile_cache import cached_environment
from harness.platform.kernels.shipped import shipment_of
from harness.platform.processes.child import (
    OUTPUT_BYTES_MAX,
    ChildError,
    clean_environment,
    end_child,
    run_child,
    start_child,
)

BUILD_DIR = ROOT / "build"
REVISIONS_DIR = BUILD_DIR / "revisions"
GIT_S = 60.0
VERSION_BYTES_MAX = 64 << 10
"""Most characters of a tool's version."""
ORDERS_MAKEFILE = Path(__file__).with_name("link_orders.mk")
IMAGES_MAX = 32
"""Images kept of one combination, the newest."""


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
    return hashlib.sha256(read_bounded(path, KERNEL_BYTES_MAX)).hexdigest()


def is_image(path: Path, sha256: str) -> bool:
    """Whether this is a file that can be read and has this hash."""
    with contextlib.suppress(OSError):
        return sha256_of(path) == sha256
    return False


@functools.cache
def compiler_identity(command: str) -> str:
    """First line of ``--version``, which names the compiler's build.

    Raises
    ------
    ToolError
        When it is missing or does not run; names the package.
    """
    packages = {arch.gcc: arch.gcc_package for arch in ARCHES.values()}
    install = f"install the package {packages.get(command, command)} (make setup test)"
    if shutil.which(command) is None:
        raise ToolError(f"the compiler {command} is not installed: {install}")
    try:
        done = run_child([command, "--version"], limit_s=20, output_bytes=VERSION_BYTES_MAX)
    except ChildError as error:
        raise ToolError(f"the compiler {command} does not run: {error.message}: {install}") from error
    if done.status or not done.text.strip():
        raise ToolError(f"the compiler {command} does not run: it ended with status {done.status}: {install}")
    return done.text.splitlines()[0]


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
    if "\n" in str(tree.absolute()):
        raise ToolError(f"make cannot work in a folder whose name holds a line break: {tree}")
    shipped = None if test or shuffle else _shipped_kernel(switches, compiler, tree)
    if shipped is not None:
        return shipped
    identity = compiler_identity(compiler_command(switches, compiler))
    if shuffle and candidate_compiler(switches, compiler, tree) != identity:
        raise BuildError(f"the compiler here is {identity}, which did not build this kernel")
    out = tree / "build" / switches.folder / compiler
    words = [*_make_words(switches, compiler, tree, out), *(["TEST=1"] if test else [])]
    words += [f"SHUFFLE={shuffle}"] if shuffle else []
    with folder_lock(out):
        run_make(tree / "kernel", words, switches.label, scratch=out / "tmp")
        path = _keep_image(out / f"roulette{'-test' if test else ''}{f'-{shuffle}' if shuffle else ''}.elf")
        return BuiltKernel(path, sha256_of(path), switches, identity, commit)


def link_in_orders(
    switches: Switches, orders: Sequence[int], *, compiler: str = "gcc", tree: Path = ROOT, grown: bool = False
) -> tuple[Path, ...]:
    """Images of a kernel linked in several other orders, as ``build_kernel(shuffle=…)`` makes one of them.

    Parameters
    ----------
    grown
        With room in the middle, as if a function there had grown.

    Raises
    ------
    BuildError
        When it does not build, or the compiler here did not build this kernel.
    """
    # Objects are compiled once, and only then linked side by side.
    build_kernel(switches, compiler=compiler, tree=tree, shuffle=orders[0])
    out = tree / "build" / switches.folder / compiler
    words = ["-f", str(ORDERS_MAKEFILE), *_make_words(switches, compiler, tree, out), *(["GROWN=1"] if grown else [])]
    with folder_lock(out):
        run_make(tree / "kernel", [*words, *(str(order) for order in orders)], switches.label, scratch=out / "tmp")
        return tuple(_keep_image(out / f"roulette-{order}{'-grown' if grown else ''}.elf") for order in orders)


def _make_words(switches: Switches, compiler: str, tree: Path, out: Path) -> list[str]:
    """Variables of the kernel's Makefile."""
    words = [f"ARCH={switches.arch}", *(f"{name}={value}" for name, value in switches.chosen)]
    return [*words, f"CC={compiler}", f"OUT={os.path.relpath(out, tree / 'kernel')}"]


def candidate_compiler(switches: Switches, compiler: str, tree: Path = ROOT) -> str:
    """Identity of the compiler that :func:`build_kernel` gives a kernel of: of a shipped one, where it was built."""
    shipped = _shipped_kernel(switches, compiler, tree)
    return shipped.compiler if shipped else compiler_identity(compiler_command(switches, compiler))


def _shipped_kernel(switches: Switches, compiler: str, tree: Path) -> BuiltKernel | None:
    """The kernel that came with a shipped tree."""
    shipment = shipment_of(tree)
    image = shipment.image(str(switches.folder), compiler) if shipment else None
    if image is None:
        return None
    path = tree / image.path
    if sha256_of(path) != image.sha256:
        raise ToolError(f"{path} is not the kernel that was shipped")
    return BuiltKernel(path, image.sha256, switches, image.identity)


def _keep_image(built: Path) -> Path:
    """A copy named by its hash: the next build in this folder must not change the kernel under test."""
    folder = built.parent / "images"
    folder.mkdir(exist_ok=True)
    kept = folder / f"{built.stem}-{sha256_of(built)[:16]}.elf"
    # No bound needed: a kernel of this build, and git's own archive.
    write_whole(kept, built.read_bytes())
    images = sorted(folder.glob(f"{built.stem}-{'[0-9a-f]' * 16}.elf"), key=lambda image: image.stat().st_mtime_ns)
    for old in images[:-IMAGES_MAX]:
        old.unlink()
    return kept


def run_make(folder: Path, words: list[str], what: str, scratch: Path) -> str:
    """Run make in a clean environment; returns its output.

    Parameters
    ----------
    scratch
        Where compilers keep their temporary files; emptied first, since one that was killed leaves them.

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
        environment = cached_environment(clean_environment(scratch=_emptied(scratch, what)))
        make = start_child(command, stdout=output, stderr=output, environment=environment)
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


def _emptied(folder: Path, what: str) -> Path:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"{what} cannot be built: {folder}: {error.strerror}") from error
    return folder.absolute()


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
    try:
        with lock(folder / ".lock", wait_s=2 * Limits().build_s, purpose="building"):
            yield
    except Busy as error:
        raise BuildError(f"another build has held {folder} for too long ({error.holder})") from error


def git(*arguments: str, cwd: Path = ROOT) -> str:
    """Output of a git command, without the blanks at its end.

    Raises
    ------
    BuildError
        When git refuses.
    ToolError
        When it is missing.
    """
    return git_bytes(*arguments, cwd=cwd).decode("utf-8", "replace").rstrip()


def git_bytes(*arguments: str, cwd: Path = ROOT, output_bytes: int = OUTPUT_BYTES_MAX) -> bytes:
    """Output of a git command as it is; raises as :func:`git`."""
    if shutil.which("git") is None:
        raise ToolError("git is not installed: install the package git")
    if not cwd.is_dir():
        raise ToolError(f"git cannot be run in {cwd}: no such folder")
    try:
        # The environment is clean: a hook's GIT_DIR would point at another repository.
        done = run_child(["git", *arguments], limit_s=GIT_S, output_bytes=output_bytes, cwd=cwd)
    except ChildError as error:
        raise ToolError(f"git cannot be run: {error.message}") from error
    if done.status:
        if any("dubious ownership" in line for line in done.errors):
            add = f"git config --global --add safe.directory {shlex.quote(str(cwd.resolve()))}"
            raise ToolError(f"this clone belongs to another user: work as its owner, or run '{add}'")
        raise BuildError(f"git {arguments[0]}: {(done.errors or ('no reason given',))[-1]}")
    return done.stdout


def source_state(tree: Path = ROOT) -> dict[str, object]:
    """``git`` (commit, or empty outside of git), ``dirty``, ``baselines_changed`` and ``kernel_tree`` of a checkout.

    A changed baseline does not change the kernel. It is reported apart, so that the verdict can mention it.
    """
    kernel = {"kernel_tree": kernel_tree_hash(tree)}
    if (shipment := shipment_of(tree)) is not None:
        return {**shipment.state, **kernel}
    try:
        changed = [line.split(maxsplit=1)[1] for line in git("status", "--porcelain", cwd=tree).splitlines()]
        baselines = any(name.startswith("baselines/") for name in changed)
        dirty = any(not name.startswith("baselines/") for name in changed)
        return {"git": git("rev-parse", "HEAD", cwd=tree), "dirty": dirty, "baselines_changed": baselines, **kernel}
    except BuildError as error:
        foreign = {"problem": error.message} if "another user" in error.message else {}
        return {"git": "", "dirty": True, **foreign, **kernel}


TARGETS = ("@{upstream}", "origin/HEAD", "origin/main", "main")
"""Default start of a change: the first of these that exists and is not HEAD."""


def baselines_in_commits(target: str = "", tree: Path = ROOT) -> tuple[str, int]:
    """How many commits since a target's branch change ``baselines/``, and which target that was.

    Parameters
    ----------
    target
        A revision; by default the first of ``TARGETS`` that is another commit than this one.

    Returns
    -------
    (target, count)
        An empty target and 0 outside of git, or with nothing to count from.
    """
    try:
        head = git("rev-parse", "HEAD", cwd=tree)
        for one in (target,) if target else TARGETS:
            with contextlib.suppress(BuildError):
                base = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{one}^{{commit}}", cwd=tree)
                if base != head:
                    return one, int(git("rev-list", "--count", f"{base}..{head}", "--", "baselines", cwd=tree))
    except BuildError:
        pass
    return "", 0


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
    if shipment_of(repository) is not None and (REVISIONS_DIR / revision / "kernel").is_dir():
        return REVISIONS_DIR / revision, revision
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", cwd=repository)
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
    # A second one uses the folder of the first, which may be building in it.
    held = REVISIONS_DIR.with_name(f".{REVISIONS_DIR.name}.lock")
    with lock(held, wait_s=2 * GIT_S, purpose="unpacking a revision"):
        if not (folder / "kernel").is_dir():
            _unpack_revision(commit, repository, folder)
    return folder, commit


def _unpack_revision(commit: str, repository: Path, folder: Path) -> None:
    with whole_folder(folder) as scratch:
        archive = scratch / "tree.tar"
        git("archive", "--format=tar", f"--output={archive}", "--end-of-options", commit, "kernel", cwd=repository)
        with tarfile.open(archive) as tar:
            # Python from 3.12 on warns without the argument; that of Debian 12 does not know it.
            setattr(tar, "extraction_filter", getattr(tarfile, "data_filter", None))
            tar.extractall(scratch)
        archive.unlink()
