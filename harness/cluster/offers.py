"""What this host can run: tried, not assumed, as ``make doctor`` does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.model.errors import HarnessError
from harness.model.job import PAIR
from harness.model.result import Fingerprint
from harness.model.spec import ARCHES, ROOT, Device, Display, Machine, RunSpec, Switches
from harness.platform.host.cpus import read_cpus
from harness.platform.host.identity import host_facts
from harness.platform.host.probe import boots, choose_accelerator, qemu_version
from harness.platform.kernels.build import build_kernel
from harness.platform.pictures.virgl import display_trouble


def pairs_here() -> int:
    """How many pairs of cores this host has for measuring: at least one, for a single core takes turns."""
    return max(1, len(read_cpus().cores) // 2)


def offers_here(say: Callable[[str], None]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What this host offers, and the labels of the fingerprints that its results have."""
    offers: list[str] = []
    labels: list[str] = []
    for name in ARCHES:
        trouble, version = _architecture(name)
        if trouble:
            say(f"worker: no {name}: {trouble}")
            continue
        offers.append(f"arch:{name}")
        accelerators = ["tcg", *(["kvm"] if _kvm(name) else [])]
        host = host_facts()
        labels += [Fingerprint(host.cpu, host.cores, version, accelerator).label for accelerator in accelerators]
        if "kvm" in accelerators:
            offers.append("kvm")
    if "arch:x86_64" in offers and not _gl_trouble():
        offers.append("gl")
    return ((PAIR, *offers) if offers else (), tuple(dict.fromkeys(labels)))


def _architecture(name: str) -> tuple[str, str]:
    """What keeps an architecture from running here, and its QEMU's version."""
    try:
        version = ".".join(str(part) for part in qemu_version(name))
        return boots(RunSpec(_kernel(name), Machine(name, vcpus=1, maxcpus=2))), version
    except HarnessError as error:
        return error.message, ""


def _kernel(name: str) -> Path:
    """A kernel to try: an approved one, for which no compiler is needed, or one that is built."""
    approved = sorted((ROOT / "baselines" / name).glob("*/kernel.elf"))
    return approved[0] if approved else build_kernel(Switches(name)).path


def _kvm(name: str) -> bool:
    try:
        spec = RunSpec(_kernel(name), Machine(name, vcpus=1, maxcpus=2))
        return choose_accelerator("kvm", spec)[0] == "kvm"
    except HarnessError:
        return False


def _gl_trouble() -> str:
    try:
        return display_trouble(Machine(vcpus=1, device=Device.GPU_GL, display=Display.XVFB))
    except HarnessError as error:
        return error.message
