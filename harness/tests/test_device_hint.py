"""What a missing first frame says of the target's file, by what the driver told the device."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.model.spec import Limits
from harness.model.target_file import parse_target
from harness.platform.kernels.targets import read_target
from harness.platform.machine.words_of_guest import device_hint, refused_start
from harness.tests.test_explain_target import a_target, said_by

MODERN = 'args = "-global virtio-mmio.force-legacy=false"'
MMIO = 'gpu = "virtio-gpu-device"'


def hint(folder: Path, text: str, trace: bytes = b"") -> str:
    target = parse_target(f'image = {{ kernel = "k" }}\n{text}\n', "mine", "mine.toml")
    (folder / "trace.log").write_bytes(trace)
    machine: Any = SimpleNamespace(
        spec=SimpleNamespace(target=target), trace_path=folder / "trace.log", limits=Limits()
    )
    return device_hint(machine)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('arch = "riscv64"', 'for a driver on virtio-mmio, gpu = "virtio-gpu-device"'),
        (f'arch = "aarch64"\n{MMIO}', "-global virtio-mmio.force-legacy=false"),
        (f'arch = "riscv64"\n{MMIO}\n{MODERN}', "the driver has not talked to the device"),
        ("", "the driver has not talked to the device"),
        ('gpu = "virtio-vga"', "what is drawn through its VGA side alone is not measured"),
    ],
)
def test_what_the_file_may_lack_is_said(text: str, says: str, tmp_path: Path) -> None:
    assert hint(tmp_path, text).endswith(says) or says in hint(tmp_path, text)
    assert ("gpu = " in hint(tmp_path, text)) is ("gpu = " in says)


def test_a_driver_that_talks_is_told_that_it_flushes_nothing(tmp_path: Path) -> None:
    trace = b"1@1.000000:virtio_gpu_cmd_get_display_info \n"
    assert hint(tmp_path, 'arch = "riscv64"', trace) == "; the driver talks to the device and flushes nothing"


def test_a_kernel_in_the_place_of_the_firmware_is_told_how_to_do_without() -> None:
    said = "The following two regions overlap (in the memory address space): | opensbi | kernel"
    for bios, hint in (("", 'image = { bios = "none"'), ("none", "")):
        target = parse_target(f'image = {{ kernel = "k", bios = "{bios}" }}\n', "mine", "mine.toml")
        words = refused_start(said, target)
        assert hint in words and ("bios" in words) is bool(hint), words
        assert refused_start("no such thing", target) == "mine.toml: QEMU does not take it: no such thing"


AT = "2026-01-01T00:00:00.268072Z qemu-system-x86_64: "


@pytest.mark.parametrize(
    ("said", "key", "line"),
    [
        (f"{AT}unsupported machine type | Use -machine help to list supported machines", "machine", 2),
        (f"{AT}unable to find CPU model 'pentium9'", "cpu", 3),
        (f"{AT}cannot set up guest memory 'pc.ram': Cannot allocate memory", "memory", 4),
        (f"{AT}current -smp configuration requires kernel irqchip and X2APIC API support.", "vcpus", 5),
        (f"{AT}-device virtio-gpu-pci,xress=640,id=gpu: Property 'virtio-gpu-pci.xress' not found", "gpu", 6),
        ("qemu-system-x86_64: -nosuchoption: invalid option", "args", 7),
        (f"{AT}system firmware block device pflash0 has invalid size 300032", "image.pflash", 1),
        ("qemu: invalid kernel header", "image.kernel", 1),
    ],
)
def test_what_qemu_refuses_is_named_by_its_key_and_line(said: str, key: str, line: int, tmp_path: Path) -> None:
    text = (
        'image = { kernel = "k", pflash = "f" }\nmachine = "q36"\ncpu = "pentium9"\nmemory = "900G"\nvcpus = 256\n'
        'gpu = "virtio-gpu-pci,xress=640"\nargs = "-nosuchoption"\n'
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    words = refused_start(said, read_target(str(tmp_path / "mine.toml")))
    assert re.search(rf"mine\.toml:{line}: {re.escape(key)}: QEMU does not take it: [^|]*$", words.partition(" | ")[0])
    assert "qemu-system" not in words and "2026" not in words


def test_a_driver_that_draws_gets_no_hint(tmp_path: Path) -> None:
    trace = b"1@1.000000:virtio_gpu_cmd_res_flush res 0x1, w 640, h 480, x 0, y 0\n"
    assert hint(tmp_path, "", trace) == ""


@pytest.mark.qemu
def test_a_kernel_for_virtio_mmio_without_its_device_is_told_which_line_it_needs(tmp_path: Path) -> None:
    path = a_target(tmp_path, "clean")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('gpu = "virtio-gpu-device"\n', ""), encoding="utf-8")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", "STAGES=window,pictures")
    assert code == 3 and 'for a driver on virtio-mmio, gpu = "virtio-gpu-device"' in said, said
