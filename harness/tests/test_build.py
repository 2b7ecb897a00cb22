"""Kernels from source: the working tree, other revisions, and everything that can be missing or wrong."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tarfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from harness.model.errors import BuildError, ToolError
from harness.model.spec import Limits, Switches, Verdict
from harness.platform.kernels import build as build_module
from harness.platform.kernels import compile_cache
from harness.platform.kernels.build import (
    baselines_in_commits,
    build_kernel,
    checkout_revision,
    compiler_identity,
    folder_lock,
    git,
    kernel_tree_hash,
    run_make,
    sha256_of,
    source_state,
)
from harness.platform.kernels.compile_cache import cached_environment

MAKEFILE = """
$(OUT)/roulette.elf: main.c
\t@mkdir -p $(OUT)
\tcp main.c $@
"""


def sh(folder: Path, *command: str) -> str:
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    for who in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{who}_NAME": "somebody", f"GIT_{who}_EMAIL": "somebody@example.org"}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | identity, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout whose kernel is one file, copied."""
    root = tmp_path / "tree"
    (root / "kernel").mkdir(parents=True)
    (root / "kernel" / "Makefile").write_text(MAKEFILE)
    (root / "kernel" / "main.c").write_text("one\n")
    return root


@pytest.fixture
def repository(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same under git, with two commits: ``one`` and ``two``."""
    monkeypatch.setattr(build_module, "REVISIONS_DIR", tree.parent / "revisions")
    sh(tree, "git", "init", "--quiet")
    for text in ("one", "two"):
        (tree / "kernel" / "main.c").write_text(f"{text}\n")
        sh(tree, "git", "add", ".")
        sh(tree, "git", "commit", "--quiet", "-m", text)
    return tree


def test_an_image_does_not_change_when_its_folder_is_built_again(tree: Path) -> None:
    first = build_kernel(Switches(), tree=tree)
    (tree / "kernel" / "main.c").write_text("another\n")
    second = build_kernel(Switches(), tree=tree)
    assert first.path.read_text() == "one\n" and second.path.read_text() == "another\n"
    assert sha256_of(first.path) == first.sha256 != second.sha256
    assert first.compiler == compiler_identity("gcc")


def test_old_images_go_and_the_newest_stay(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "IMAGES_MAX", 2)
    built = []
    for number in range(4):
        (tree / "kernel" / "main.c").write_text(f"{number}\n")
        built.append(build_kernel(Switches(), tree=tree).path)
    assert [path.exists() for path in built] == [False, False, True, True]


def test_what_make_complains_of_is_passed_on(tree: Path) -> None:
    makefile = tree / "kernel" / "Makefile"
    makefile.write_text("all:\n\t@echo '  CC main.c'; echo 'main.c:3: error: no such thing' >&2; exit 1\n")
    with pytest.raises(BuildError, match="x86_64 LOG=none does not build: main.c:3: error: no such thing") as caught:
        build_kernel(Switches.of({"LOG": "none"}), tree=tree)
    assert caught.value.verdict is Verdict.USAGE
    assert "CC main.c" not in str(caught.value)


def test_what_the_linker_complains_of_is_passed_on(tree: Path) -> None:
    said = "main.o: in function `main':\nmain.c:(.text+0x5): undefined reference to `draw'\ncollect2: ld returned 1"
    (tree / "kernel" / "Makefile").write_text(
        f'define SAID\n{said}\nendef\nexport SAID\nall:\n\t@echo "$$SAID"; exit 1\n'
    )
    with pytest.raises(BuildError, match="does not build: main.c:.*: undefined reference to `draw'$"):
        build_kernel(Switches(), tree=tree)


def test_a_folder_with_a_line_break_in_its_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="make cannot work in a folder whose name holds a line break"):
        build_kernel(Switches(), tree=tmp_path / "a\nb")


def test_a_full_disk_is_no_fault_of_the_source(tree: Path) -> None:
    (tree / "kernel" / "Makefile").write_text("all:\n\t@cat Makefile >/dev/full\n")
    with pytest.raises(ToolError, match="x86_64 cannot be built: .*No space left on device") as caught:
        build_kernel(Switches(), tree=tree)
    assert caught.value.verdict is Verdict.HARNESS_FAILED


@pytest.mark.slow
def test_a_build_that_does_not_end_is_ended_with_all_it_started(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "Limits", lambda: Limits(build_s=2.0))
    (tree / "kernel" / "Makefile").write_text("all:\n\t@echo $$$$ >pid; sleep 60; true\n")
    with pytest.raises(BuildError, match="x86_64 is not built after 2 s"):
        build_kernel(Switches(), tree=tree)
    shell = int((tree / "kernel" / "pid").read_text())
    deadline = time.monotonic() + 60
    while Path(f"/proc/{shell}").exists() and "Z" not in Path(f"/proc/{shell}/stat").read_text():
        assert time.monotonic() < deadline, "the recipe runs on"
        time.sleep(0.01)


def test_the_environment_does_not_reach_the_build(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCH", "vax")
    monkeypatch.setenv("MAKEFLAGS", "-n")
    monkeypatch.setenv("CFLAGS", "-O0")
    (tree / "kernel" / "Makefile").write_text('all:\n\t@echo "<$(ARCH)$(CFLAGS)>"\n')
    assert "<>" in run_make(tree / "kernel", [], "it", tree / "scratch")


def test_missing_tools_are_named_with_their_packages(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler_identity.cache_clear()
    monkeypatch.setenv("PATH", str(tree))
    with pytest.raises(ToolError, match="make is not installed: install the package make"):
        run_make(tree / "kernel", [], "it", tree / "scratch")
    with pytest.raises(ToolError, match="git is not installed: install the package git"):
        git("status", cwd=tree)
    for command, package in (("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu"), ("clang", "clang")):
        with pytest.raises(ToolError, match=f"{command} is not installed: install the package {package} "):
            compiler_identity(command)
    assert source_state(tree).items() >= {"git": "", "dirty": True}.items()


def _hold(folder: Path, held: Event, release: Event) -> None:
    with folder_lock(folder):
        held.set()
        release.wait(60)


@pytest.mark.slow
def test_two_harnesses_take_turns_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "Limits", lambda: Limits(build_s=0.1))
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(BuildError, match="another build has held .* for too long"), folder_lock(tmp_path):
            pass
        release.set()
        other.join(60)
        with folder_lock(tmp_path):
            pass
    finally:
        release.set()
        other.kill()
        other.join()


def test_a_revision_is_built_from_its_own_files(repository: Path) -> None:
    folder, commit = checkout_revision("HEAD~1", repository)
    assert commit == sh(repository, "git", "rev-parse", "HEAD~1")
    assert build_kernel(Switches(), tree=folder, commit=commit).path.read_text() == "one\n"
    assert build_kernel(Switches(), tree=repository).path.read_text() == "two\n"
    assert checkout_revision(commit, repository) == (folder, commit), "made once"
    assert [path.name for path in folder.parent.iterdir()] == [commit], "nothing half-made beside it"


@pytest.mark.parametrize("revision", ["nonesuch", "HEAD~9", "--all", ""])
def test_an_unknown_revision_is_named(repository: Path, revision: str) -> None:
    with pytest.raises(BuildError, match=f"{revision}: no such revision here$"):
        checkout_revision(revision, repository)


def test_a_hook_of_another_repository_does_not_lead_astray(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sh(tmp_path, "git", "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert checkout_revision("HEAD", repository)[1]


def test_a_shallow_clone_says_why_history_is_missing(repository: Path) -> None:
    shallow = repository.parent / "shallow"
    sh(repository.parent, "git", "clone", "--quiet", "--depth=1", f"file://{repository}", str(shallow))
    with pytest.raises(BuildError, match="HEAD~1: no such revision here; this clone is shallow: .*--unshallow"):
        checkout_revision("HEAD~1", shallow)


def test_a_tree_without_git_has_no_revisions(tree: Path) -> None:
    with pytest.raises(BuildError, match="no such revision"):
        checkout_revision("HEAD", tree)


def test_a_revision_without_a_kernel_is_refused_and_leaves_nothing(repository: Path) -> None:
    sh(repository, "git", "rm", "-r", "--quiet", "kernel")
    (repository / "README").write_text("empty")
    sh(repository, "git", "add", "README")
    sh(repository, "git", "commit", "--quiet", "-m", "none")
    with pytest.raises(BuildError, match="git archive"):
        checkout_revision("HEAD", repository)
    assert not list((repository.parent / "revisions").iterdir())


def test_the_state_of_a_checkout_is_told(repository: Path) -> None:
    head = sh(repository, "git", "rev-parse", "HEAD")
    assert source_state(repository).items() >= {"git": head, "dirty": False}.items()
    (repository / "kernel" / "new.c").write_text("")
    assert source_state(repository).items() >= {"git": head, "dirty": True}.items()


def test_a_changed_baseline_is_told_apart_from_changed_source(repository: Path) -> None:
    baseline = repository / "baselines" / "x86_64" / "linux" / "baseline.json"
    baseline.parent.mkdir(parents=True)
    baseline.write_text("{}")
    sh(repository, "git", "add", ".")
    sh(repository, "git", "commit", "--quiet", "-m", "approve")
    assert source_state(repository)["baselines_changed"] is False
    baseline.write_text("{} ")
    state = source_state(repository)
    assert state["baselines_changed"] is True and state["dirty"] is False
    (repository / "kernel" / "main.c").write_text("three\n")
    assert source_state(repository)["dirty"] is True


def test_baselines_changed_in_commits_are_counted_from_the_target(repository: Path) -> None:
    branch = sh(repository, "git", "symbolic-ref", "--short", "HEAD")
    assert baselines_in_commits(tree=repository) == ("", 0), "nothing to count from"
    sh(repository, "git", "checkout", "--quiet", "-b", "change")
    baseline = repository / "baselines" / "x86_64" / "linux" / "baseline.json"
    baseline.parent.mkdir(parents=True)
    for content in ("{}", "{} "):
        baseline.write_text(content)
        sh(repository, "git", "add", ".")
        sh(repository, "git", "commit", "--quiet", "-m", "approve")
    assert baselines_in_commits(branch, repository) == (branch, 2)
    sh(repository, "git", "branch", "--quiet", "--set-upstream-to", branch)
    assert baselines_in_commits(tree=repository) == ("@{upstream}", 2)
    assert baselines_in_commits("no-such-branch", repository) == ("", 0)
    assert baselines_in_commits(tree=repository.parent) == ("", 0)


def test_the_kernels_hash_is_the_same_without_git_and_feels_every_change(repository: Path) -> None:
    copy = repository.parent / "copy"
    shutil.copytree(repository / "kernel", copy / "kernel")
    assert kernel_tree_hash(copy) == kernel_tree_hash(repository)
    (copy / "kernel" / "main.c").write_text("two \n")
    changed = kernel_tree_hash(copy)
    (copy / "kernel" / "main.c").rename(copy / "kernel" / "main2.c")
    assert len({kernel_tree_hash(repository), changed, kernel_tree_hash(copy)}) == 3


@pytest.mark.slow
def test_another_link_order_is_another_image_of_the_same_objects() -> None:
    plain, shuffled = build_kernel(Switches()), build_kernel(Switches(), shuffle=3)
    assert plain.sha256 != shuffled.sha256
    assert shuffled.sha256 == sha256_of(shuffled.path) == build_kernel(Switches(), shuffle=3).sha256
    assert plain.sha256 == build_kernel(Switches()).sha256


def test_a_clone_of_another_user_is_named_as_such(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("only root can give a folder away")
    monkeypatch.setenv("HOME", str(repository.parent))  # no safe.directory of the user who runs this
    os.chown(repository, 65534, 65534)
    os.chown(repository / ".git", 65534, 65534)
    with pytest.raises(ToolError, match="belongs to another user: .*safe.directory"):
        checkout_revision("HEAD", repository)
    assert "another user" in str(source_state(repository)["problem"])


@pytest.mark.parametrize("revision", ["--help", "--upload-pack=touch planted", "-h"])
def test_a_revision_that_looks_like_an_option_is_none(repository: Path, revision: str) -> None:
    with pytest.raises(BuildError, match="no such revision here"):
        checkout_revision(revision, repository)
    assert not (repository / "planted").exists()


def test_the_environment_of_a_hook_names_no_other_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source_state(repository)["git"]
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    assert source_state(repository)["git"] == before != ""


def test_a_revision_is_unpacked_as_newer_pythons_want_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a filter Python 3.12 and 3.13 warn, and a warning is an error here."""
    used: list[object] = []
    extract = tarfile.TarFile.extractall

    def note(tar: tarfile.TarFile, path: Path) -> None:
        used.append(getattr(tar, "extraction_filter", None))
        extract(tar, path)

    monkeypatch.setattr(tarfile, "data_filter", lambda member, path: member, raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", note)
    (repository / "kernel" / "fresh.c").write_text("four\n", encoding="utf-8")
    sh(repository, "git", "add", ".")
    sh(repository, "git", "commit", "--quiet", "-m", "fresh")
    folder, _ = checkout_revision("HEAD", repository)
    assert (folder / "kernel" / "fresh.c").exists()
    assert used == [getattr(tarfile, "data_filter")]


def test_what_was_compiled_once_is_taken_from_the_cache_by_content(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only code that differs after the preprocessor is compiled again, whatever the folder or switch."""
    monkeypatch.setattr(compile_cache, "CACHE_DIR", tmp_path / "cache")
    (tree / "kernel" / "Makefile").write_text("$(OUT)/roulette.elf: main.c\n\tgcc -DLOG=$(LOG) -c -o $@ main.c\n")
    (tree / "kernel" / "main.c").write_text("int one(void) { return 1; }\n")

    def compiled(log: str, name: str) -> tuple[bytes, int]:
        out = tmp_path / name
        out.mkdir()
        run_make(tree / "kernel", [f"OUT={out}", f"LOG={log}"], name, out / "tmp")
        environment = cached_environment(os.environ)
        said = subprocess.run(["ccache", "--print-stats"], env=environment, capture_output=True, text=True, check=True)
        missed = dict(line.split("\t") for line in said.stdout.splitlines())["cache_miss"]
        return (out / "roulette.elf").read_bytes(), int(missed)

    first, second = compiled("none", "first"), compiled("frame", "second")
    assert first == second and first[1] == 1
    (tree / "kernel" / "main.c").write_text("int one(void) { return LOG; }\n")
    assert compiled("2", "third")[1] == 2 and compiled("3", "fourth")[1] == 3


def test_without_a_cache_everything_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_cache, "WRAPPERS", (Path("/nonexistent"),))
    assert cached_environment({"PATH": "/usr/bin"}) == {"PATH": "/usr/bin"}


def test_what_a_killed_compiler_left_is_gone_after_the_next_build(tmp_path: Path) -> None:
    """Compilers keep their temporary files in the build's own folder, not in the system's."""
    (tmp_path / "Makefile").write_text("all:\n\t@echo temporary files: $$TMPDIR\n", encoding="utf-8")
    scratch = tmp_path / "out" / "tmp"
    scratch.mkdir(parents=True)
    (scratch / "ccLeft.s").write_text("half a file", encoding="utf-8")
    assert f"temporary files: {scratch}" in run_make(tmp_path, [], "it", scratch)
    assert list(scratch.iterdir()) == []


def test_a_build_whose_folder_cannot_be_made_is_no_fault_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ToolError, match="it cannot be built: .*Not a directory"):
        run_make(tmp_path, [], "it", tmp_path / "file" / "tmp")
