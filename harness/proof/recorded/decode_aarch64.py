"""Armv8 A64, decoded by Capstone, as effects."""

from __future__ import annotations

import capstone
from capstone import arm64

from harness.proof.decided.events import Acquire, Fence
from harness.proof.recorded.instructions import DecodedInstruction, UnknownInstruction

_DECODER = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)
_DECODER.detail = True

_FLAGS = "nzcv"
_COMPARES = frozenset("cmp cmn tst".split())
_CONDITIONAL_COMPARES = frozenset("ccmp ccmn".split())
_SELECTS = frozenset("csel csinc csinv csneg cset csetm cinc cinv cneg".split())
_ARITHMETIC = frozenset(
    "add sub mul madd msub mneg umull umulh smull smulh umaddl smaddl umsubl umnegl udiv sdiv neg negs mvn and orr "
    "eor bic orn eon lsl lsr asr ror lslv lsrv asrv rorv ubfx sbfx ubfm sbfm ubfiz sbfiz extr uxtb uxth sxtb sxth "
    "sxtw uxtw rev rev16 rev32 rbit clz cls mov movz movn sbc adc ngc".split()
)
_ARITHMETIC_FLAGS = frozenset("adds subs ands bics adcs sbcs ngcs".split())
_KEEPS_DESTINATION = frozenset("movk bfi bfxil bfm bfc".split())
_NOTHING = frozenset("nop yield hint wfe wfi sev sevl msr tlbi at dc ic prfm prfum bti paciasp autiasp".split())
_BRANCH_ON_REGISTER = frozenset("cbz cbnz tbz tbnz br blr ret".split())
_BARRIERS = {"ld": ("ri", "rwio"), "st": ("wo", "wo")}
_LOADS = {
    name: Acquire.NONE
    for name in "ldr ldrb ldrh ldrsb ldrsh ldrsw ldur ldurb ldurh ldursb ldursh ldursw ldp ldpsw ldnp".split()
} | {
    **{name: Acquire.SC for name in "ldar ldarb ldarh".split()},
    **{name: Acquire.PC for name in "ldapr ldaprb ldaprh".split()},
}
_STORES = {name: False for name in "str strb strh stur sturb sturh stp stnp".split()} | {
    name: True for name in "stlr stlrb stlrh".split()
}
_ATOMICS = ("swp", "ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin")


def _name(instruction: capstone.CsInsn, register: int) -> str:
    """A register by its 64-bit name: ``w3`` is ``x3``; the zero register carries nothing."""
    name: str = instruction.reg_name(register)
    if name in ("wzr", "xzr"):
        return ""
    return f"x{name[1:]}" if name.startswith("w") else {"x29": "fp", "x30": "lr", "wsp": "sp"}.get(name, name)


def _registers(instruction: capstone.CsInsn) -> tuple[str, ...]:
    return tuple(_name(instruction, one.reg) for one in instruction.operands if one.type == arm64.ARM64_OP_REG)


def _address(instruction: capstone.CsInsn) -> tuple[str, ...]:
    for operand in instruction.operands:
        if operand.type == arm64.ARM64_OP_MEM:
            parts = (operand.mem.base, operand.mem.index)
            return tuple(name for name in (_name(instruction, part) for part in parts if part) if name)
    return ()


def _barrier(instruction: capstone.CsInsn) -> Fence:
    if instruction.mnemonic == "isb":
        return Fence("", "", instruction=True)
    kind = instruction.op_str.strip().removeprefix("#")
    inner = kind.startswith(("ish", "nsh"))
    before, after = _BARRIERS.get(kind[-2:] if kind not in ("sy", "ish", "osh", "nsh") else kind, ("rwio", "rwio"))
    return Fence(before, after, inner)


def _memory(instruction: capstone.CsInsn, name: str, text: str) -> DecodedInstruction | None:
    registers, address = _registers(instruction), _address(instruction)
    writeback = address[:1] if instruction.writeback else ()
    if name in _LOADS:
        if not address:  # relative to the program counter: a constant
            return DecodedInstruction(loads=registers, text=text)
        return DecodedInstruction(address, (), registers, writeback, writeback, acquire=_LOADS[name], text=text)
    if name in _STORES:
        return DecodedInstruction(address, registers, (), writeback, writeback, release=_STORES[name], text=text)
    stem = next((one for one in _ATOMICS if name.startswith(one)), None)
    if stem is not None:
        suffix = name.removeprefix(stem)
        acquire = Acquire.SC if suffix.startswith("a") else Acquire.NONE
        release = "l" in suffix
        return DecodedInstruction(
            address, registers[:1], registers[1:2], (), (), (), None, acquire, release, True, text
        )
    return None


def decode_aarch64(code: bytes, address: int) -> DecodedInstruction:
    """The first instruction of ``code``.

    Raises
    ------
    UnknownInstruction
        When it is none of those that are known.
    """
    instruction = next(_DECODER.disasm(code[:4], address), None)
    if instruction is None:
        raise UnknownInstruction(f"{code[:4].hex()} at {address:#x}")
    name, registers = instruction.mnemonic, _registers(instruction)
    text = f"{name} {instruction.op_str}".strip()
    memory = _memory(instruction, name, text)
    if memory is not None:
        return memory
    if name in ("dmb", "dsb", "isb"):
        return DecodedInstruction(fence=_barrier(instruction), text=text)
    if name in _COMPARES:
        return DecodedInstruction(sources=registers, results=(_FLAGS,), text=text)
    if name in _CONDITIONAL_COMPARES:
        return DecodedInstruction(sources=(), results=(_FLAGS,), text=text)
    if name in _SELECTS:
        return DecodedInstruction(results=registers[:1], text=text)
    if name in _ARITHMETIC:
        return DecodedInstruction(sources=registers[1:], results=registers[:1], text=text)
    if name in _ARITHMETIC_FLAGS:
        return DecodedInstruction(sources=registers[1:], results=(*registers[:1], _FLAGS), text=text)
    if name in _KEEPS_DESTINATION:
        return DecodedInstruction(sources=registers, results=registers[:1], text=text)
    if name in _BRANCH_ON_REGISTER:
        return DecodedInstruction(branch=registers or ("lr",), text=text)
    if name.startswith("b."):
        return DecodedInstruction(branch=(_FLAGS,), text=text)
    if name in ("b", "bl"):
        return DecodedInstruction(results=("lr",) if name == "bl" else (), text=text)
    if name in ("adr", "adrp", "mrs"):
        return DecodedInstruction(results=registers[:1], text=text)
    if name in _NOTHING:
        return DecodedInstruction(text=text)
    raise UnknownInstruction(f"{text} at {address:#x}")
