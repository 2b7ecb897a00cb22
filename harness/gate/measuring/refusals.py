"""Malformed commands, sent on purpose by the in-kernel suite to the machine's device."""

from __future__ import annotations

from pathlib import Path

from harness.core.guest.refusals import refused_commands
from harness.gate.measuring.suites import boot_suites, read_suites, suite_boot
from harness.model import codec
from harness.model.refusals_record import RefusalsRecord

SUITE = "gpu_refusals"
ANSWERS_FILE = "answers.json"
"""The record by itself: ``docs/refusals/`` keeps one of each QEMU version."""


def measure_refusals(kernel: Path, arch: str, folder: Path) -> RefusalsRecord:
    """Boot the suite once.

    Parameters
    ----------
    kernel
        With the in-kernel suites.

    Raises
    ------
    HarnessError
        When QEMU or the harness itself fails.
    """
    said = boot_suites(suite_boot(arch, SUITE), kernel, folder)
    run = read_suites(SUITE, said.serial_log, said.trouble)
    answers = refused_commands(said.serial_log.decode("utf-8", "replace"))
    record = RefusalsRecord(said.qemu_version, answers, run.complaints)
    (folder / ANSWERS_FILE).write_text(codec.to_json(record), encoding="utf-8")
    return record
