"""Two images that load the same bytes are one kernel, whatever else their files hold."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.core.machine_code.bootimage import same_loaded_bytes
from harness.gate.measured import ArmKernel, Measured, Order
from harness.gate.session import measure
from harness.gate.stage import Session
from harness.gate.stages.timing import TimingStage
from harness.model.spec import BUILT_IN, ROOT, Machine, RunParams, Switches

TEXT = b"\x90" * 64
PVH = (b"Xen", 18, struct.pack("<I", 0x100000))


def _note(name: bytes, kind: int, content: bytes) -> bytes:
    name += b"\0"
    padded = [raw + bytes(-len(raw) % 4) for raw in (name, content)]
    return struct.pack("<3I", len(name), len(content), kind) + b"".join(padded)


def _elf(
    text: bytes = TEXT,
    notes: tuple[tuple[bytes, int, bytes], ...] = (PVH,),
    entry: int = 0x100000,
    memory: int = 4096,
    tail: bytes = b"",
) -> bytes:
    """A kernel with one loaded segment that begins with its notes, as the built-in one has."""
    joined = b"".join(_note(*note) for note in notes)
    content = joined + text
    start = 64 + 2 * 56
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, entry, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, start, 0x100000, 0x100000, len(content), memory, 4096)
    note = struct.pack("<IIQQQQQQ", 4, 4, start, 0x100000, 0x100000, len(joined), len(joined), 4)
    return header + load + note + content + tail


def test_symbols_and_build_ids_are_no_difference() -> None:
    assert same_loaded_bytes(_elf(), _elf(tail=b"symbols"))
    ids = [_elf(notes=(PVH, (b"GNU", 3, bytes([byte]) * 20))) for byte in (1, 2)]
    assert ids[0] != ids[1] and same_loaded_bytes(*ids)


@pytest.mark.parametrize(
    "other",
    [
        _elf(text=TEXT[:-1] + b"\xcc"),
        _elf(entry=0x100001),
        _elf(memory=8192),
        _elf(notes=((b"Xen", 18, struct.pack("<I", 0x100010)),)),
        _elf(notes=(PVH, (b"GNU", 5, bytes(16)))),
        _elf()[:250],
        _elf()[:100],
        b"",
        b"\x7fELF" + bytes(60),
    ],
    ids="text entry memory note another-note shorter header empty zeros".split(),
)
def test_what_a_machine_could_tell_apart_is_a_difference(other: bytes) -> None:
    assert not same_loaded_bytes(_elf(), other)


def test_what_is_no_elf_file_is_compared_whole() -> None:
    assert same_loaded_bytes(b"an image", b"an image") and not same_loaded_bytes(b"an image", b"an imagE")


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
def test_approved_kernels_differ_from_each_other_alone(arch: str) -> None:
    first, second = (
        (ROOT / "baselines" / arch / name / "kernel.elf").read_bytes() for name in ("acquire_progress", "seqcst_spin")
    )
    assert same_loaded_bytes(first, first + b"more symbols") and not same_loaded_bytes(first, second)


def _order(folder: Path, reference: bytes) -> Order:
    arms = []
    for name, image in (("candidate", _elf()), ("reference", reference)):
        path = folder / f"{name}.elf"
        path.write_bytes(image)
        arms.append(ArmKernel(name, path, "ab" * 32, Switches(), BUILT_IN))
    return Order(arms[0], arms[1], Machine(), RunParams(), stages=frozenset({"timing"}))


@pytest.mark.slow
def test_the_same_kernel_is_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Session] = []

    def timed(_: TimingStage, session: Session, measured: Measured) -> None:
        asked.append(session)

    monkeypatch.setattr(TimingStage, "measure", timed)
    assert measure(_order(tmp_path, _elf(tail=b"symbols")), tmp_path, lambda text: None).same_kernel
    assert not asked
    assert not measure(_order(tmp_path, _elf(text=b"\xcc" * 64)), tmp_path, lambda text: None).same_kernel
    assert len(asked) == 1
