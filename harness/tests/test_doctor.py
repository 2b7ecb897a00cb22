"""``doctor`` on a machine where nothing is installed, and on this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.commands import doctor
from harness.front.words import parse
from harness.model.spec import UsageError, Verdict
from harness.platform.kernels.build import compiler_identity
from harness.platform.machine.pin import PinRights
from harness.tests.printer import RecordingPrinter


def findings(printer: RecordingPrinter) -> dict[str, tuple[str, str]]:
    """Whether a thing works and what was said of it, by its name."""
    (rows,) = printer.tables.values()
    return {what: (works, says) for works, what, says in rows}


def test_a_bare_machine_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter
) -> None:
    compiler_identity.cache_clear()
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.main(parse(["doctor"]), printer) is Verdict.HARNESS_FAILED
    rows = findings(printer)
    packages = {
        "x86_64": "qemu-system-x86",
        "aarch64": "qemu-system-arm",
        "riscv64": "qemu-system-misc",
        "clang": "clang",
        "setpriv": "util-linux",
        "git": "git",
        "make": "make",
        "ld.lld": "lld",
        "chromium": "chromium",
        "gnuplot": "gnuplot-nox",
        "virtual display": "xvfb",
    }
    for what, package in packages.items():
        works, says = rows[what]
        assert not works.startswith("✓") and "install" in says and package in says, (what, says)
    assert rows["x86_64"][0].startswith("✗") and rows["aarch64"][0].startswith("–")
    assert "x86_64, setpriv, git, make, gnuplot" in printer.lines[-2]
    assert printer.lines[-1] == "next: install what is missing: make setup perf"


def test_rights_that_are_missing_are_said_with_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "probe_rights", lambda: PinRights((3,), affinity=False, realtime=False))
    monkeypatch.setattr(doctor, "tells_switches", lambda: False)
    pinning, realtime, switches = doctor._rights()
    assert not switches.works and not switches.needed and "perf_event_paranoid" in switches.says
    assert not pinning.works and not pinning.needed and "machines take turns" in pinning.says
    assert not realtime.works and not realtime.needed and "noisier" in realtime.says


def test_it_takes_no_arguments(printer: RecordingPrinter) -> None:
    with pytest.raises(UsageError, match="no such setting"):
        doctor.main(parse(["doctor", "ARCH=riscv64"]), printer)


@pytest.mark.qemu
def test_this_machine_is_tried_for_real(printer: RecordingPrinter) -> None:
    compiler_identity.cache_clear()
    assert doctor.main(parse(["doctor"]), printer) is Verdict.PASS, printer.tables
    rows = findings(printer)
    assert rows["x86_64"][1].endswith("booted, drew, ended")
    assert rows["gl device in a window"] == ("✓ works", "showed the wheel")
    works, says = rows["drawn by the host"]
    assert works == "✓ works" and says.removeprefix("DRAW=gpu VIRGL=1: ") not in ("", says), says
