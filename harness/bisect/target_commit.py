"""A commit of another repository as a target: its images, built in the checkout, and a file that boots them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from harness.model.errors import BuildError
from harness.model.spec import UsageError
from harness.model.target import Target, placed
from harness.model.target_file import parse_target, target_toml
from harness.platform.kernels.build import git
from harness.platform.kernels.targets import boot_digest, build_target, find_target, read_target, resolved


@dataclass(frozen=True)
class TargetRecipe:
    """How a target is made of a commit."""

    name: str
    toml: str
    """Today's file: commits may be older than it."""
    folder: str
    """Where the file lies, relative to the top of the repository."""


def target_recipe(word: str) -> tuple[Path, TargetRecipe]:
    """The repository that a target's file lies in, and the recipe.

    Raises
    ------
    UsageError
        When there is no such target, or it is not in a repository.
    """
    target, file = read_target(word), find_target(word).resolve()
    try:
        top = Path(git("rev-parse", "--show-toplevel", cwd=file.parent))
    except BuildError as error:
        raise UsageError(f"TARGET={word}: {file.parent} is not in a git repository, so there are no commits") from error
    return top, TargetRecipe(target.name, target_toml(target), str(file.parent.relative_to(top.resolve())))


def build_target_commit(recipe: TargetRecipe, tree: Path, kernels: Path) -> tuple[Path, str]:
    """Build the commit that is checked out; returns a target's file for it, kept under its hash, and the hash.

    Raises
    ------
    BuildError
        When it does not build, or leaves no image.
    """
    target = parse_target(recipe.toml, recipe.name, f"{recipe.name}.toml", str(tree / recipe.folder))
    build_target(target)
    try:
        found, files = resolved(target)
    except UsageError as error:
        raise BuildError(str(error)) from error
    digest = boot_digest(target, files)
    kept = {one.role: Path(f"{digest[:16]}-{one.role}") for one in files}
    kernels.mkdir(exist_ok=True)
    for one in files:
        # No bound needed: images that were hashed when the target was found.
        shutil.copyfile(one.path, kernels / kept[one.role])
    path = kernels / f"{digest[:16]}.toml"
    path.write_text(target_toml(_kept(found, kept)), encoding="utf-8")
    return path, digest


def _kept(target: Target, kept: dict[str, Path]) -> Target:
    """The target with its images beside its file, and nothing to build."""
    return replace(target, image=placed(target.image, kept), build="")
