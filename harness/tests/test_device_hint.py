"""What a missing first frame says of the target's file, by what the driver told the device."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.model.spec import Limits
from harness.model.target_file import parse_target
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
        assert refused_start("no such machine", target) == "QEMU does not take mine.toml: no such machine"


@pytest.mark.qemu
def test_a_kernel_for_virtio_mmio_without_its_device_is_told_which_line_it_needs(tmp_path: Path) -> None:
    path = a_target(tmp_path, "clean")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('gpu = "virtio-gpu-device"\n', ""), encoding="utf-8")
    code, said = said_by(tmp_path, "perf", f"TARGET={path}", "STAGES=window,pictures")
    assert code == 3 and 'for a driver on virtio-mmio, gpu = "virtio-gpu-device"' in said, said
