"""Kernels that cannot be proved: each is refused with its reason, in bounded time and memory."""

from __future__ import annotations

import faulthandler
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.errors import ToolError
from harness.model.spec import ROOT
from harness.proof import matrix
from harness.proof.decided.devices import DEVICES
from harness.proof.emulator import machine, tracer
from harness.proof.emulator.foreign import record_foreign
from harness.proof.emulator.image import SPAN_BYTES_MAX, ElfImage, TraceError, read_image
from harness.proof.run import prove

pytest.importorskip("unicorn")

KERNEL = ROOT / "baselines" / "aarch64" / "acquire_progress" / "kernel.elf"
QEMU = DEVICES["qemu"]
_MACHINE, _PHOFF = 18, 32
_P_PADDR, _P_MEMSZ = 24, 40


def patched(tmp_path: Path, function: str, *words: int) -> Path:
    """The kernel with instructions of its own at the start of a function."""
    image, body = read_image(KERNEL), KERNEL.read_bytes()
    start, content, _ = next(one for one in image.segments if one[0] <= image.symbols[function] < one[0] + len(one[1]))
    offset = image.symbols[function] - start
    at = body.index(content[offset : offset + 32])
    path = tmp_path / "kernel.elf"
    path.write_bytes(body[:at] + struct.pack(f"<{len(words)}I", *words) + body[at + 4 * len(words) :])
    return path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((0x52800000, 0x4EA0C000), "not known"),
        ((0xD2800009, 0xF9400129), "faults at virtqueue_publish"),  # mov x9, #0; ldr x9, [x9]
        ((0x14000000,), "no end after .* instructions, at virtqueue_publish"),  # b .
        ((0x10000009, 0xB9000129), "self-modifying code: virtqueue_publish"),  # adr x9, .; str w9, [x9]
    ],
)
@pytest.mark.slow
def test_code_that_cannot_be_traced_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[int, ...], says: str
) -> None:
    monkeypatch.setattr(tracer, "INSTRUCTIONS_MAX", 100_000)
    with pytest.raises(TraceError, match=says):
        prove(patched(tmp_path, "virtqueue_publish", *words), "odd", "", QEMU)


def test_a_poll_without_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands still: the driver waits for a device that answers, and never reaches its time-out."""
    monkeypatch.setattr(tracer, "INSTRUCTIONS_MAX", 100_000)
    path = patched(tmp_path, "virtqueue_pop_used", 0x52800000, 0xD65F03C0)  # mov w0, #0; ret
    with pytest.raises(TraceError, match="no end after|does not start"):
        prove(path, "odd", "", QEMU)


def _crash(*_: object, **__: object) -> None:
    faulthandler.disable()  # of pytest, which would print the stack
    os.kill(os.getpid(), signal.SIGSEGV)


def test_an_image_that_crashes_the_emulator_ends_its_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One kernel and many. The SIGSEGV is planted: no image is known that causes one on every host."""
    monkeypatch.setattr(matrix, "prove", _crash)
    kernel = matrix.KernelToProve("odd", KERNEL, "", "qemu")
    found = [matrix.decide_apart(kernel), *matrix.decide_all([kernel, kernel])]
    assert len(found) == 3
    assert all(
        one.proof is None and one.why_not == "the emulator ended at its code: Segmentation fault" for one in found
    )


@pytest.mark.parametrize(("content", "says"), [(b"", "not an ELF"), (b"\x7fELF" + bytes(60), "not an ELF|none of")])
def test_what_is_no_kernel_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "kernel.elf"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=says):
        read_image(path)


def changed(tmp_path: Path, at: int, form: str, value: int) -> Path:
    body = bytearray(KERNEL.read_bytes())
    struct.pack_into(form, body, at, value)
    path = tmp_path / "kernel.elf"
    path.write_bytes(body)
    return path


def test_a_kernel_of_another_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="for none of x86_64, aarch64, riscv64"):
        read_image(changed(tmp_path, _MACHINE, "<H", 8))  # MIPS


@pytest.mark.parametrize("size", [SPAN_BYTES_MAX + 1, 1 << 62, (1 << 64) - 1])
def test_a_kernel_that_asks_for_any_memory_is_refused(tmp_path: Path, size: int) -> None:
    (first,) = struct.unpack_from("<Q", KERNEL.read_bytes(), _PHOFF)
    with pytest.raises(TraceError, match="asks for"):
        read_image(changed(tmp_path, first + _P_MEMSZ, "<Q", size))


def test_a_kernel_that_is_loaded_at_the_end_of_the_world_is_refused(tmp_path: Path) -> None:
    (first,) = struct.unpack_from("<Q", KERNEL.read_bytes(), _PHOFF)
    with pytest.raises(TraceError, match="asks for"):
        read_image(changed(tmp_path, first + _P_PADDR, "<Q", (1 << 64) - 4096))


def objcopy(tmp_path: Path, *arguments: str) -> Path:
    path = tmp_path / "kernel.elf"
    subprocess.run(["aarch64-linux-gnu-objcopy", *arguments, str(KERNEL), str(path)], check=True)
    return path


@pytest.mark.slow
def test_a_kernel_without_labels_is_proved_without_naming_points(tmp_path: Path) -> None:
    found = prove(objcopy(tmp_path, "--remove-section=.ringpoints"), "bare", "", QEMU)
    assert not found.refuted and not found.fences and found.pairs > 1000


def test_a_stripped_kernel_is_run_as_a_whole(tmp_path: Path) -> None:
    """This kernel has drivers for PCI alone: none of them finds a device, and the console is quoted."""
    with pytest.raises(TraceError, match="no driver has|faults|exception"):
        prove(objcopy(tmp_path, "--strip-all"), "stripped", "", QEMU)


@pytest.mark.slow
def test_a_whole_image_that_never_takes_a_device_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "BOOT_S", 0.2)
    endless = ElfImage("riscv64", ((0x80000000, struct.pack("<I", 0x0000006F), 4),), 0x80000000, {}, ())  # j .
    with pytest.raises(TraceError, match="no driver has taken a device after 0.2 s"):
        record_foreign(endless, "")


def test_a_whole_image_outside_of_the_memory_is_refused() -> None:
    with pytest.raises(TraceError, match="outside of the board's memory"):
        record_foreign(ElfImage("aarch64", ((0x9000000000, b"\0" * 8, 8),), 0x9000000000, {}, ()), "")


@pytest.mark.parametrize("module", ["unicorn", "capstone"])
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    for name in [one for one in sys.modules if one.startswith(("harness.proof.recorded.decode_", module))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(vars(sys)["modules"], module, None)
    with pytest.raises(ToolError, match=f"proof needs {module}: install python3-unicorn"):
        prove(KERNEL, "kernel", "", QEMU)
