"""The drivers in a real QEMU: what they negotiate, count and refuse, and the disk beside the GPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from harness.model.spec import Machine, RunParams, Switches
from harness.platform.kernels.build import build_kernel
from harness.tests.booted import boot_kernel, column, serial_log

pytestmark = pytest.mark.qemu

SHORT = RunParams(frames=30, mode=(320, 240))
LOADED = RunParams(seconds=0.6, mode=(320, 240), blk=32, records=0)
DISK = Machine(disk_mib=8)


def function_names(switches: Switches) -> set[str]:
    """Every symbol of a kernel."""
    with build_kernel(switches).path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name for symbol in table.iter_symbols()}


def test_a_kernel_without_a_fault_holds_no_code_of_one() -> None:
    planted = Switches.of({"FAULT": "flip_pixel"})
    assert {name for name in function_names(planted) if "fault" in name} >= {"fault_plan", "fault_flip_pixel"}
    assert {name for name in function_names(Switches()) if "fault" in name} == set()


def test_a_device_that_refuses_the_features_is_named(tmp_path: Path) -> None:
    """With iommu_platform=on QEMU requires VIRTIO_F_ACCESS_PLATFORM, which the driver does not know."""
    log = boot_kernel(tmp_path, Machine(extra=("-global", "virtio-gpu-pci.iommu_platform=on")), SHORT).log
    assert "virtio-gpu: the device refused the features chosen" in log
    assert "[DONE] status=failed" in log


def test_an_error_response_is_named(tmp_path: Path) -> None:
    """QEMU answers OUT_OF_MEMORY to a resource beyond max_hostmem."""
    log = boot_kernel(tmp_path, Machine(extra=("-global", "virtio-gpu-pci.max_hostmem=65536")), SHORT).log
    assert "virtio-gpu: error response, command 0x101 response 0x1201" in log
    assert "[DONE] status=failed" in log


@pytest.mark.parametrize("vcpus", [1, 2])
@pytest.mark.parametrize("completion", ["poll", "irq"])
@pytest.mark.parametrize("event_idx", ["off", "on"])
def test_the_disk_is_loaded_and_verified_beside_the_gpu(
    tmp_path: Path, vcpus: int, completion: str, event_idx: str
) -> None:
    settings = {"ARCH": "x86_64", "COMPLETION": completion, "EVENT_IDX": event_idx}
    log = serial_log(tmp_path, settings, LOADED, Machine(vcpus=vcpus, disk_mib=8))
    assert log.finished and not log.timeouts
    requests, moved = log.total("blk_requests"), log.total("blk_bytes")
    assert requests is not None and moved is not None and requests > 8
    # Whole batches: what was written was read back. A flush moves nothing.
    assert moved % (8 * 16384) == 0 and moved // 16384 <= requests <= moved // 16384 * 1.1
    assert log.total("blk_timeouts") == 0 and log.total("blk_rekicks") == 0
    assert (log.total("switches") or 0) > 0


def test_the_load_keeps_to_its_rate(tmp_path: Path) -> None:
    """Never faster than asked for, except the first batch; the host decides how much slower."""
    params = RunParams(seconds=1.0, mode=(320, 240), blk=2, records=0)
    log = serial_log(tmp_path, {"ARCH": "x86_64"}, params, DISK)
    elapsed, moved = log.total("elapsed_ns"), log.total("blk_bytes")
    assert log.finished and elapsed is not None and moved is not None
    # The task starts before the window and ends after it.
    assert 0 < moved <= (2 << 20) * (elapsed / 1e9 + 0.3) + 8 * 16384


def test_a_load_without_a_disk_is_refused(tmp_path: Path) -> None:
    log = boot_kernel(tmp_path, Machine(), LOADED).log
    assert "virtio-blk: blk= needs a disk" in log and "[DONE] status=failed" in log


def test_waiting_for_an_interrupt_halts_the_cpu(tmp_path: Path) -> None:
    params = RunParams(frames=200, mode=(1024, 768))
    log = serial_log(tmp_path, {"ARCH": "x86_64", "COMPLETION": "irq"}, params)
    halts, halted, waited = column(log, "halts"), column(log, "halt_ns"), column(log, "wait_ns")
    assert sum(halts) > 0 and (log.total("interrupts") or 0) > 0
    assert all((count > 0) == (ns > 0) and ns <= wait for count, ns, wait in zip(halts, halted, waited))


def test_dirty_drawing_transfers_less_and_counts_each_part(tmp_path: Path) -> None:
    log = serial_log(tmp_path, {"ARCH": "x86_64", "DRAW": "dirty"}, RunParams(frames=60, warmup=1, mode=(1024, 768)))
    damage, completions = column(log, "damage_px"), column(log, "completions")
    assert max(damage) < 1024 * 768
    assert all(count % 2 == 0 and count >= 4 for count in completions)


def test_the_same_instructions_draw_the_same_frame(tmp_path: Path) -> None:
    """Under icount, twice: drawing and submitting cost exactly the same."""
    machine = Machine(vcpus=1, maxcpus=1, icount=True)
    params = RunParams(frames=6, warmup=1, mode=(320, 240), exact=1)
    runs = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        log = serial_log(tmp_path / name, {"ARCH": "x86_64"}, params, machine)
        runs.append((column(log, "draw_insns"), column(log, "submit_insns")))
    assert runs[0] == runs[1] and min(runs[0][0]) > 10_000
