"""The whole harness, as a user runs it, on machines where something is wrong: code, words, and nothing left behind.

Everything happens in a copy of the tree, so that results and builds are its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.model.spec import ROOT
from harness.tests.conftest import Mounted
from harness.tests.programs import instead, without

pytestmark = [pytest.mark.qemu, pytest.mark.xdist_group("cores")]

WINDOW = ("perf", "STAGES=window")
PICTURES = ("perf", "STAGES=pictures", "PICTURES=100000", "BUDGET=3600")
LIMIT_S = 150


@dataclass(frozen=True)
class Ended:
    """How a harness ended."""

    code: int
    said: str

    @property
    def complaint(self) -> list[str]:
        """Its output besides progress and notes."""
        passing = ("building", "note:", "next:", "verdict:", "window:", "pictures:", "perf:", "writing")
        return [line for line in self.said.splitlines() if not line.startswith(passing)]


def own_results() -> dict[str, str]:
    """The environment in which a copy of the tree keeps its results in itself."""
    return {name: value for name, value in os.environ.items() if name != "HARNESS_RESULTS"}


class Tree:
    """A copy of the tree, and the harness in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in ("harness", "kernel", "targets"):
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "tests"))

    def start(self, *words: str, path: str | None = None, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        environment = own_results() | ({"PATH": path} if path else {})
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            cwd=self.root,
            env=environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, path: str | None = None) -> Ended:
        return self.end(self.start(*words, path=path))

    def end(self, harness: subprocess.Popen[str]) -> Ended:
        try:
            said, _ = harness.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            harness.kill()
            raise
        return Ended(harness.returncode, said or "")

    def machines(self) -> list[psutil.Process]:
        """QEMUs that run in this tree."""
        found = []
        for process in psutil.process_iter(["name", "cmdline"]):
            words = process.info["cmdline"] or []
            if "qemu" in (process.info["name"] or "") and str(self.root) in " ".join(words):
                found.append(process)
        return found

    def wait_for_machine(self, harness: subprocess.Popen[str], log: str = "trace.log") -> psutil.Process:
        """The QEMU of a harness, once it has written something."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            assert harness.poll() is None, harness.communicate()
            machines = self.machines()
            if machines and any(path.stat().st_size for path in self.root.glob(f"results/.*.part/**/{log}")):
                return machines[0]
            time.sleep(0.01)
        raise AssertionError("no machine appeared")

    def visible(self) -> list[str]:
        """Results that a reader can see."""
        results = self.root / "results"
        return sorted(one.name for one in results.iterdir() if not one.name.startswith(".")) if results.is_dir() else []

    def check_ending(self, code: int) -> None:
        """Check that there is no result, and that the latest run is said to have ended with this code."""
        results = self.root / "results"
        assert not list(results.glob("*/result.json"))
        assert (results / "latest" / "exit_code").read_text() == f"{code}\n"

    def forget(self) -> None:
        shutil.rmtree(self.root / "results", ignore_errors=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("tree"))
    built = tree.run("build")
    assert built.code == 0, built.said
    return tree


@pytest.fixture
def tree(copy: Tree) -> Iterator[Tree]:
    copy.forget()
    yield copy
    assert copy.machines() == []
    copy.forget()


def failed(ended: Ended, code: int, says: str) -> None:
    """Check the code, the words, and that there are few of them."""
    assert ended.code == code, ended.said
    assert re.search(says, ended.said), ended.said
    assert 1 <= len(ended.complaint) <= 2, ended.said
    assert "Traceback" not in ended.said


def test_qemu_is_missing(tree: Tree, tmp_path: Path) -> None:
    ended = tree.run(*WINDOW, path=without(tmp_path, "qemu-system"))
    failed(ended, 5, "harness-failed: qemu-system-x86_64 is not installed: install the package qemu-system-x86")
    tree.check_ending(5)


def test_qemu_is_too_old(tree: Tree, tmp_path: Path) -> None:
    path = instead(tmp_path, "qemu-system-x86_64", "echo 'QEMU emulator version 6.2.0'")
    failed(tree.run(*WINDOW, path=path), 5, "harness-failed: qemu-system-x86_64 is 6.2.0, at least 7.2 is needed")


def test_qemu_refuses_to_start(tree: Tree, tmp_path: Path) -> None:
    ended = tree.run(*WINDOW, "QEMU_ARGS=-device nonesuch")
    failed(
        ended,
        2,
        "QEMU_ARGS=-device nonesuch: QEMU does not start with it: .*'nonesuch' is not a valid device model name",
    )


def test_the_compiler_is_missing(tree: Tree) -> None:
    failed(tree.run(*WINDOW, "CC=nonesuch"), 2, "CC=nonesuch: no such compiler here")


def test_the_source_does_not_build(tree: Tree) -> None:
    main = tree.root / "kernel" / "main.c"
    content = main.read_text()
    main.write_text(f"{content}\nint half(\n")
    try:
        failed(tree.run("build"), 2, "usage: x86_64 does not build: main.c:[0-9:]+ error: ")
    finally:
        main.write_text(content)


def test_results_cannot_be_written(tree: Tree) -> None:
    (tree.root / "results").write_text("")
    try:
        failed(tree.run(*WINDOW), 5, "harness-failed: results cannot be written to .*: (File exists|Not a directory)")
    finally:
        (tree.root / "results").unlink()


def test_output_cannot_be_written(tree: Tree) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        harness = subprocess.run(
            [sys.executable, "-m", "harness", "help"],
            cwd=tree.root,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert (harness.returncode, harness.stderr) == (
        5,
        "harness-failed: output cannot be written: No space left on device (exit 5)\n",
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("size=64k", "No space left on device"),
        ("size=400k", "No space left on device"),
        ("ro", "results cannot be written to .*: Read-only file system"),
    ],
)
def test_the_disk_is_full_or_read_only(tree: Tree, mounted: Mounted, options: str, says: str) -> None:
    """Full from the start, full in the middle of a run, and not writable at all."""
    (tree.root / "results").mkdir()
    command = mounted(tree.root / "results", options)
    script = '"$@"; code=$?; ls results/*/result.json 2>/dev/null; exit $code'
    done = subprocess.run(
        [*command, "sh", "-c", script, "sh", sys.executable, "-m", "harness", *WINDOW],
        cwd=tree.root,
        env=own_results(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert re.search(says, done.stdout), done.stdout
    assert done.stdout.splitlines()[-1].startswith("verdict: harness-failed"), "no result is to be seen"
    assert "Traceback" not in done.stderr


def test_qemu_is_killed_from_outside(tree: Tree) -> None:
    harness = tree.start(*WINDOW)
    tree.wait_for_machine(harness).kill()
    ended = tree.end(harness)
    failed(ended, 5, "harness-failed: QEMU was ended by SIGKILL from outside")
    evidence = re.search(r"evidence: (\S+)", ended.said)
    assert evidence is None or Path(evidence[1]).exists(), "a line names a file that is not there"
    tree.check_ending(5)


def test_qemu_stands_still(tree: Tree) -> None:
    harness = tree.start(*PICTURES)
    tree.wait_for_machine(harness).suspend()
    failed(tree.end(harness), 5, "harness-failed: QEMU was stopped from outside: its times mean nothing; run it again")
    tree.check_ending(5)


def _mapped(name: str, harness: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while name not in Path(f"/proc/{harness.pid}/maps").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _loading(tree: Tree, harness: subprocess.Popen[str]) -> None:
    _mapped("numpy", harness)


def _loading_opencv(tree: Tree, harness: subprocess.Popen[str]) -> None:
    """Which drops what is raised while it starts."""
    _mapped("/cv2", harness)


def _begun(tree: Tree, harness: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not (tree.root / "results").is_dir():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _launched(tree: Tree, harness: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not tree.machines():
        assert time.monotonic() < deadline


def _drawing(tree: Tree, harness: subprocess.Popen[str]) -> None:
    tree.wait_for_machine(harness)
    time.sleep(0.3)


_MOMENTS = (_loading, _loading_opencv, _begun, _launched, _drawing)
_HOWS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_OF_A_BATCH_SYSTEM = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU)


@pytest.mark.parametrize(
    ("moment", "how"),
    [
        *((moment, _HOWS[0]) for moment in _MOMENTS),
        (_drawing, _HOWS[1]),
        (_loading, _OF_A_BATCH_SYSTEM[0]),
        *(pytest.param(moment, _HOWS[1], marks=pytest.mark.full) for moment in _MOMENTS[:-1]),
        *(pytest.param(_drawing, how, marks=pytest.mark.full) for how in (*_HOWS[2:], *_OF_A_BATCH_SYSTEM)),
    ],
)
def test_an_interrupt_at_any_point(
    tree: Tree, moment: Callable[[Tree, subprocess.Popen[str]], None], how: signal.Signals
) -> None:
    harness = tree.start(*PICTURES)
    moment(tree, harness)
    harness.send_signal(how)
    failed(tree.end(harness), 5, "harness-failed: interrupted")
    assert tree.visible() == ["latest"] and not list(tree.root.glob("results/.*.part")), "nothing half-written"
    tree.check_ending(5)
    assert "no result was stored" in (tree.root / "results" / "latest" / "ending.txt").read_text()


def test_the_harness_is_killed(tree: Tree) -> None:
    harness = tree.start(*PICTURES)
    machine = tree.wait_for_machine(harness)
    harness.kill()
    assert tree.end(harness).code == -signal.SIGKILL
    psutil.wait_procs([machine], timeout=LIMIT_S)
    assert tree.visible() == []


def test_two_harnesses_at_once_do_not_collide(tree: Tree) -> None:
    both = [tree.start(*WINDOW) for _ in range(2)]
    ended = [tree.end(harness) for harness in both]
    assert {one.code for one in ended} == {4}, [one.said for one in ended]
    assert len(tree.visible()) == 3, "two results and the link to the latest"
