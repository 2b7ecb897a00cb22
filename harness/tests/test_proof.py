"""Proofs of real kernels: the approved ones, and strategies that are known to be wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands import proof as command
from harness.model.spec import ROOT, Verdict
from harness.proof.decided.checker import find_execution
from harness.proof.decided.decide import answers, keeps_order, program_of
from harness.proof.decided.devices import DEVICES, DevicePair, device_thread
from harness.proof.decided.events import Event, EventKind, Fence, Thread
from harness.proof.decided.questions import QUESTIONS
from harness.proof.decided.ring_accesses import RingAccesses
from harness.proof.decided.weakest import broken, with_fence
from harness.proof.drawing import draw_cycle
from harness.proof.matrix import KernelToProve, decide_all
from harness.proof.recorded.recording import Recording
from harness.settings import Arguments
from harness.tests.printer import RecordingPrinter
from harness.tests.proofs import IN_ONE_PROCESS, proved

pytest.importorskip("unicorn")

pytestmark = IN_ONE_PROCESS

POLL = {"poll-element", "poll-response"}
PUBLISH = {"publish", "response-clear"}
KNOWN = {
    ("x86_64", "acquire_progress"): set(),
    ("x86_64", "late_publish"): set(),
    ("x86_64", "no_kick_fence"): {"kick-check"},
    ("aarch64", "acquire_progress"): set(),
    ("aarch64", "seqcst_spin"): PUBLISH | POLL,
    ("aarch64", "acquire_spin"): POLL,
    ("aarch64", "volatile_only"): PUBLISH | POLL | {"kick-check"},
    ("riscv64", "linux"): set(),
    ("riscv64", "late_publish"): PUBLISH,
    ("riscv64", "acquire_load"): set(),
}
"""What herd7 7.58 says of the same questions, drawn by hand."""


@pytest.mark.parametrize(("arch", "strategy"), KNOWN)
@pytest.mark.slow
def test_strategies_are_refuted_where_they_are_wrong(arch: str, strategy: str) -> None:
    found = proved(arch, strategy)
    assert set(found.refuted) == KNOWN[arch, strategy]
    asked = {one.question for one in found.answers if one.pairs}
    assert asked >= {"publish", "response-clear", "response-reuse", "poll-element", "poll-response", "kick-check"}
    assert asked >= {"buffer-reuse", "framebuffer-reuse", "element-reuse", "notify", "initialisation", "start"}


@pytest.mark.slow
def test_a_counter_repairs_a_strategy() -> None:
    assert proved("x86_64", "no_kick_fence").refuted == ("kick-check",)
    assert not proved("x86_64", "no_kick_fence", COUNTERS="atomic").refuted


@pytest.mark.parametrize("event_idx", ("off", "on"))
@pytest.mark.slow
def test_an_interrupt_is_asked_for_in_order(event_idx: str) -> None:
    found = proved("aarch64", "acquire_progress", COMPLETION="irq", EVENT_IDX=event_idx)
    assert not found.refuted
    assert next(one for one in found.answers if one.question == "re-arm").pairs > 0


@pytest.mark.slow
def test_the_cursor_s_queue_is_asked_about_too() -> None:
    found = proved("aarch64", "acquire_progress", CURSOR="hw")
    control, cursor, disk = found.recordings[0].rings
    assert len(cursor.chains) > cursor.size and all(len(chain.buffers) == 1 for chain in cursor.chains)
    assert control.pictures and not cursor.pictures and disk.device != cursor.device and not found.refuted
    assert next(one for one in found.answers if one.question == "kick-check").pairs > len(cursor.chains)


@pytest.mark.parametrize(("event_idx", "says"), [("off", "notification flags"), ("on", "avail_event")])
@pytest.mark.slow
def test_a_kick_is_lost_by_flags_and_by_event_index(event_idx: str, says: str) -> None:
    found = proved("x86_64", "no_kick_fence", EVENT_IDX=event_idx)
    (cycle,) = next(one for one in found.answers if one.question == "kick-check").cycles
    assert cycle.what == says
    assert cycle.first.startswith("W available index, virtqueue_publish+")
    assert cycle.second.startswith(f"R {says}, virtqueue_kick+")


@pytest.mark.parametrize(("event_idx", "says"), [("off", "interrupt flags"), ("on", "used_event")])
@pytest.mark.slow
def test_an_interrupt_is_lost_by_flags_and_by_event_index(event_idx: str, says: str) -> None:
    """Without the fence at D: x86 lets the look overtake the store that asks for the interrupt."""
    found = proved("x86_64", "acquire_progress", COMPLETION="irq", EVENT_IDX=event_idx)
    bare = tuple(with_fence(one, found.fences["D"], None) for one in found.recordings)
    rearm = next(one for one in answers(bare, DEVICES["qemu"]) if one.question == "re-arm")
    assert {cycle.what for cycle in rearm.cycles} == {says}


@pytest.mark.slow
def test_a_queue_is_enabled_before_its_device_is_started() -> None:
    """Registers of one device keep their order by themselves; those of two do not, and memory does not."""
    start = next(one for one in proved("aarch64", "acquire_progress").answers if one.question == "start")
    assert start.word == "forbidden" and start.pairs > 0
    first = Event(0, EventKind.WRITE, "queue_enable", 1, device=True, region=0)
    second = Event(1, EventKind.WRITE, "status", 1, device=True, region=0)
    for arch in ("x86_64", "aarch64", "riscv64"):
        assert keeps_order(arch, (first, second), 0, 1)
    for arch in ("aarch64", "riscv64"):
        assert not keeps_order(arch, (first, replace(second, region=1)), 0, 1)
        assert not keeps_order(arch, (replace(first, device=False, region=-1), second), 0, 1)


@pytest.mark.parametrize("arch", ("aarch64", "riscv64"))
def test_accesses_of_different_sizes_to_one_place_order_nothing(arch: str) -> None:
    """Two writes of one size to one place keep their order; a part of what was written is another word."""
    whole, again = Event(0, EventKind.WRITE, "1000+8", 1), Event(1, EventKind.WRITE, "1000+8", 2)
    assert keeps_order(arch, (whole, again), 0, 1)
    assert not keeps_order(arch, (whole, replace(again, location="1000+4")), 0, 1)


def test_a_program_that_is_counted_out_keeps_what_order_leads_through() -> None:
    """One of many reads that branches depended on stands behind the fence and carries the order."""
    branched = frozenset(range(1, 11))
    thread = (
        Event(0, EventKind.READ, "used"),
        *(Event(number, EventKind.READ, f"stack {number}") for number in sorted(branched)),
        Event(11, EventKind.FENCE, fence=Fence("ir", "ir")),
        Event(12, EventKind.READ, "ring"),
        Event(13, EventKind.WRITE, "avail", 1, address=frozenset({12}), control=branched | {12}),
    )
    question = next(one for one in QUESTIONS if one.name == "element-reuse")
    assert keeps_order("riscv64", thread, 0, 13)
    assert find_execution(program_of("riscv64", question, thread, 0, 13)) is None
    bare = (*thread[:13], replace(thread[13], address=frozenset(), control=branched))
    assert not keeps_order("riscv64", bare, 0, 13)
    assert find_execution(program_of("riscv64", question, bare, 0, 13)) is not None


@pytest.mark.slow
def test_kernels_are_decided_beside_each_other_and_those_that_fail_say_why(tmp_path: Path) -> None:
    (tmp_path / "no.elf").write_bytes(b"no kernel")
    path = ROOT / "baselines" / "x86_64" / "acquire_progress" / "kernel.elf"
    right = [KernelToProve(f"x86_64 {number}", path, str(number), "qemu") for number in range(4)]
    found = list(decide_all([*right, KernelToProve("no", tmp_path / "no.elf", "", "qemu")]))
    assert [one.kernel.label for one in found] == ["x86_64 0", "x86_64 1", "x86_64 2", "x86_64 3", "no"]
    assert all(one.proof and not one.proof.refuted and one.proof.pairs > 1000 for one in found[:4])
    assert found[4].proof is None and "not an ELF" in found[4].why_not


@pytest.mark.parametrize("arch", ("aarch64", "riscv64"))
@pytest.mark.slow
def test_each_fence_of_the_driver_is_needed(arch: str) -> None:
    """Taking one fence away at a time lets some question's outcome happen."""
    found = proved(arch, "acquire_progress")
    for point, places in found.fences.items():
        if not places or point == "E":  # the kick check's fence orders the notification as well
            continue
        bare = tuple(with_fence(one, places, None) for one in found.recordings)
        assert broken(answers(bare, DEVICES["qemu"])), point


@pytest.mark.slow
def test_the_notification_needs_its_own_fence_without_that_of_the_kick_check() -> None:
    found = proved("riscv64", "no_kick_fence")
    bare = tuple(with_fence(one, found.fences["E"], None) for one in found.recordings)
    assert "notify" in broken(answers(bare, DEVICES["qemu"])) - set(found.refuted)


@pytest.mark.slow
def test_branches_carry_order_where_no_fence_does() -> None:
    """A write-only fence at A leaves the reuse of a response to the branch on its type."""
    found = proved("riscv64", "linux")
    loose = tuple(_without_branches(one) for one in found.recordings)
    assert {"response-reuse"} <= broken(answers(loose, DEVICES["qemu"]))


def _without_branches(recording: Recording) -> Recording:
    return replace(recording, branch_sources={})


@pytest.mark.slow
def test_a_device_of_its_own_needs_barriers_that_reach_it() -> None:
    found = proved("aarch64", "acquire_progress")
    assert PUBLISH <= broken(answers(found.recordings, DEVICES["hardware"]))


@pytest.mark.parametrize("arch", ("x86_64", "aarch64", "riscv64"))
def test_each_device_states_what_it_keeps_and_where_that_is_written(arch: str) -> None:
    kept = {
        name: {
            pair for pair in DevicePair if keeps_order(arch, *_ends(device_thread(arch, pair, model.order(pair))[0]))
        }
        for name, model in DEVICES.items()
    }
    assert all(source for model in DEVICES.values() for _, source in model.keeps.values())
    assert kept["qemu"] == kept["qemu-8.2"] == kept["hardware"] == set(DevicePair)
    lost = {DevicePair.WRITE_READ} if arch == "x86_64" else {DevicePair.WRITE_READ, DevicePair.READ_READ}
    assert kept["publisher"] == set(DevicePair) - lost


def _ends(thread: Thread) -> tuple[Thread, int, int]:
    return thread, 0, len(thread) - 1


@pytest.mark.parametrize("arch", ("x86_64", "aarch64"))
@pytest.mark.parametrize(
    ("word", "question"),
    [
        ("descriptor", "buffer-reuse"),
        ("request", "buffer-reuse"),
        ("response", "response-clear"),
        ("picture", "framebuffer-reuse"),
    ],
)
@pytest.mark.slow
def test_a_write_to_what_the_device_has_is_wrong_in_any_order(arch: str, word: str, question: str) -> None:
    """The first look for the completion of a transfer, made a write to something that the device still has."""
    (recording,) = proved(arch, "full_progress").recordings
    ring = recording.rings[0]
    view = RingAccesses(recording, ring)
    chain = next(chain for chain in ring.chains if chain.number in ring.pictures)
    publish, notice = view.published[chain.number], view.noticed[chain.number]
    look = view.between(publish.index, notice.index, ring.used_index, ring.used_index + 2, write=False)[0]
    at = {
        "descriptor": ring.descriptors + 16 * chain.head,
        "request": chain.buffers[0].address,
        "response": chain.buffers[-1].address,
        "picture": ring.pictures[chain.number].address,
    }
    wrong = replace(look, write=True, address=at[word])
    accesses = (*recording.accesses[: look.index], wrong, *recording.accesses[look.index + 1 :])
    found = answers((replace(recording, accesses=accesses),), DEVICES["qemu"])
    assert broken(found) == {question}
    (cycle,) = next(one for one in found if one.question == question).cycles
    assert cycle.in_flight and cycle.first.startswith("W available index") and cycle.second.startswith(f"W {word}")
    assert "no fence helps" in draw_cycle(cycle)


@pytest.mark.slow
def test_on_x86_a_device_without_a_fence_loses_kicks_and_nothing_else() -> None:
    found = answers(proved("x86_64", "acquire_progress").recordings, DEVICES["publisher"])
    blamed = {one.question: {cycle.by_device for cycle in one.cycles} for one in found if one.cycles}
    assert blamed == {"kick-check": {True}}, "TSO keeps every order of the device but a read after a write"


@pytest.mark.slow
def test_a_clearing_that_lands_last_is_asked_with_two_values() -> None:
    found = next(one for one in proved("riscv64", "late_publish").answers if one.question == "response-clear")
    for cycle in found.cycles:
        assert cycle.program.final == {"a": 1} and cycle.program.threads[1][-1].value == 2


@pytest.mark.slow
def test_a_device_that_keeps_no_order_is_blamed_itself() -> None:
    found = answers(proved("aarch64", "acquire_progress").recordings, DEVICES["publisher"])
    publish = next(one for one in found if one.question == "publish")
    assert publish.cycles and all(cycle.by_device for cycle in publish.cycles)


@pytest.mark.slow
def test_one_kernel_is_proved_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printer: RecordingPrinter
) -> None:
    from harness.platform.files import store

    monkeypatch.setattr(store, "RESULTS_DIR", tmp_path)
    monkeypatch.setattr(command, "RunFolder", lambda name: store.RunFolder(name, tmp_path))
    words = {"ARCH": "riscv64", "BARRIER": "late_publish"}
    assert command.main(Arguments("proof", words), printer) is Verdict.GUEST_FAILED
    assert any(line.startswith("For this ELF (") for line in printer.lines)
    (folder,) = (one for one in tmp_path.iterdir() if one.is_dir() and not one.is_symlink())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "late_publish" in page and "<svg" in page
    names = [path.stem for path in (folder / "litmus").iterdir()]
    assert names and all(name.startswith("riscv64_late_publish_") for name in names)
