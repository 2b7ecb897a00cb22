"""Decide each strategy's ordering from its machine code."""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.model.errors import StoreError
from harness.model.result import NextStep, Result, ResultError
from harness.model.spec import ARCHES, Switches, UsageError, Verdict, switch_table
from harness.platform.files.store import RESULTS_DIR, RunFolder, load_result
from harness.platform.host.identity import host_facts
from harness.platform.kernels.build import BUILD_DIR, build_kernel, sha256_of, source_state
from harness.proof.decided.devices import DEVICES
from harness.proof.decided.weakest import Minimal, stronger_than_needed
from harness.proof.emulator.image import parse_place
from harness.proof.export import ExportedTest, ask_herd, disagreements, exported_tests, write_tests
from harness.proof.matrix import Decided, KernelToProve, decide_all, decide_apart
from harness.proof.practice import RACE_MS, PracticeFound, litmus7_says, races
from harness.proof.report import StrategyRow, claim, write_page, write_summary
from harness.proof.run import POINTS, Proof
from harness.report.printer import Printer
from harness.report.told import next_lines
from harness.settings import Arguments

ORDER = 145
EXAMPLES = (
    "",
    "ARCH=aarch64 BARRIER=linux",
    "KERNEL=results/latest/candidate.elf",
    "KERNEL=/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf",
)
NEXT = 'make ab A="BARRIER=seqcst_spin" B="BARRIER=linux", for what the strategies cost'
TAKES = ("switches",)
MEASURES = True
WRITES = ("page",)

SAVED_RUNS = 200
"""How many of the newest saved runs are searched for the frame rate of a kernel."""
STRONGEST = {"BARRIER": "full_progress", "COMPLETION": "irq"}
"""Its fences are weakened. One that sleeps has all ordering points: that of asking for an interrupt too."""


def main(arguments: Arguments, out: Printer) -> Verdict:
    """``proof [ARCH=…] [BARRIER=…] [SWITCH=value …] [KERNEL=file] [DEVICE=qemu|publisher|hardware] [HERD=herd7]``."""
    device = DEVICES[arguments.text("DEVICE")]
    started = time.monotonic()
    with RunFolder("proof") as run:
        decided = _decided(arguments, out)
        proofs = [one.proof for one in decided if one.proof is not None and not one.kernel.weakest]
        failed = [f"{one.kernel.label} cannot be proved: {one.why_not}" for one in decided if one.proof is None]
        exported = [test for proof in proofs for test in exported_tests(proof.label, proof.answers)]
        write_tests(run.path / "litmus", exported)
        minimal = {one.proof.arch: one.minimal for one in decided if one.proof and one.minimal}
        problems = [*failed, *_herd(arguments.text("HERD"), exported, run.path / "litmus", out)]
        verdict, sentence = _judge(proofs, problems, device.name)
        result = Result(
            command="proof",
            verdict=verdict,
            sentence=sentence,
            started=run.started,
            seconds=time.monotonic() - started,
            host=host_facts(),
            source=source_state(),
            problems=tuple(problems),
            details={"device": device.name, "kernels": [_details(proof) for proof in proofs]},
            next_steps=_next(verdict, problems),
        )
        rates = _frame_rates({proof.sha256 for proof in proofs})
        rows = [
            StrategyRow(proof, _fence_words(proof), rates.get(proof.sha256), _more(proof, minimal)) for proof in proofs
        ]
        practice = _practice(proofs, exported, run.path / "litmus", out) if len(proofs) > 1 else PracticeFound()
        write_page(run.path / "report.html", result, rows, device, minimal, practice)
        write_summary(run.path, result, rows, arguments.again)
        folder = run.commit(result)
    _say(out, proofs, minimal)
    if len(proofs) == 1:
        out.line(claim(proofs[0], device))
    for problem in problems:
        out.line(problem)
    out.line(sentence)
    for line in next_lines(result):
        out.line(line)
    out.line(f"report: {folder / 'report.html'}")
    return verdict


def _decided(arguments: Arguments, out: Printer) -> list[Decided]:
    """The kernel of a file, or one for each architecture and strategy that was not chosen."""
    path, switches, device = arguments.path("KERNEL"), arguments.switches, arguments.text("DEVICE")
    if path is not None:
        if not path.is_file():
            raise UsageError(f"KERNEL={path}: no such file")
        if not arguments.has("LOAD_AT") and not _is_elf(path):
            raise UsageError(
                f"KERNEL={path}: not an ELF file; another image needs LOAD_AT=riscv64@0x80200000 or the like"
            )
        out.progress(f"proof: {path.name}")
        return [decide_apart(KernelToProve(path.name, path, sha256_of(path), device, *_foreign(arguments)))]
    arches = [switches["ARCH"]] if "ARCH" in switches else list(ARCHES)
    strategies = [switches["BARRIER"]] if "BARRIER" in switches else list(switch_table()["BARRIER"].values)
    several = len(arches) * len(strategies) > 1

    def built() -> Iterator[KernelToProve]:
        for arch in arches:
            for strategy in strategies:
                yield kernel(f"{arch} {strategy}", {**switches, "ARCH": arch, "BARRIER": strategy})
            if several:
                yield kernel(f"{arch} weakest", {**switches, "ARCH": arch, **STRONGEST}, weakest=True)

    def kernel(label: str, values: Mapping[str, str], *, weakest: bool = False) -> KernelToProve:
        chosen = Switches.of(values)
        out.progress(f"building {chosen.label}")
        made = build_kernel(chosen, compiler=arguments.text("CC"))
        return KernelToProve(label, made.path, made.sha256, device, weakest=weakest)

    found = []
    for one in decide_all(built()):
        out.progress(f"proof: {one.kernel.label}")
        found.append(one)
    return found


def _is_elf(path: Path) -> bool:
    # No bound needed: four bytes of a regular file.
    with path.open("rb") as image:
        return bool(path.stat().st_size) and image.read(4) == b"\x7fELF"


def _foreign(arguments: Arguments) -> tuple[str, str]:
    """What the image of another project needs: where it belongs, and what is typed."""
    place, typed = arguments.text("LOAD_AT"), arguments.text("TYPE")
    if place:
        try:
            parse_place(place)
        except ValueError as error:
            raise UsageError(f"LOAD_AT: {error}") from error
    return place, f"\n{typed}\n" if typed else ""


def _judge(proofs: Sequence[Proof], problems: Sequence[str], device: str) -> tuple[Verdict, str]:
    """One kernel passes when nothing bad can happen; a matrix when every kernel was decided."""
    if problems or not proofs:
        return Verdict.INCONCLUSIVE, f"{len(proofs)} kernels decided, {len(problems)} problems"
    pairs = sum(proof.pairs for proof in proofs)
    refuted = [proof for proof in proofs if proof.refuted]
    if len(proofs) == 1:
        (proof,) = proofs
        if refuted:
            return Verdict.GUEST_FAILED, f"{proof.label} can go wrong: {', '.join(proof.refuted)}"
        return Verdict.PASS, f"{proof.label}: no cycle among {pairs:,} pairs (device: {device})"
    return (
        Verdict.PASS,
        f"{len(proofs)} kernels decided, {pairs:,} pairs: {len(proofs) - len(refuted)} cannot go wrong, "
        f"{len(refuted)} can",
    )


def _next(verdict: Verdict, problems: Sequence[str]) -> tuple[NextStep, ...]:
    """What to do about a kernel that can go wrong, or that could not be decided."""
    if verdict is Verdict.GUEST_FAILED:
        return (NextStep("look at the report's cycles: a fence in the place of the broken arrow cuts each of them"),)
    if problems:
        return (NextStep("docs/proof.md says what an image must be; LOAD_AT= and TYPE= help with those of others"),)
    return ()


def _more(proof: Proof, minimal: Mapping[str, Minimal]) -> str:
    """Where a strategy is stronger than needed: ``B poll: fence r,rw would do``; empty for one that is wrong."""
    if proof.refuted or proof.arch not in minimal:
        return ""
    points = {letter: [proof.executed[pc][1] for pc in sorted(places)] for letter, places in proof.fences.items()}
    more = stronger_than_needed(proof.arch, points, minimal[proof.arch].weakest)
    return "; ".join(f"{POINTS[letter]}: {name} would do" for letter, name in more)


def _practice(proofs: Sequence[Proof], tests: Sequence[ExportedTest], folder: Path, out: Printer) -> PracticeFound:
    """Each strategy's ring on this host, where the host's architecture was decided."""
    here = [proof.label.split()[-1] for proof in proofs if proof.arch == platform.machine()]
    if not here:
        return PracticeFound()
    found = races(here, BUILD_DIR / "host-race", out.progress)
    rows = [[one.strategy, one.words] for one in found]
    out.table(f"lost kicks in a million, on this host ({RACE_MS} ms each)", ["strategy", "lost"], rows)
    return PracticeFound(found, litmus7_says(tests, folder))


def _herd(program: str, tests: Sequence[ExportedTest], folder: Path, out: Printer) -> list[str]:
    """Disagreements with herd7, where one was named."""
    if not program or not tests:
        return []
    out.progress(f"proof: herd7 on {len(tests)} tests")
    return disagreements(tests, ask_herd(program, folder, [test.name for test in tests]))


def _fence_words(proof: Proof) -> str:
    """The fences that were executed at each point: ``A publish: dmb ish; …``."""
    return "; ".join(
        f"{POINTS[letter]}: {', '.join(sorted({proof.executed[pc][0] for pc in places})) or 'none'}"
        for letter, places in proof.fences.items()
    )


def _details(proof: Proof) -> dict[str, object]:
    return {
        "label": proof.label,
        "arch": proof.arch,
        "sha256": proof.sha256,
        "coverage": dataclasses.asdict(proof.coverage),
        "answers": [
            {"question": one.question, "answer": one.word, "pairs": one.pairs, "places": one.places}
            for one in proof.answers
        ],
    }


def _frame_rates(wanted: set[str]) -> dict[str, float]:
    """Frames/s of kernels by hash, from the newest saved runs."""
    found: dict[str, float] = {}
    for folder in sorted(RESULTS_DIR.glob("2*"), reverse=True)[:SAVED_RUNS]:
        with contextlib.suppress(StoreError, ResultError):
            for arm in load_result(folder).arms.values():
                if arm.kernel_sha256 in wanted and "fps_trace" in arm.metrics:
                    found.setdefault(arm.kernel_sha256, arm.metrics["fps_trace"].value)
    return found


def _say(out: Printer, proofs: Sequence[Proof], minimal: Mapping[str, Minimal]) -> None:
    rows = [
        [proof.label, "no" if not proof.refuted else f"yes: {', '.join(proof.refuted)}", f"{proof.pairs:,}"]
        for proof in proofs
    ]
    out.table("can it go wrong?", ["kernel", "answer", "pairs"], rows)
    if minimal:
        weak = [
            [arch, POINTS[one.point], " or ".join(one.enough)]
            for arch, found in minimal.items()
            for one in found.weakest
        ]
        out.table("the weakest fences that are right", ["architecture", "point", "fence"], weak)
