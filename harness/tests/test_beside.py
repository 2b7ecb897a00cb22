"""Work beside other work: by a copy of the process, on CPUs of its own, which never stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.gate import session
from harness.gate.measured import SAME_KERNEL, ArmKernel, Measured, Order
from harness.gate.stage import Session, Stage
from harness.model.errors import GuestError, QemuError
from harness.model.record import Lease, StageRecord
from harness.model.spec import BUILT_IN, ROOT, Machine, RunParams
from harness.platform.host import leases
from harness.platform.host.cpus import Cpus
from harness.platform.processes.beside import Beside
from harness.platform.processes.child import end_child, start_child

KERNEL = ArmKernel("candidate", Path("k.elf"), "", None, BUILT_IN)
ORDER = Order(KERNEL, replace(KERNEL, name="reference"), Machine(), RunParams())
HERE = sorted(os.sched_getaffinity(0))[:1]


def test_a_copy_works_on_its_own_cpus_and_answers() -> None:
    with Beside(lambda: (os.getpid(), sorted(os.sched_getaffinity(0)), bytes(1 << 20)), HERE) as work:
        found = work.result()
    assert found is not None and found[0] != os.getpid() and found[1] == HERE and len(found[2]) == 1 << 20
    assert os.sched_getaffinity(0) >= set(HERE)


def _fails() -> int:
    raise QemuError("QEMU is missing")


@pytest.mark.parametrize("work", [_fails, lambda: os._exit(0), lambda: (lambda: 1)])
def test_work_that_fails_or_cannot_be_told_has_no_result(work: Any) -> None:
    with Beside(work, HERE) as beside:
        assert beside.result() is None


def _crashes() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("work", "ended_by"), [(_crashes, signal.SIGKILL), (_fails, 0), (lambda: 1, 0)])
def test_what_ended_a_copy_is_told(work: Any, ended_by: int) -> None:
    with Beside(work, HERE) as beside:
        beside.result()
    assert beside.ended_by == ended_by


@pytest.mark.slow
def test_what_is_still_going_on_ends_with_its_reason_and_so_do_its_children() -> None:
    def busy() -> None:
        child = start_child(["sleep", "60"])
        os.write(told, f"{child.pid}\n".encode())
        time.sleep(60)
        end_child(child)

    heard, told = os.pipe()
    with pytest.raises(RuntimeError), Beside(busy, HERE):
        pid = int(os.read(heard, 20))
        raise RuntimeError("whatever ends the comparison")
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_a_copy_does_not_outlive_a_killed_process() -> None:
    program = (
        "import os, time\nfrom harness.platform.processes.beside import Beside\n"
        "def work():\n    print(os.getpid(), flush=True)\n    time.sleep(60)\n"
        "Beside(work, os.sched_getaffinity(0)).result()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Stages


@dataclass(frozen=True)
class Where(StageRecord, stage="where"):
    """In which process a stage ran."""

    name: str
    pid: int


class MadeUp(Stage[Where, Where]):
    """A stage that says where it ran."""

    brings = keeps = Where

    def __init__(self, name: str, beside: bool = False, fails: BaseException | None = None) -> None:
        super().__init__(name)
        self.beside, self.fails = beside, fails

    def measure(self, session: Session, measured: Measured) -> Where:
        if self.fails is not None:
            raise self.fails
        session.progress(f"{self.name}: in {os.getpid()}")
        return Where(self.name, os.getpid())


def _measured(
    patch: pytest.MonkeyPatch, stages: tuple[MadeUp, ...], cores: int = 12, spare: tuple[int, ...] = (0, 1)
) -> tuple[Measured, list[str]]:
    @contextmanager
    def lease(*rest: object, **more: object) -> Iterator[Lease]:
        yield Lease(tuple(range(cores)), cores)

    said: list[str] = []
    patch.setattr(session, "STAGES", stages)
    patch.setattr(session, "lease_cores", lease)
    patch.setattr(session, "spare_cpus", lambda lease: spare)
    return session.measure(ORDER, Path("/run"), said.append), said


def _where(found: Measured) -> dict[str, bool]:
    """By stage: whether it ran in this process."""
    return {one.name: one.pid == os.getpid() for one in found.brought if isinstance(one, Where)}


STAGES = (MadeUp("window"), MadeUp("pictures", True), MadeUp("overhead"), MadeUp("exact", True), MadeUp("timing"))


def test_stages_that_read_no_clock_run_beside_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    found, said = _measured(monkeypatch, STAGES)
    assert _where(found) == {"window": True, "overhead": True, "timing": True, "pictures": False, "exact": False}
    assert "pictures, exact: started beside timing" in said and not any("pictures: in" in line for line in said)


@pytest.mark.parametrize(("cores", "spare"), [(2, (0, 1)), (12, ()), (12, (5,))])
def test_without_cores_to_spare_everything_runs_in_turn(
    monkeypatch: pytest.MonkeyPatch, cores: int, spare: tuple[int, ...]
) -> None:
    found, _ = _measured(monkeypatch, STAGES, cores, spare)
    assert list(_where(found).items()) == [(stage.name, True) for stage in STAGES]


def _same_kernel(order: Order, measured: Measured) -> str:
    return SAME_KERNEL


def test_of_the_same_kernel_the_stages_that_read_no_clock_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    timing = MadeUp("timing")
    monkeypatch.setattr(timing, "obstacle", _same_kernel)
    found, said = _measured(monkeypatch, (*STAGES[:4], timing), cores=2, spare=())
    assert _where(found) == {"window": True, "overhead": True, "pictures": True, "exact": False}
    assert "exact: started beside pictures" in said and found.skipped == {"timing": SAME_KERNEL}
    alone, _ = _measured(monkeypatch, (*STAGES[:4], timing), cores=1, spare=())
    assert all(_where(alone).values())


def test_a_guest_that_fails_beside_is_an_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = MadeUp("pictures", True, GuestError("torn"))
    found, _ = _measured(monkeypatch, (STAGES[0], failing, STAGES[3], STAGES[4]))
    assert [one.text for one in found.incidents] == ["pictures: torn"]
    assert found.skipped == {"exact": "the guest had failed before"} and set(_where(found)) == {"window", "timing"}


def test_a_harness_that_fails_beside_shows_it_here(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = MadeUp("exact", True, QemuError("QEMU is missing"))
    with pytest.raises(QemuError, match="missing"):
        _measured(monkeypatch, (STAGES[0], failing, STAGES[4]))


def test_a_guest_that_has_failed_already_is_not_measured_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    found, said = _measured(monkeypatch, (MadeUp("window", fails=GuestError("panic")), STAGES[1], STAGES[4]))
    assert set(found.skipped) == {"pictures", "timing"} and not any("beside" in line for line in said)


def test_spare_cpus_are_idle_and_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = Cpus(tuple(range(8)), {cpu: cpu // 2 * 2 for cpu in range(8)})
    monkeypatch.setattr(leases, "_listed", lambda: {(4, 0): 1 << 30})
    found = leases.spare_cpus(Lease((0,), 1), lambda: cpus, lambda: {6: 0.9})
    assert found == (2,)
