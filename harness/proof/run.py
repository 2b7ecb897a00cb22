"""One kernel proved: its driver run in the emulator, every question answered, with what the run covered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import ToolError
from harness.proof.decided.decide import Answer, answers
from harness.proof.decided.devices import DeviceModel
from harness.proof.decided.events import Fence
from harness.proof.emulator.foreign import record_foreign
from harness.proof.emulator.image import ElfImage, read_image
from harness.proof.recorded.recording import Coverage, Recording, record

POINTS: Mapping[str, str] = {"A": "A publish", "B": "B poll", "C": "C kick check", "D": "D re-arm", "E": "E notify"}


@dataclass(frozen=True)
class Proof:
    """What was found of one kernel."""

    arch: str
    label: str
    sha256: str
    answers: tuple[Answer, ...]
    coverage: Coverage
    recordings: tuple[Recording, ...]
    fences: Mapping[str, frozenset[int]]
    """Addresses of the fence instructions at each ordering point, where the kernel marks them."""
    executed: Mapping[int, tuple[str, Fence]]
    """All fences that were executed, by address: in words, and what each orders."""

    @property
    def pairs(self) -> int:
        """Pairs of accesses that were asked about."""
        return sum(one.pairs for one in self.answers)

    @property
    def refuted(self) -> tuple[str, ...]:
        """Questions whose outcome can happen."""
        return tuple(one.question for one in self.answers if one.cycles)


def prove(path: Path, label: str, sha256: str, device: DeviceModel, *, load_at: str = "", typed: str = "") -> Proof:
    """Answer every question for the kernel in a file.

    Parameters
    ----------
    load_at
        For an image that is not an ELF file: architecture and address.
    typed
        What is typed at the console of an image that is not this project's kernel.

    Raises
    ------
    TraceError
        When the kernel cannot be run in the emulator.
    ToolError
        When Unicorn, Capstone or libfdt is missing.
    """
    try:
        image = read_image(path, load_at)
        recordings, coverage = record(image) if image.ours else record_foreign(image, typed)
    except ImportError as error:
        raise ToolError(
            f"proof needs {error.name}: install python3-unicorn, python3-capstone and python3-libfdt, or run "
            "'make setup proof'"
        ) from error
    found = answers(recordings, device)
    executed = {a.pc: (a.text, a.fence) for one in recordings for a in one.accesses if a.fence is not None}
    return Proof(image.arch, label, sha256, found, coverage, recordings, _fences(image, executed), executed)


def _fences(image: ElfImage, executed: Iterable[int]) -> dict[str, frozenset[int]]:
    """Fences by ordering point; empty for a kernel that leaves no marks."""
    found: dict[str, set[int]] = {letter: set() for letter in POINTS if image.marks}
    for position, mark in enumerate(image.marks):
        if mark.phase % 2:
            continue
        end = next(
            (m.address for m in image.marks[position:] if m.letter == mark.letter and m.phase == mark.phase + 1), None
        )
        if end is not None:
            found[mark.letter] |= {pc for pc in executed if mark.address <= pc < end}
    return {letter: frozenset(addresses) for letter, addresses in found.items()}
