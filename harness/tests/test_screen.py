"""The trace against the screen, and what devices complain of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.core.device.trace import parse_trace
from harness.core.guest.complaints import device_complaints
from harness.core.pictures.screen import changes_left_out, screen_problems
from harness.gate.judging.basis import Basis
from harness.gate.judging.verdict import judge
from harness.gate.measuring.window import Observed, Window, assemble, window_incidents, window_notices
from harness.model.record import Ending, Incident
from harness.model.spec import BUILT_IN, FOREIGN, Verdict
from harness.tests.machine import MachineModel, run_model

SCANOUT = rb"(virtio_gpu_cmd_set_scanout id 0, res )0x1(, w 1024, h 768, x 0, y 0)"
FLUSH = rb"virtio_gpu_cmd_res_flush res 0x1, w 1024, h 768"
Change = Callable[[bytes], bytes]
MODEL = MachineModel(frames=60)


def trace_of(change: Change = lambda log: log, model: MachineModel = MODEL) -> bytes:
    return change(run_model(model).trace)


def substitute(pattern: bytes, replacement: bytes, count: int = 0) -> Change:
    return lambda log: re.sub(pattern, replacement, log, count=count)


def every(period: int, pattern: bytes, replacement: bytes) -> Change:
    """Change one match in this many."""
    seen = iter(range(1 << 20))
    return lambda log: re.sub(pattern, lambda match: match[0] if next(seen) % period else replacement, log)


def window_of(trace: bytes, qemu_log: bytes = b"", serial: bytes = b"", clock: str = "") -> Window:
    observed = Observed(Ending(True, "guest-shutdown"), 1_700_000_000 * 10**9, (), "7.2.0", ("qemu",), clock)
    return assemble(observed, serial or run_model(MODEL).serial, trace, qemu_log)


def findings_of(trace: bytes, qemu_log: bytes = b"", clock: str = "") -> list[Incident]:
    return window_incidents(window_of(trace, qemu_log, clock=clock), BUILT_IN)


def headline(findings: list[Incident]) -> str:
    return judge(Basis(None, incidents=tuple(findings))).sentence


@pytest.mark.parametrize("model", [MODEL, replace(MODEL, rectangles=4), replace(MODEL, flush_ns=6_000_000)])
def test_a_sound_run_has_no_problem_on_the_screen(model: MachineModel) -> None:
    assert screen_problems(parse_trace(trace_of(model=model)), whole=True) == ()


def test_a_sound_run_has_no_findings() -> None:
    assert findings_of(trace_of()) == []


def _swap_transfer_and_flush(log: bytes) -> bytes:
    """The texts of each transfer and flush exchanged, their times as they were."""
    transfer, flush = b"virtio_gpu_cmd_res_xfer_toh_2d res 0x1", FLUSH + b", x 0, y 0"
    return log.replace(transfer, b"@@").replace(flush, transfer).replace(b"@@", flush)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            substitute(FLUSH, FLUSH.replace(b"1024", b"768")),
            "no flush ever covers 768,0 to 1023,767, 25 % of the screen",
        ),
        (
            substitute(FLUSH, FLUSH.replace(b"768", b"384")),
            "no flush ever covers 0,384 to 1023,767, 50 % of the screen",
        ),
        (substitute(FLUSH, FLUSH.replace(b"0x1", b"0x2")), "flushes name resource 0x2, which is not on the screen"),
        (every(5, FLUSH, FLUSH.replace(b"0x1", b"0x7")), "16 of 80 flushes name resource 0x7"),
        (substitute(rb"[^\n]*" + SCANOUT + rb"\n", b""), "no scanout was ever set: 80 flushes, none on the screen"),
        (substitute(SCANOUT, rb"\g<1>0x2\2"), "80 of 80 flushes name resource 0x1, which is not on the screen"),
        (substitute(SCANOUT, rb"\g<1>0x0\2"), "the scanout was off during 80 of 80 flushes"),
        (_swap_transfer_and_flush, "each flush comes before the transfer of its frame"),
    ],
)
def test_a_flush_that_does_not_reach_the_screen_is_named(change: Change, says: str) -> None:
    findings = findings_of(trace_of(change))
    assert says in headline(findings), findings
    assert all(finding.verdict is Verdict.GUEST_FAILED for finding in findings)


def test_a_scanout_switched_off_on_the_way_is_named() -> None:
    lines = trace_of().splitlines(keepends=True)
    off = re.sub(rb":.*", b":virtio_gpu_cmd_set_scanout id 0, res 0x0, w 0, h 0, x 0, y 0", lines[500])
    assert "the scanout was off during" in headline(findings_of(b"".join([*lines[:500], off, *lines[501:]])))


def test_a_kernel_with_two_buffers_is_sound() -> None:
    """One that flushes the buffer it is about to show, and one that flushes what it shows already."""
    lines: list[bytes] = []
    for frame in range(40):
        at, res = b"1@17000000%02d.%03d" % (frame // 10, frame % 10 * 100), frame % 2 + 1
        transfer = b"000:virtio_gpu_cmd_res_xfer_toh_2d res 0x%x" % res
        scanout = b"100:virtio_gpu_cmd_set_scanout id 0, res 0x%x, w 64, h 32, x 0, y 0" % res
        flush = b"200:virtio_gpu_cmd_res_flush res 0x%x, w 64, h 32, x 0, y 0" % res
        order = [transfer, flush, scanout] if frame < 20 else [transfer, scanout, flush]
        lines += [at + line for line in order]
    assert screen_problems(parse_trace(b"\n".join([*lines, b""])), whole=True) == ()


def test_a_kernel_that_flushes_what_it_draws_in_is_its_own_judge() -> None:
    trace = trace_of(substitute(FLUSH, FLUSH.replace(b"1024", b"768")))
    assert window_incidents(window_of(trace), FOREIGN) == []


COMPLAINT = b"virtio_gpu_transfer_to_host_2d: transfer bounds outside resource bounds for resource 1: 0 0 1024 900\n"


def test_every_complaint_of_the_device_fails_and_comes_first() -> None:
    trace = trace_of(
        every(
            5, rb"(virtio_gpu_cmd_res_xfer_toh_2d res 0x1\n)", b"virtio_gpu_cmd_res_xfer_toh_2d res 0x1\n" + COMPLAINT
        )
    )
    findings = findings_of(trace.replace(FLUSH, FLUSH.replace(b"1024", b"768")))
    assert "the device refused what the guest asked, 16 times: virtio_gpu_transfer_to_host_2d" in headline(findings)
    assert len(findings) == 2, "the picture's damage is reported too"


@pytest.mark.parametrize(
    "said",
    [
        b"qemu-system-x86_64: Looped descriptor",
        b"2026-11-28T10:56:44.123456Z qemu-system-aarch64: Guest moved used index from 3 to 700",
        b"qemu-system-riscv64: virtio: zero sized buffers are not allowed",
        b"qemu-system-x86_64: virtio-blk missing headers",
        b'vrend_decode_ctx_submit: context error reported 1 "" Illegal command buffer 65535',
    ],
)
def test_what_qemu_says_on_standard_error_counts(said: bytes) -> None:
    findings = findings_of(trace_of(), b"qemu-system-x86_64: warning: host lacks a thing\n" + said + b"\n")
    assert [finding.verdict for finding in findings] == [Verdict.GUEST_FAILED]
    assert said.split(b": ")[-1].decode() in headline(findings)


def test_what_is_no_complaint_about_the_guest_does_not_count() -> None:
    said = b"qemu-system-x86_64: warning: x\nlibEGL warning: y\nqemu-system-x86_64: terminating on signal 15\n"
    early = b"sifive_plic_write: Invalid enable write 0x208c\n"
    assert device_complaints(parse_trace(early + trace_of()), said) == ()
    assert "sifive_plic_write" in device_complaints(parse_trace(trace_of() + early))[0]


def test_a_trace_that_cannot_be_read_is_not_the_guest_s_fault() -> None:
    findings = findings_of(trace_of(substitute(rb"(?m)^\d+@(\d+)\.", rb"[\1] ")))
    assert [finding.verdict for finding in findings] == [Verdict.HARNESS_FAILED]
    assert "format that is not known" in headline(findings)


def test_a_clock_that_was_set_is_not_the_guest_s_fault() -> None:
    slewed = trace_of(model=replace(MODEL, drift=0.02))
    assert findings_of(slewed)[0].verdict is Verdict.GUEST_FAILED, "unless the clock is known to have moved"
    findings = findings_of(slewed, clock="the host clock was set or slewed by +40.0 ms")
    assert [finding.verdict for finding in findings] == [Verdict.INCONCLUSIVE]


def test_a_clock_that_steps_back_in_the_trace_is_not_the_guest_s_fault() -> None:
    lines = trace_of().splitlines(keepends=True)
    late = [re.sub(rb"@(\d+)", lambda match: b"@%d" % (int(match[1]) - 5), line) for line in lines[400:]]
    findings = findings_of(b"".join([*lines[:400], *late]))
    assert [finding.verdict for finding in findings] == [Verdict.INCONCLUSIVE]
    assert "stepped back" in headline(findings)


def _dot(frame: int) -> np.ndarray:  # type: ignore[type-arg]
    """A dot that moves along, on black."""
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[10:14, frame % 60 : frame % 60 + 4] = 200
    return picture


def _flushes(width: int) -> bytes:
    lines = [
        f"1@1700000000.{frame * 1000:06d}:virtio_gpu_cmd_res_flush res 0x1, w {width if frame else 64}, h 32, x 0, y 0"
        for frame in range(50)
    ]
    return "\n".join([*lines, ""]).encode()


def test_a_partial_flush_must_cover_what_changed() -> None:
    assert changes_left_out(parse_trace(_flushes(64)), 0, _dot, (64, 32)) == ()
    assert changes_left_out(parse_trace(_flushes(53)), 0, _dot, (64, 32)) == (), "the dot has not come that far"
    problem = changes_left_out(parse_trace(_flushes(30)), 0, _dot, (64, 32))
    assert re.fullmatch(r"the flush of frame 27 leaves out 4 pixels that changed, within 30,10 to 30,13 .*", problem[0])


@pytest.mark.parametrize(
    ("completion", "late_ms", "named"), [("irq", 45, True), ("irq", 0, False), ("poll", 45, False)]
)
def test_interrupts_that_do_not_arrive_are_named(completion: str, late_ms: int, named: bool) -> None:
    """Extra wait of the guest beyond the device's answer: a tenth of the frame rate says nothing on its own."""
    serial = run_model(MODEL).serial.replace(b"arch=x86_64", b"arch=x86_64 completion=%s" % completion.encode())
    serial = re.sub(rb"wait_ns=(\d+)", lambda match: b"wait_ns=%d" % (int(match[1]) + late_ms * 1_000_000), serial)
    texts = [one.text for one in window_incidents(window_of(trace_of(), serial=serial), BUILT_IN)]
    found = [text for text in texts if "interrupts do not arrive" in text]
    assert bool(found) is named, texts
    if named:
        assert "each frame waits 45 ms longer than the device takes to answer" in found[0]


@pytest.mark.parametrize(
    ("arch", "says"), [("x86_64", []), ("riscv64", ["[BOOT] claims arch=riscv64 on a machine of x86_64"])]
)
def test_a_boot_line_of_another_architecture_is_named(arch: str, says: list[str]) -> None:
    window = window_of(trace_of(), serial=run_model(MODEL).serial.replace(b"arch=x86_64", b"arch=" + arch.encode()))
    window = replace(window, observed=replace(window.observed, command=("/usr/bin/qemu-system-x86_64", "-S")))
    assert [one.text for one in window_incidents(window, BUILT_IN)] == says
    assert window_incidents(window, FOREIGN) == []


@pytest.mark.parametrize(
    ("scene", "says"),
    [("12ab", []), ("34cd", ["[BOOT] claims scene=34cd where the kernel's source has 12ab"]), ("", [])],
)
def test_a_boot_line_of_another_scene_is_named(scene: str, says: list[str]) -> None:
    claim = b"arch=x86_64" + (b" scene=" + scene.encode() if scene else b"")
    window = window_of(trace_of(), serial=run_model(MODEL).serial.replace(b"arch=x86_64", claim))
    assert [one.text for one in window_incidents(window, BUILT_IN, "12ab")] == says
    assert window_incidents(window, BUILT_IN) == [], "of a kernel without source nothing is known"


def test_a_foreign_kernel_that_takes_our_name_is_remarked_on() -> None:
    ours, other = run_model(MODEL).serial, run_model(MODEL).serial.replace(b"kernel=roulette", b"kernel=other")
    assert window_notices(window_of(trace_of(), serial=ours), BUILT_IN, "12ab") == ()
    assert window_notices(window_of(trace_of(), serial=other), FOREIGN, "") == ()
    for capabilities, taken in ((FOREIGN, "nothing in that line is believed"), (BUILT_IN, "its claims are believed")):
        said = window_notices(window_of(trace_of(), serial=ours), capabilities, "")
        assert len(said) == 1 and "calls it roulette" in said[0] and said[0].endswith(taken), said
    assert window_incidents(window_of(trace_of(), serial=ours), FOREIGN) == []
