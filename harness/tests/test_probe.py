"""Accelerators are offered only after something booted on them; the host is described by stable fields."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from harness.model.result import Fingerprint, QemuSetup
from harness.model.spec import FOREIGN, Machine, RunSpec, Switches, UsageError
from harness.platform.host import identity as host_module
from harness.platform.host import probe
from harness.platform.host.identity import cpu_model, host_facts
from harness.platform.host.probe import boots, choose_accelerator
from harness.platform.kernels.build import build_kernel
from harness.robustness.tinyguest import HALT, tiny_guest

HOST_ARCH = platform.machine()
OTHER_ARCH = "riscv64" if HOST_ARCH != "riscv64" else "aarch64"


def spec(arch: str = HOST_ARCH) -> RunSpec:
    return RunSpec(Path("kernel.elf"), Machine(arch, vcpus=1, maxcpus=2))


def test_tcg_needs_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "boots", lambda _: pytest.fail("booted for nothing"))
    assert choose_accelerator("tcg", spec()) == ("tcg", "")


def test_an_accelerator_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="ACCEL=warp: there are tcg and kvm"):
        choose_accelerator("warp", spec())


def test_kvm_is_not_offered_for_another_architecture() -> None:
    accelerator, notice = choose_accelerator("kvm", spec(OTHER_ARCH))
    assert accelerator == "tcg"
    assert notice == f"ACCEL=kvm: a {HOST_ARCH} host cannot run {OTHER_ARCH}; TCG was used"


def test_a_device_that_cannot_be_opened_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != "/dev/kvm")
    accelerator, notice = choose_accelerator("kvm", spec())
    assert (accelerator, notice) == ("tcg", "ACCEL=kvm: /dev/kvm cannot be opened; TCG was used")


@pytest.mark.parametrize(("trouble", "chosen"), [("", "kvm"), ("no frame within 3 s of the launch", "tcg")])
def test_presence_proves_nothing_a_boot_does(monkeypatch: pytest.MonkeyPatch, trouble: str, chosen: str) -> None:
    asked: list[str] = []

    def boot(tried: RunSpec) -> str:
        asked.append(tried.machine.accelerator)
        return trouble

    monkeypatch.setattr(os, "access", lambda path, mode: True)
    monkeypatch.setattr(probe, "boots", boot)
    accelerator, notice = choose_accelerator("kvm", spec())
    assert accelerator == chosen and asked == ["kvm"]
    assert bool(trouble) == bool(notice) and trouble in notice


@pytest.mark.qemu
def test_a_kernel_that_draws_and_ends_boots() -> None:
    kernel = build_kernel(Switches("x86_64"))
    assert boots(RunSpec(kernel.path, Machine(vcpus=1, maxcpus=2))) == ""


@pytest.mark.qemu
def test_a_kernel_that_hangs_does_not_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "KVM_LIMIT_S", 0.5)
    image = tiny_guest(tmp_path, HALT, b"hello\n")
    said = boots(RunSpec(image, Machine(vcpus=1, maxcpus=2, memory_mib=32), capabilities=FOREIGN))
    assert said == "no frame within 0.5 s of the launch: its last line is 'hello'"


@pytest.mark.qemu
def test_an_accelerator_that_qemu_refuses_does_not_boot() -> None:
    kernel = build_kernel(Switches("x86_64"))
    assert "QEMU did not start" in boots(RunSpec(kernel.path, Machine(vcpus=1, maxcpus=2, accelerator="nonesuch")))


def test_the_fingerprint_is_stable_and_feels_qemu_and_accelerator() -> None:
    def fingerprint(version: str, accelerator: str) -> Fingerprint:
        return Fingerprint.of(host_facts(), QemuSetup(version, accelerator, 1, "multi", ""))

    one = fingerprint("7.2.22", "tcg")
    assert one == fingerprint("7.2.22", "tcg")
    assert len({one, fingerprint("8.0.0", "tcg"), fingerprint("7.2.22", "kvm")}) == 3
    facts = host_facts()
    assert facts.cpu == cpu_model() and facts.cores == os.cpu_count() and facts.kernel and facts.os


def test_a_host_without_cpuinfo_is_named_by_its_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nowhere:
        def __init__(self, *_: str) -> None:
            pass

        def read_text(self, **_: str) -> str:
            raise FileNotFoundError

    monkeypatch.setattr(host_module, "Path", Nowhere)
    assert cpu_model() == platform.machine()
