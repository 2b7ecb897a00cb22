"""Guests of a dozen instructions: ELF images with a PVH note that do one thing each."""

from __future__ import annotations

from pathlib import Path

from harness.model.errors import ToolError
from harness.platform.processes.child import clean_environment, run_child

_HEAD = """
    .section .note.pvh, "a", @note
    .long 4, 4, 18          # XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long start
    .text
    .code32
    .globl start
start:
    mov $0x3f8, %dx
"""
_PRINT = """
    mov $text, %esi
1:  lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp 1b
2:
"""
HALT = "cli; 3: hlt; jmp 3b"
FLOOD = "mov $'x', %al; 3: out %al, %dx; jmp 3b"
REPEAT = "jmp start"
TRIPLE_FAULT = "lidt empty; int3; empty: .word 0; .long 0"


def leave(value: int) -> str:
    """End QEMU through isa-debug-exit; its exit code becomes ``2 * value + 1``."""
    return f"mov $0xf4, %dx; mov ${value}, %eax; out %eax, %dx; {HALT}"


def tiny_guest(folder: Path, code: str, text: bytes = b"") -> Path:
    """Assemble a guest that prints ``text`` on the serial port and then runs ``code``."""
    source, image = folder / "tiny.s", folder / "tiny.elf"
    octets = ", ".join(str(octet) for octet in text + b"\0")
    source.write_text(f"{_HEAD}{_PRINT}{code}\ntext: .byte {octets}\n", encoding="ascii")
    command = ["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000,--build-id=none", str(source)]
    done = run_child([*command, "-o", str(image)], limit_s=20, environment=clean_environment(scratch=folder))
    if done.status:
        raise ToolError(f"a guest cannot be assembled: {done.errors[:3]}")
    return image
