"""Each fix has a test that fails without it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.model.spec import ROOT
from harness.robustness.fixes import Fix, copy_tree, problem_without, read_fixes, taken_out

FIXES = read_fixes()
pytestmark = pytest.mark.xdist_group("fixes")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("fixes"))


def name_of(fix: Fix) -> str:
    return re.sub(r"[^a-z0-9]+", "-", fix.what.lower())[:60]


@pytest.mark.parametrize("fix", FIXES, ids=name_of)
def test_a_fix_is_where_its_row_says_and_its_test_exists(fix: Fix) -> None:
    assert (ROOT / fix.file).read_text(encoding="utf-8").count(fix.here) == 1, fix.here
    assert fix.here != fix.without and not fix.what.endswith(".")
    kind, *words = shlex.split(fix.test)
    if kind == "pytest":
        file, _, function = words[0].partition("::")
        assert re.search(rf"def {re.escape(function.partition('[')[0])}\(", (ROOT / file).read_text(encoding="utf-8"))
    else:
        suite = words[-1].removeprefix("SUITE=")
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / "kernel").rglob("*.c")]
        assert any(re.search(rf"KTEST_SUITE(_BY_NAME)?\({suite},", text) for text in texts)


@pytest.mark.full
@pytest.mark.qemu
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fix", FIXES, ids=name_of)
def test_its_test_fails_without_it(fix: Fix, tree: Path) -> None:
    problem = problem_without(fix, tree)
    assert not problem, problem


def test_a_test_that_passes_all_the_same_is_told(tmp_path: Path) -> None:
    (tmp_path / "careful_code.py").write_text("# careful\n", encoding="ascii")
    (tmp_path / "test_code.py").write_text("def test_it() -> None:\n    pass\n", encoding="ascii")
    fix = Fix("it is careful", "careful_code.py", "careful", "careless", "pytest test_code.py")
    assert problem_without(fix, tmp_path).startswith("it is careful: pytest test_code.py: status 0")
    (tmp_path / "test_code.py").write_text(
        "def test_it() -> None:\n    assert 'careful' in open('careful_code.py').read()\n", encoding="ascii"
    )
    assert problem_without(fix, tmp_path) == ""
    assert (tmp_path / "careful_code.py").read_text(encoding="ascii") == "# careful\n"
    with pytest.raises(LookupError, match="0 times"), taken_out(Fix("", "careful_code.py", "none", "", ""), tmp_path):
        pass
