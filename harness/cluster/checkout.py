"""A tree of a bundle as a checkout: its commits travel as one file of git's, for suites that ask git."""

from __future__ import annotations

from pathlib import Path

from harness.platform.files.scratch import scratch_folder
from harness.platform.kernels.build import git

COMMITS = Path("build") / "commits.bundle"
"""From the top of a tree: git's own bundle."""
_NAME = "refs/heads/shipped"


def commits_of(tree: Path) -> bytes:
    """Every commit that the checkout's own descends from, as git packs them.

    Raises
    ------
    BuildError
        When git does not know the tree.
    """
    with scratch_folder("bundle") as scratch:
        packed = scratch / "all"
        # From one thread git makes the same pack of the same commits.
        git("-c", "pack.threads=1", "bundle", "create", "--quiet", str(packed), "HEAD", cwd=tree)
        # No bound needed: this checkout's own commits.
        return packed.read_bytes()


def make_checkout(tree: Path) -> None:
    """Give an unpacked tree the commits that came with it; its files stay as they are.

    Raises
    ------
    BuildError
        When they cannot be read.
    """
    if (tree / ".git" / _NAME).exists() or not (tree / COMMITS).exists():
        return
    git("init", "--quiet", "--initial-branch=shipped", cwd=tree)
    git("fetch", "--quiet", str(tree / COMMITS), f"HEAD:{_NAME}", "--update-head-ok", cwd=tree)
    git("reset", "--quiet", "--mixed", "HEAD", cwd=tree)
