"""The driver's manners: each rule trips on the kernel that has the habit, and on none without it."""

from __future__ import annotations

import functools
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.device.gpu_rings import QueuePlace, queue_place, read_ring
from harness.core.device.trace import CURSOR_UPDATE, parse_trace
from harness.explain.manners.facts import CpuTime, DriverFacts
from harness.explain.manners.manner import DriverManner
from harness.explain.manners.observe import NOTED_AT_ONCE, noting_at_once, reads_meanwhile
from harness.explain.manners.rules import RULES, manner_lines, manners_of
from harness.explain.manners.wait_kind import wait_kind
from harness.explain.manners.waits import device_s, idle_gaps, lottery, timer_tick_ms
from harness.model.spec import Machine
from harness.tests.guestfacts import CLEAN, PLANTED, recorded, watched


@functools.cache
def facts_of() -> dict[str, DriverFacts]:
    return recorded()


def tripped(facts: DriverFacts) -> dict[str, DriverManner]:
    return {one.rule: one for one in manners_of(facts) if one.tripped}


@pytest.mark.parametrize("name", list(PLANTED))
@pytest.mark.slow
def test_a_recorded_habit_is_named_with_figures_and_advice(name: str) -> None:
    found = tripped(facts_of()[name])
    assert PLANTED[name] in found, manner_lines(manners_of(facts_of()[name]))
    one = found[PLANTED[name]]
    assert any(letter.isdigit() for letter in one.figures) and one.advice.count(". ") <= 2


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.slow
def test_a_clean_recording_has_no_advice(name: str) -> None:
    assert not tripped(facts_of()[name]), manner_lines(manners_of(facts_of()[name]))


def test_no_habit_trips_a_rule_that_is_not_about_it() -> None:
    """Some habits come together: who takes a step at a time has more round trips."""
    also = {"round trips", "polling", "idle gaps"}
    for name, rule in PLANTED.items():
        assert set(tripped(facts_of()[name])) <= {rule, *also}, name


@pytest.mark.parametrize(
    ("gpu", "at_once"),
    [("virtio-gpu-device", True), ("virtio-gpu-device,xres=800", True), ("virtio-gpu-pci", False), ("", False)],
)
def test_notifications_are_noted_when_they_are_written(gpu: str, at_once: bool) -> None:
    """QEMU 10 notes those of virtio-mmio when it takes them up, and three habits were not seen."""
    machine = noting_at_once(Machine("riscv64", gpu=gpu, extra=("-global", "virtio-mmio.ioeventfd=on")))
    assert machine.extra == (*(NOTED_AT_ONCE if at_once else ()), "-global", "virtio-mmio.ioeventfd=on")


def test_every_rule_has_a_kernel_that_trips_it() -> None:
    """Launches of one image are looked at apart: ``TRIPS`` of guestlaunches is their kernel."""
    rules = {rule(facts_of()["clean"]).rule for rule in RULES}
    assert rules == {*PLANTED.values(), lottery(facts_of()["clean"]).rule}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clean", "polls"),
        ("flip", "polls"),
        ("asks", "polls"),
        ("mmio_spin", "polls a register"),
        ("delay", "fixed delay"),
        ("gives_up", "gives up"),
        ("reuse", "does not wait"),
        ("tick", "sleeps"),
    ],
)
def test_the_kind_of_wait_is_told(name: str, kind: str) -> None:
    wait = wait_kind(facts_of()[name])
    assert wait.kind == kind and wait.busy is not None
    assert (wait.busy > 0.9) is (kind not in ("does not wait", "sleeps"))


def test_a_driver_that_rests_until_the_interrupt_is_told_from_one_that_polls() -> None:
    facts = facts_of()["tick"]
    asking = tuple(replace(sample, interrupts=True) for sample in facts.samples)
    assert wait_kind(replace(facts, samples=asking)).kind == "interrupt"
    never = replace(facts, samples=asking, cpu=CpuTime(1.5, 1.5, 0.0))
    assert wait_kind(never).kind == "polls", "it asks for interrupts, and looks all the same"
    works_s = device_s(facts)
    paused = replace(facts, cpu=CpuTime(1.5, 1.5 - works_s, 0.0))
    assert wait_kind(paused).kind == "polls" and wait_kind(paused).busy == pytest.approx(0, abs=0.01)
    nothing = DriverFacts(parse_trace(b""))
    assert wait_kind(replace(facts, cpu=None)).kind == "" and "not seen" in wait_kind(nothing).words


def test_only_reads_while_the_device_works_are_a_poll() -> None:
    read = (
        b"3@1.2:memory_region_ops_read cpu 0 mr 0x5 addr 0xe016 value 0x0 size 2 name 'virtio-pci-common-virtio-gpu'\n"
    )
    other = read.replace(b"virtio", b"serial")
    asked, answered = b"3@1.2:virtio_queue_notify vdev 0x5 n 0 vq 0x7\n", b"2@1.2:virtqueue_flush vq 0x7 count 1\n"
    frame = read * 2 + asked + other + answered
    assert reads_meanwhile(frame * 3) == 0
    assert reads_meanwhile(frame.replace(other, read * 5) * 3) == 15
    of_another = answered.replace(b"0x7", b"0x9")
    assert reads_meanwhile(asked + of_another + read + answered + read) == 1
    assert reads_meanwhile(frame + asked.replace(b"n 0", b"n 1") + read) == 0
    assert reads_meanwhile(read * 2 + answered + read) == 2, "the log begins in the middle of a wait"
    assert reads_meanwhile(read * 2) == 2 and reads_meanwhile(read * 2 + asked) == 0


@pytest.mark.qemu
@pytest.mark.parametrize("name", list(PLANTED))
def test_a_habit_is_named_while_it_runs(name: str, tmp_path: Path) -> None:
    facts = watched(name, tmp_path).facts
    assert PLANTED[name] in tripped(facts), manner_lines(manners_of(facts))


@pytest.mark.qemu
@pytest.mark.parametrize("arch", ["riscv64", "aarch64", "x86_64"])
def test_a_clean_one_has_no_advice_while_it_runs(arch: str, tmp_path: Path) -> None:
    facts = watched("clean_drawn", tmp_path, arch, 1.0).facts
    assert facts.control and facts.cpu is not None
    assert not tripped(facts), manner_lines(manners_of(facts))


def test_every_rule_says_what_it_lacks_and_gives_no_advice_then() -> None:
    nothing = DriverFacts(parse_trace(b""))
    for rule in RULES:
        one = rule(nothing)
        assert not one.tripped and (not one.looked or "none" in one.figures or "no " in one.figures), one


def test_launches_in_groups_are_named() -> None:
    facts = replace(facts_of()["clean"], launch_ms=(10.0, 10.1, 10.0, 10.05, 12.5, 12.4, 12.5, 12.6, 10.1, 12.5))
    assert "2 kinds" in lottery(facts).advice
    alike = replace(facts, launch_ms=tuple(10 + at / 100 for at in range(10)))
    assert lottery(alike).looked and not lottery(alike).tripped


def test_a_tick_is_told_from_a_steady_rate() -> None:
    rng = np.random.default_rng(1)
    ticks = np.cumsum(rng.integers(1, 3, 200)) * 10_000_000
    late = ticks + rng.exponential(600_000, 200).astype(np.int64)
    assert timer_tick_ms(late) == 10.0
    assert timer_tick_ms(np.cumsum(rng.normal(9.9e6, 3e5, 200)).astype(np.int64)) == 0.0
    assert timer_tick_ms(np.arange(200) * 9_950_000) == 0.0
    assert timer_tick_ms(ticks[:10]) == 0.0


def test_a_declared_pace_is_no_idle_gap() -> None:
    facts = facts_of()["tick"]
    assert idle_gaps(facts).tripped and not idle_gaps(replace(facts, pace=100)).tripped


def test_a_cpu_that_waited_for_the_host_did_not_rest() -> None:
    facts = replace(facts_of()["clean"], cpu=CpuTime(1.0, 0.4, 0.6))
    assert not idle_gaps(facts).tripped
    assert idle_gaps(replace(facts, cpu=CpuTime(1.0, 0.4, 0.0))).tripped


def test_cursor_events_are_read_with_their_word() -> None:
    log = b"".join(
        b"1@1.00000%d:virtio_gpu_update_cursor scanout 0, x %d, y 4, %s, res 0x7\n" % (at, at, word)
        for at, word in enumerate([b"update", b"move", b"move"])
    )
    events = parse_trace(log).of(CURSOR_UPDATE)
    assert events.args["move"].tolist() == [0, 1, 1] and events.args["res"].tolist() == [7, 7, 7]


class Memory:
    """Guest memory of a test."""

    def __init__(self) -> None:
        self.content = bytearray(1 << 16)

    def put(self, at: int, layout: str, *values: int) -> None:
        struct.pack_into(layout, self.content, at, *values)

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.content[address : address + length])


def a_queue() -> tuple[Memory, QueuePlace]:
    """Two commands at heads 0 and 2 of a queue of four; the first was refused, the second is open."""
    memory = Memory()
    memory.put(0x000, "<QIHH", 0x1000, 56, 1, 1)
    memory.put(0x010, "<QIHH", 0x1100, 24, 2, 0)
    memory.put(0x020, "<QIHH", 0x1200, 48, 1, 3)
    memory.put(0x030, "<QIHH", 0x1300, 24, 2, 0)
    memory.put(0x1000, "<14I", 0x105, *[0] * 5, 1, 2, 30, 40, 0, 0, 9, 0)
    memory.put(0x1100, "<I", 0x1203)
    memory.put(0x1200, "<12I", 0x104, *[0] * 5, 0, 0, 640, 480, 9, 0)
    memory.put(0x100, "<6H", 1, 2, 0, 2, 0, 0)
    memory.put(0x200, "<2H", 0, 1)
    return memory, QueuePlace(0, 4, 0x0, 0x100, 0x200)


def test_a_ring_is_read_from_memory() -> None:
    memory, place = a_queue()
    sample = read_ring(place, memory.read)
    assert sample.waiting == (2,) and not sample.interrupts
    transfer, flush = sample.commands
    assert (transfer.type, transfer.rectangle, transfer.resource, transfer.refused) == (0x105, (1, 2, 30, 40), 9, True)
    assert (flush.type, flush.rectangle, flush.answer) == (0x104, (0, 0, 640, 480), 0)


def test_a_ring_of_nonsense_is_read_without_harm() -> None:
    memory, place = a_queue()
    rng = np.random.default_rng(3)
    for _ in range(200):
        memory.content[: 1 << 12] = rng.bytes(1 << 12)
        sample = read_ring(place, memory.read)
        assert len(sample.waiting) <= place.entries and len(sample.commands) <= place.entries
    assert read_ring(place, lambda address, length: b"").commands


def test_a_chain_that_never_ends_is_cut() -> None:
    memory, place = a_queue()
    memory.put(0x010, "<QIHH", 0x1100, 24, 3, 0)
    assert read_ring(place, memory.read).commands[0].type == 0x105


def test_a_queue_that_is_not_set_up_has_no_place() -> None:
    assert queue_place(0, {"vring-num": 16, "vring-desc": 0, "vring-avail": 0, "vring-used": 0}) is None
    assert queue_place(0, {}) is None
    assert queue_place(1, {"vring-num": 4, "vring-desc": 1, "vring-avail": 2, "vring-used": 3}) == QueuePlace(
        1, 4, 1, 2, 3
    )
