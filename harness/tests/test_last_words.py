"""Quotations of a guest that ended early."""

from __future__ import annotations

import pytest

from harness.core.guest.last_words import LENGTH_MOST, last_words
from harness.gate.judging.basis import Basis
from harness.gate.judging.verdict import judge
from harness.gate.measuring.window import Observed, Window, assemble, window_incidents
from harness.model.record import Ending
from harness.model.spec import BUILT_IN
from harness.tests.machine import MachineModel, run_model

GPU = b"virtio-gpu: error response, command 0x101 response 0x1201"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (b"", ""),
        (b"[BOOT] kernel=roulette\n[VIRTIO PERF] fences=2\n[DONE] status=ok\n\n", ""),
        (b"up\n[PANIC] gpu.c:12 bad\nvirtio-gpu: error x\nregisters\n", "[PANIC] gpu.c:12 bad"),
        (b"up\n" + GPU + b"\nroulette: gives up\n", GPU.decode()),
        (GPU + b"\nvirtio-blk: request timeout, sector 5\r\nbye\r\n", "virtio-blk: request timeout, sector 5"),
        (b"virtio-gpu: driver probe succeeded\nno memory for the scene\n \n", "no memory for the scene"),
        (b"[    1.234567] Kernel halted\n[DONE] status=failed\n", "[    1.234567] Kernel halted"),
        (b"\x1b[31mred\x1b[0m and half a li", "red and half a li"),
        ("\u202eevil\x07 ##[error]x ::set-output\n".encode(), r"\x202eevil\x07 # #[error]x : :set-output"),
        (b"\xff\xfe\n", r"\xff\xfe"),
    ],
)
def test_a_panic_comes_before_a_complaint_and_that_before_the_last_line(log: bytes, said: str) -> None:
    assert last_words(log) == said


def test_a_long_line_is_cut() -> None:
    assert last_words(b"y" * 160) == "y" * 160
    said = last_words(b"x" * 5000 + b"\n")
    assert len(said) == LENGTH_MOST == 160 and said.endswith("x…")


def window_of(serial: bytes, ending: Ending = Ending(True, "guest-shutdown")) -> Window:
    observed = Observed(ending, 1_700_000_000 * 10**9, (), "7.2.0", ("qemu",), "")
    return assemble(observed, serial, run_model(MODEL).trace)


MODEL = MachineModel(frames=60)


@pytest.mark.parametrize(
    ("last", "headline"),
    [
        (GPU + b"\n", GPU.decode()),
        (b"[PANIC] gpu.c:12 bad\n", "the guest panicked: gpu.c:12 bad"),
        (b"roulette: no more\n", "the guest did not end with [DONE] status=ok: roulette: no more"),
    ],
)
def test_the_headline_of_an_early_end_holds_the_guests_own_words(last: bytes, headline: str) -> None:
    serial = run_model(MODEL).serial.replace(b"[DONE] status=ok\n", last)
    sentence = judge(Basis(None, incidents=tuple(window_incidents(window_of(serial), BUILT_IN)))).sentence
    assert sentence == f"guest-failed: {headline}"
