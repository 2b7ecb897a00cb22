"""``suites``: what the guest did wrong, apart from what the host did."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.commands import suites
from harness.front.words import parse
from harness.gate.measuring.suites import SuiteBoot
from harness.model.errors import QemuError
from harness.model.spec import Verdict
from harness.model.suites import SuiteRun
from harness.tests.printer import RecordingPrinter

HOST = "QEMU ended before it began: no memory"


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        ({"all": 0, "icount": 0}, Verdict.PASS, "14 passed, 0 failed"),
        ({"all": 2, "icount": 0}, Verdict.GUEST_FAILED, "14 passed, 2 failed"),
        ({"all": 0}, Verdict.HARNESS_FAILED, f"harness-failed: x86_64 icount: {HOST}"),
        ({"all": 2}, Verdict.GUEST_FAILED, f"not run: x86_64 icount: {HOST}"),
        ({}, Verdict.HARNESS_FAILED, f"harness-failed: x86_64 all: {HOST}"),
    ],
)
def test_what_the_host_does_to_a_boot_is_no_failure_of_the_guest(
    monkeypatch: pytest.MonkeyPatch, found: Mapping[str, int], verdict: Verdict, said: str
) -> None:
    def run(boot: SuiteBoot, kernel: Path, folder: Path) -> SuiteRun:
        if boot.name not in found:
            raise QemuError(HOST)
        return SuiteRun(boot.name, 7, found[boot.name], ())

    monkeypatch.setattr(suites, "build_kernel", lambda *words, **more: SimpleNamespace(path=Path("kernel.elf")))
    monkeypatch.setattr(suites, "run_suites", run)
    printer = RecordingPrinter()
    assert suites.main(parse(["suites", "ARCH=x86_64"]), printer) is verdict
    assert said in printer.lines, printer.lines
