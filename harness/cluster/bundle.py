"""A bundle: everything that a job runs from, as a list of files by content. Its name is the SHA-256 of that list.

It holds the sources of the checkout with the approved kernels and the oracle's scene, the kernels of all jobs,
built once, and the kernel sources of the commits that approved kernels come from, for a host with another compiler.
A host without git and without a cross compiler can so run any job. What only one host's compiler can make, the oracle's
library, is built there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cluster.blobs import BlobStore, digest_of_bytes
from harness.cluster.checkout import COMMITS, commits_of
from harness.cluster.faults import BundleDamaged
from harness.model import codec
from harness.model.codec import CodecError
from harness.model.errors import BuildError
from harness.model.spec import ROOT, Switches
from harness.platform.files.atomic import whole_folder, write_whole
from harness.platform.files.bounded import KERNEL_BYTES_MAX, read_bounded
from harness.platform.kernels.build import build_kernel, checkout_revision, git, source_state
from harness.platform.kernels.shipped import SHIPPED, Shipment, ShippedImage

TREES_MAX = 4
"""Unpacked bundles that a worker keeps, the newest."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FOLDERS = ("harness", "kernel", "include", "baselines", "targets", "ci", "docs")
"""Sources of a tree that is not a checkout."""


@dataclass(frozen=True)
class Provisions:
    """What goes into every bundle besides the sources."""

    kernels: tuple[Switches, ...] = ()
    """Combinations of switches to build now, once."""
    commits: tuple[str, ...] = ()
    """Where approved kernels come from."""
    history: bool = False
    """The commits too, so that a tree can be made a checkout: the suites ask git."""


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle."""

    path: str
    """From the top of the tree."""
    sha256: str
    executable: bool


@dataclass(frozen=True)
class Bundle:
    """All files of a bundle, in the order of their paths."""

    files: tuple[BundleFile, ...]

    @property
    def text(self) -> str:
        """The list as it is stored and sent."""
        return codec.to_json(self, indent=None, sort_keys=True)

    @property
    def digest(self) -> str:
        """Its name."""
        return digest_of_bytes(self.text.encode())


def read_bundle(text: str, digest: str) -> Bundle:
    """A bundle that was sent.

    Raises
    ------
    BundleDamaged
        When it has another hash than its name, or names a file outside of its tree.
    """
    if digest_of_bytes(text.encode()) != digest:
        raise BundleDamaged(f"a bundle was sent as {digest[:16]} and is {digest_of_bytes(text.encode())[:16]}")
    try:
        bundle = codec.from_json(Bundle, text)
    except CodecError as error:
        raise BundleDamaged(f"the bundle {digest[:16]} is not a list of files: {error}") from error
    for file in bundle.files:
        if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
            raise BundleDamaged(f"the bundle {digest[:16]} names {file.path[:80]!r}, outside of its tree")
    return bundle


def make_bundle(provisions: Provisions, store: BlobStore, more: Mapping[str, Path], tree: Path = ROOT) -> Bundle:
    """Bring a checkout and what its jobs need into a store.

    Parameters
    ----------
    more
        Further files, by their path from the top of the tree.

    Raises
    ------
    BuildError
        When a kernel does not build.
    OSError
        When a file cannot be read or stored.
    """
    files = {name: _file(tree / name, name, store) for name in source_files(tree)}
    files |= {name: _file(path, name, store) for name, path in more.items()}
    images = []
    for switches in dict.fromkeys(provisions.kernels):
        built = build_kernel(switches)
        path = str(SHIPPED.parent / f"{built.sha256}.elf")
        files[path] = _file(built.path, path, store)
        images.append(ShippedImage(str(switches.folder), "gcc", built.compiler, path, built.sha256))
    for commit in dict.fromkeys(provisions.commits):
        # A commit that is not in this clone is left out.
        files |= {name: _file(path, name, store) for name, path in _revision(commit)}
    if provisions.history:
        files[str(COMMITS)] = BundleFile(str(COMMITS), store.add(commits_of(tree)), False)
    else:
        files[str(SHIPPED)] = BundleFile(str(SHIPPED), store.add(_shipment(tree, images)), False)
    return Bundle(tuple(file for _, file in sorted(files.items())))


def _shipment(tree: Path, images: Sequence[ShippedImage]) -> bytes:
    state = source_state(tree)
    shipment = Shipment(str(state["git"]), bool(state["dirty"]), bool(state.get("baselines_changed")), tuple(images))
    return codec.to_json(shipment).encode()


def source_files(tree: Path) -> list[str]:
    """Sources of a tree, from its top: what git does not ignore; without git, what lies in the known folders."""
    try:
        names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=tree).split("\0")
    except BuildError:
        names = [str(path.relative_to(tree)) for folder in _FOLDERS for path in (tree / folder).rglob("*")]
        names = [name for name in names if "__pycache__" not in name]
    return [name for name in names if (tree / name).is_file() and not (tree / name).is_symlink()]


def _file(source: Path, name: str, store: BlobStore) -> BundleFile:
    content = read_bounded(source, KERNEL_BYTES_MAX)
    return BundleFile(name, store.add(content), os.access(source, os.X_OK))


def _revision(commit: str) -> Iterator[tuple[str, Path]]:
    try:
        folder, full = checkout_revision(commit)
    except BuildError:
        return
    for path in sorted((folder / "kernel").rglob("*")):
        if path.is_file():
            yield str(Path("build") / "revisions" / full / path.relative_to(folder)), path


def unpack(bundle: Bundle, store: BlobStore, trees: Path) -> Path:
    """The tree of a bundle, made once; checked each time, and made again where one of its files has changed.

    Raises
    ------
    BundleDamaged
        When a blob is damaged.
    FileNotFoundError
        When a blob is not here.
    OSError
        When there is no room.
    """
    tree = trees / bundle.digest
    if tree.is_dir() and not changed_files(bundle, tree):
        os.utime(tree)
        return tree
    trees.mkdir(parents=True, exist_ok=True)
    with whole_folder(tree) as scratch:
        for file in bundle.files:
            target = scratch / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.get(file.sha256))
            target.chmod(0o755 if file.executable else 0o644)
    _forget(trees)
    return tree


def changed_files(bundle: Bundle, tree: Path) -> list[str]:
    """Files of an unpacked bundle that are not what they were."""
    changed = []
    for file in bundle.files:
        try:
            # No bound needed: sources of this tree.
            same = digest_of_bytes((tree / file.path).read_bytes()) == file.sha256
        except OSError:
            same = False
        if not same:
            changed.append(file.path)
    return changed


def _forget(trees: Path) -> None:
    """Remove the oldest trees, and nothing else."""
    ours = (path for path in trees.iterdir() if _DIGEST.fullmatch(path.name))
    found = sorted(ours, key=lambda path: path.stat().st_mtime)
    for old in found[:-TREES_MAX]:
        shutil.rmtree(old, ignore_errors=True)


def harness_version(folder: Path = ROOT / "harness") -> str:
    """Hash over the harness's own sources without its tests: hosts of another version would measure otherwise."""
    lines = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] != "tests" and "__pycache__" not in relative.parts:
            lines.append(f"{digest_of_bytes(path.read_bytes())} {relative}")
    return digest_of_bytes("\n".join(lines).encode())[:16]


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Keep the list of a bundle under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{bundle.digest}.json", bundle.text)
