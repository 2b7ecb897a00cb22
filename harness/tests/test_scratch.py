"""Temporary folders go with the run that made them, or with the next one; every compiler keeps its files in one."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.bisect.worktree import run_build
from harness.model.errors import HarnessError, StoreError
from harness.model.spec import ROOT, Switches
from harness.platform.files.scratch import clear_scratch, scratch_folder
from harness.platform.files.store import RunFolder
from harness.platform.kernels import build, linuxguest, ringcode
from harness.platform.kernels.build import build_kernel, link_in_orders, run_make
from harness.platform.kernels.ringcode import build_ring
from harness.platform.kernels.shared_library import compile_library
from harness.platform.kernels.targets import build_target
from harness.proof.practice import race
from harness.robustness.tinyguest import HALT, tiny_guest
from harness.tests.programs import fake_program
from harness.tests.test_target_file import LEAST, placed

LEAVES = """
import os, signal
from harness.platform.files.scratch import scratch_folder
with scratch_folder("planted") as folder:
    (folder / "cc1234.o").write_text("half an object")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
MAKERS = re.compile(r"mkdtemp|mkstemp|TemporaryDirectory|NamedTemporaryFile|SpooledTemporaryFile")
"""What makes a temporary name that a kill leaves behind for good."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def left_by_a_kill(place: Path) -> Path:
    done = subprocess.run([sys.executable, "-c", LEAVES], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60)
    left = Path(done.stdout.strip())
    assert done.returncode == -9 and left.parent == place and (left / "cc1234.o").is_file()
    return left


def test_a_folder_goes_when_its_body_ends(place: Path) -> None:
    with scratch_folder("planted") as folder:
        (folder / "sub").mkdir()
        assert folder.parent == place and folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(RuntimeError), scratch_folder("planted"):
        raise RuntimeError
    assert not list(place.iterdir())


@pytest.mark.parametrize("what", ["a folder", "a run"])
def test_what_a_killed_run_left_is_cleared_by_the_next(what: str, place: Path, tmp_path: Path) -> None:
    left = left_by_a_kill(place)
    if what == "a run":
        RunFolder("perf", tmp_path / "results").discard()
    else:
        with scratch_folder("other"):
            assert not left.exists()
    assert not list(place.iterdir())


def test_what_is_in_use_or_not_ours_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = place / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (place / "harness-planted-0123abcd").symlink_to(kept)
    (place / "harness-planted-4567abcd").touch()
    (place / "harness-planted").mkdir()
    with scratch_folder("planted") as mine:
        before = sorted(place.iterdir())
        clear_scratch()
        assert sorted(place.iterdir()) == before and mine in before and (kept / "file").exists()
    left = left_by_a_kill(place)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(left).st_uid + 1)
    clear_scratch()
    assert left.is_dir()


def test_a_place_where_none_can_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no temporary folder can be made in .*gone: No such file"):
        with scratch_folder("planted", tmp_path / "gone"):
            pass


def test_nothing_else_makes_temporary_folders() -> None:
    """A name that nobody clears stays for ever after a kill; a file without a name does not."""
    sources = [path for path in (ROOT / "harness").rglob("*.py") if "tests" not in path.relative_to(ROOT).parts]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if MAKERS.fullmatch(getattr(node, "attr", "") or getattr(node, "id", ""))
    ]
    assert len(sources) > 300 and found == []


def _linux_guest(folder: Path) -> None:
    package = folder / "linux" / "linux-image-planted"
    (package / "boot").mkdir(parents=True)
    (package / "boot" / "vmlinuz-planted").touch()
    linuxguest.linux_guest()


COMPILERS: dict[str, Callable[[Path], object]] = {
    "kernel": lambda folder: build_kernel(Switches(), tree=folder),
    "link orders": lambda folder: link_in_orders(Switches(), (1,), tree=folder),
    "ring": lambda folder: build_ring(Switches()),
    "make": lambda folder: run_make(folder / "kernel", [], "it", folder / "scratch"),
    "library": lambda folder: compile_library(["gcc"], folder / "library.so", "it"),
    "race": lambda folder: race("linux", folder / "race"),
    "target": lambda folder: build_target(placed(folder, LEAST + 'build = "gcc x.c; make"\n')),
    "bisect": lambda folder: run_build("gcc x.c; make", folder, 60),
    "Linux guest": _linux_guest,
    "tiny guest": lambda folder: tiny_guest(folder, HALT),
}
STAND_IN = (
    'case " $* " in *" --version "*) echo gcc; exit;; esac; echo "$TMPDIR" >> "$0.seen"; : > "$TMPDIR/cc$$.o"; exit 1'
)
"""A compiler that is killed: it leaves a file where its temporary files go."""


@pytest.mark.parametrize("what", COMPILERS)
def test_what_a_compiler_leaves_is_cleared(
    what: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, tree = tmp_path / "tools", tmp_path / "tree"
    for folder in (tools, tree / "kernel"):
        folder.mkdir(parents=True)
    (tree / "kernel" / "Makefile").touch()
    for name in ("gcc", "make"):
        fake_program(tools, name, STAND_IN)
    fake_program(tools, "apt-cache", "echo '  Depends: linux-image-planted'")
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(build, "cached_environment", dict)
    monkeypatch.setattr(ringcode, "BUILD_DIR", tmp_path / "build")
    monkeypatch.setattr(linuxguest, "LINUX_DIR", tree / "linux")
    build.compiler_identity.cache_clear()
    try:
        COMPILERS[what](tree)
    except HarnessError:
        pass
    finally:
        build.compiler_identity.cache_clear()
    seen = [line for path in tools.glob("*.seen") for line in path.read_text("utf-8").splitlines()]
    assert seen and not list(place.iterdir()), [path.name for path in place.iterdir()]
