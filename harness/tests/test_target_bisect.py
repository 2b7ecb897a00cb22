"""A commit of another repository becomes a target that can be compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.bisect.target_commit import build_target_commit, target_recipe
from harness.model.errors import BuildError
from harness.model.spec import UsageError
from harness.platform.kernels.targets import read_target, resolved

TOML = 'image = { kernel = "out/k.elf", append = "quiet" }\nbuild = "mkdir -p out && cp source out/k.elf"\n'


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "kernel"
    (top / "boot").mkdir(parents=True)
    (top / "boot" / "mine.toml").write_text(TOML, encoding="utf-8")
    (top / "boot" / "source").write_bytes(b"one")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "one")
    return top


def test_a_commit_is_kept_as_a_target_of_its_own(repository: Path, tmp_path: Path) -> None:
    top, recipe = target_recipe(str(repository / "boot" / "mine.toml"))
    assert top == repository.resolve() and recipe.folder == "boot"
    path, digest = build_target_commit(recipe, repository, tmp_path / "kernels")
    (repository / "boot" / "source").write_bytes(b"two")
    other, another = build_target_commit(recipe, repository, tmp_path / "kernels")
    assert digest != another and path != other
    kept, files = resolved(read_target(str(path)))
    assert files[0].path.read_bytes() == b"one" and kept.image.append == "quiet" and not kept.build
    assert build_target_commit(recipe, repository, tmp_path / "kernels")[1] == another


def test_a_commit_without_an_image_does_not_build(repository: Path, tmp_path: Path) -> None:
    _, recipe = target_recipe(str(repository / "boot" / "mine.toml"))
    (repository / "boot" / "source").unlink()
    with pytest.raises(BuildError, match="ended with status 1"):
        build_target_commit(recipe, repository, tmp_path / "kernels")


def test_a_target_in_no_repository_has_no_commits(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML, encoding="utf-8")
    with pytest.raises(UsageError, match="is not in a git repository"):
        target_recipe(str(tmp_path / "mine.toml"))
