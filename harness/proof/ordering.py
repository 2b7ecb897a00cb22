"""What the proof says of a kernel that another command measured: one line, and a failure where the target asks for it.

A proof takes about a second; it is kept by the kernel's hash and the prover's own source, so that a kernel is proved
once.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness.model import codec
from harness.model.errors import ToolError
from harness.model.record import Cause, Incident
from harness.model.spec import Verdict
from harness.platform.files.atomic import write_whole
from harness.platform.files.bounded import read_bounded
from harness.platform.kernels.build import BUILD_DIR
from harness.proof.decided.devices import DEVICES

CACHE = BUILD_DIR / "proofs"
DEVICE = DEVICES["qemu"]
"""Kernels that are measured run on QEMU."""


@dataclass(frozen=True)
class Ordering:
    """The answer for one kernel."""

    sha256: str
    pairs: int = 0
    refuted: tuple[str, ...] = ()
    """Questions whose bad outcome can happen."""
    undecided: str = ""
    """The reason where there is no answer."""

    @property
    def words(self) -> str:
        """One line."""
        if self.undecided:
            return f"ordering: not decided: {self.undecided}"
        asked = f"among {self.pairs:,} pairs of accesses (ELF {self.sha256[:12]}, device: {DEVICE.name})"
        if self.refuted:
            return f"ordering: the driver's accesses can be seen in a wrong order: {', '.join(self.refuted)}; {asked}"
        return f"ordering: right in all {self.pairs:,} pairs of accesses ({self.sha256[:12]}, device {DEVICE.name})"

    @property
    def short(self) -> str:
        """A few words, for a table."""
        if self.undecided:
            return "not decided"
        return f"can fail: {', '.join(self.refuted)}" if self.refuted else "no cycle"

    def incidents(self) -> tuple[Incident, ...]:
        """Where the target asks for an ordering that is right: what is not, or could not be decided."""
        if self.undecided:
            return (Incident(Verdict.INCONCLUSIVE, f"{self.words}; 'make proof' says more", Cause.INSTRUMENT),)
        if self.refuted:
            return (Incident(Verdict.GUEST_FAILED, f"{self.words}; 'make proof KERNEL=…' draws how"),)
        return ()


def ordering_of(path: Path, sha256: str) -> Ordering:
    """The answer for a kernel; whatever keeps it from being proved is a part of the answer."""
    stored = CACHE / f"{sha256}-{_prover()}.json"
    try:
        return codec.from_plain(Ordering, codec.parse(read_bounded(stored).decode()))
    except (OSError, ValueError):
        pass
    # The emulator and the disassembler take a quarter of a second to load, and a stored answer needs neither.
    from harness.proof.emulator.image import TraceError
    from harness.proof.run import prove

    try:
        proof = prove(path, path.name, sha256, DEVICE)
    except (TraceError, ToolError) as error:
        return Ordering(sha256, undecided=str(error))
    found = Ordering(sha256, proof.pairs, proof.refuted)
    CACHE.mkdir(parents=True, exist_ok=True)
    write_whole(stored, codec.to_json(found))
    return found


@functools.cache
def _prover() -> str:
    """A hash of the prover: another one may answer otherwise."""
    content = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        # No bound needed: sources of this tree.
        content.update(path.read_bytes())
    return content.hexdigest()[:16]
