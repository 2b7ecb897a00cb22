"""Targets under a real QEMU, beyond a first run: approved, measured every night, and searched for the commit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.model.spec import ROOT
from harness.tests.guestrun import GUESTS
from harness.tests.test_explain_target import TARGET, a_target, said_by

pytestmark = [pytest.mark.qemu, pytest.mark.full, pytest.mark.timeout(600)]

RUN = ("STAGES=window,pictures,timing", "PICTURES=8", "BUDGET=90")
DRAWS = "\t\tchanged = picture_draw(picture, guest, frame);\n"


def approved(folder: Path, guest: str, more: str = "") -> Path:
    """A target that has been measured and approved."""
    path = a_target(folder, guest, more)
    code, said = said_by(folder, "perf", f"TARGET={path}", *RUN)
    assert code == 0, said
    code, said = said_by(folder, "approve", "REASON=first", f"RESULT={folder / 'results' / 'latest'}")
    assert code == 0, said
    return path


def replaced(path: Path, guest: str) -> None:
    """Another kernel in the place of a target's."""
    other = a_target(path.parent / "other", guest).parent / "out" / f"{guest}-riscv64.elf"
    shutil.copyfile(other, path.parent / "out" / f"{path.stem}-riscv64.elf")


def test_a_screen_that_moved_when_it_was_approved_may_not_stand_still(tmp_path: Path) -> None:
    path = approved(tmp_path, "clean")
    (tmp_path / "other").mkdir()
    replaced(path, "still")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", *RUN)
    assert code == 1 and "the screen stands still: no new frame in" in said, said


def test_a_still_screen_can_be_approved_and_passes_from_then_on(tmp_path: Path) -> None:
    path = approved(tmp_path, "still")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", *RUN)
    assert code == 0 and "the screen stands still: no new frame in" in said and "8 of 8 pictures" in said, said


def test_a_kernel_that_draws_longer_is_a_regression_and_the_approved_one_is_none(tmp_path: Path) -> None:
    path = approved(tmp_path, "clean")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", *RUN)
    assert code == 0 and "the same kernel, byte for byte" in said, said
    (tmp_path / "other").mkdir()
    replaced(path, "clean_drawn")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", *RUN)
    assert code == 1 and re.search(r"regression: [0-9.]+ % slower than the baseline", said), said


def test_a_night_measures_a_target_and_the_history_knows_it(tmp_path: Path) -> None:
    path = a_target(tmp_path, "paced")
    (tmp_path / "nightly.toml").write_text(f'[[matrix]]\ntarget = ["{path}"]\n', encoding="utf-8")
    code, said = said_by(tmp_path, "nightly", f"MATRIX={tmp_path / 'nightly.toml'}", "CELL_SECONDS=60", limit_s=400)
    assert code == 0 and "target paced" in said, said
    code, said = said_by(tmp_path, "report", f"SITE={tmp_path / 'site'}")
    assert code == 0, said
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")]
    assert any("target paced" in page for page in pages)


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def a_repository(top: Path) -> list[str]:
    """The stand-in kernels as a repository of four commits, of which the third draws everything three times."""
    sources = top / "kernel" / "src" / "guests"
    shutil.copytree(GUESTS, sources)
    shutil.copytree(ROOT / "include", top / "include")
    text = TARGET.replace("IMAGE", "out/clean-riscv64.elf")
    build = 'build = "make -s -C kernel/src/guests ARCH=riscv64 GUEST=clean OUT=$PWD/out"\n'
    (top / "perf.toml").write_text(text + build, encoding="utf-8")
    git(top, "init", "-q")
    commits = []
    for number in range(4):
        (sources / "notes").write_text(f"{number}\n", encoding="utf-8")
        if number == 2:
            main = (sources / "main.c").read_text(encoding="utf-8")
            assert main.count(DRAWS) == 1
            (sources / "main.c").write_text(main.replace(DRAWS, f"\t{{\n{3 * DRAWS}\t}}\n"), encoding="utf-8")
        git(top, "add", ".")
        git(top, "commit", "-qm", f"step {number}")
        commits.append(git(top, "rev-parse", "HEAD"))
    return commits


def test_the_commit_that_made_a_target_slower_is_found(tmp_path: Path) -> None:
    top = tmp_path / "repository"
    top.mkdir()
    commits = a_repository(top)
    words = (f"TARGET={top / 'perf.toml'}", f"GOOD={commits[0]}", f"BAD={commits[3]}", "BUDGET=300")
    code, said = said_by(tmp_path, "bisect", *words, limit_s=500)
    assert code == 0 and commits[2][:12] in said and "step 2" in said, said
