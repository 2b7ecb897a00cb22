"""Images of other projects: U-Boot's driver, decided without labels or symbols, and what is refused."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model.spec import ROOT
from harness.platform.kernels.build import BUILD_DIR
from harness.proof.decided.decide import answers
from harness.proof.decided.devices import DEVICES
from harness.proof.decided.events import FULL
from harness.proof.decided.weakest import broken
from harness.proof.emulator import machine
from harness.proof.emulator.foreign import record_foreign
from harness.proof.emulator.image import TraceError, parse_place, read_image
from harness.proof.emulator.long_loops import LONG_BLOCKS, LOOP_BYTES, LongLoops
from harness.proof.emulator.model_device import BLK, GPU, NET
from harness.proof.recorded.access import Access
from harness.proof.recorded.recording import Recording
from harness.proof.recorded.shared_accesses import Spans, only_shared
from harness.proof.run import Proof, prove

pytest.importorskip("unicorn")

U_BOOT = {
    "riscv64": Path("/usr/lib/u-boot/qemu-riscv64_smode/uboot.elf"),
    "aarch64": Path("/usr/lib/u-boot/qemu_arm64/uboot.elf"),
    "x86_64": Path("/usr/lib/u-boot/qemu-x86/u-boot.rom"),
}
SEABIOS = Path("/usr/share/seabios/bios-256k.bin")
GUESTS = ROOT / "harness" / "tests" / "guests"
READS = "for i in {}; do virtio read {} $i 1; done"
MEMORY = {"riscv64": "84000000", "aarch64": "44000000", "x86_64": "1000000"}
PLACES = {"x86_64": "x86_64@0xfff00000"}
needs_u_boot = pytest.mark.skipif(not all(path.exists() for path in U_BOOT.values()), reason="u-boot-qemu is missing")


@functools.cache
def u_boot(arch: str) -> Proof:
    typed = "virtio scan; " + READS.format(" ".join(f"{number:x}" for number in range(28)), MEMORY[arch])
    place = PLACES.get(arch, "")
    return prove(U_BOOT[arch], f"U-Boot {arch}", "0" * 64, DEVICES["qemu"], typed=f"\n{typed}\n", load_at=place)


@needs_u_boot
@pytest.mark.xdist_group("u-boot")
@pytest.mark.parametrize("arch", ["riscv64", pytest.param("aarch64", marks=pytest.mark.full)])
@pytest.mark.slow
def test_a_driver_of_others_is_found_and_decided(arch: str) -> None:
    """U-Boot has no fence at all in its ring: what is ordered is so by branches and by its register writes.

    For riscv64 some compilers keep what was read from the used ring on the stack, where a buffer was before. Nothing is
    claimed of dependencies through memory that a device was told of, so there one more question may stay open.
    """
    found = u_boot(arch)
    (recording,) = found.recordings
    (ring,) = recording.rings
    assert ring.device == BLK and len(ring.chains) > 2 * ring.size, "the ring wraps twice"
    assert ring.size == machine.QUEUE_SIZE
    answered = {one.question: one.word for one in found.answers}
    on_the_stack = {"element-reuse"} if arch == "riscv64" else set()
    assert {name for name, word in answered.items() if word == "allowed"} - on_the_stack == {
        "publish",
        "response-clear",
        "response-reuse",
        "poll-element",
        "poll-response",
        "kick-check",
    }
    assert {"element-reuse", "buffer-reuse", "notify", "initialisation"} - on_the_stack <= {
        name for name, word in answered.items() if word == "forbidden"
    }
    assert found.coverage.total is None and "not known" in found.coverage.share


@needs_u_boot
@pytest.mark.slow
def test_on_a_pc_the_same_driver_loses_kicks_and_nothing_else() -> None:
    """U-Boot for x86, from its reset vector: TSO orders everything but the look at the flags."""
    found = u_boot("x86_64")
    (ring,) = found.recordings[0].rings
    assert ring.device == BLK and len(ring.chains) > 2 * ring.size
    assert found.refuted == ("kick-check",)
    (cycle,) = next(one for one in found.answers if one.question == "kick-check").cycles
    assert cycle.first.startswith("W available index") and cycle.second.startswith("R notification flags")


@pytest.mark.full
@needs_u_boot
def test_a_driver_of_another_device_is_found_too() -> None:
    """U-Boot's network card: buffers wait to be filled, and a request is sent."""
    typed = "setenv ipaddr 10.0.2.15; setenv netmask 255.255.255.0; setenv netretry no; ping 10.0.2.2"
    found = prove(U_BOOT["riscv64"], "U-Boot", "0" * 64, DEVICES["qemu"], typed=f"\n{typed}\n")
    received, sent = found.recordings[0].rings
    assert received.device == sent.device == NET and len(received.chains) >= 8 and sent.chains
    assert {"publish", "kick-check", "poll-element"} <= set(found.refuted)


def _fenced(recording: Recording) -> Recording:
    """The recording with a full fence after every access: what a driver with fences would have done."""
    accesses: list[Access] = []
    for access in recording.accesses:
        bare = replace(access, index=len(accesses), address_from=frozenset(), data_from=frozenset())
        accesses += [bare, Access(len(accesses) + 1, access.pc, "fence", fence=FULL)]
    return replace(recording, accesses=tuple(accesses), branch_sources={})


@needs_u_boot
@pytest.mark.xdist_group("u-boot")
@pytest.mark.slow
def test_with_fences_the_same_driver_is_right() -> None:
    assert broken(u_boot("riscv64").answers)
    assert not broken(answers((_fenced(u_boot("riscv64").recordings[0]),), DEVICES["qemu"]))


@pytest.mark.skipif(not SEABIOS.exists(), reason="seabios is missing")
@pytest.mark.slow
def test_firmware_of_a_pc_is_run_from_its_reset_vector() -> None:
    """SeaBIOS reads a disk behind PCI, in code of 16 and of 32 bits. It always notifies: there is no kick check."""
    found = prove(SEABIOS, "SeaBIOS", "0" * 64, DEVICES["qemu"], load_at="x86_64@0xfffc0000")
    (ring,) = found.recordings[0].rings
    assert ring.device == BLK and len(ring.chains) > 2 * ring.size
    answered = {one.question: one.word for one in found.answers}
    assert {name for name, word in answered.items() if word == "not asked"} == {
        "framebuffer-reuse",
        "kick-check",
        "re-arm",
    }
    assert "allowed" not in answered.values()


@functools.cache
def stand_in(name: str, arch: str) -> Proof:
    """The proof of a guest that shares no code with the kernel."""
    subprocess.run(["make", "-s", "-C", str(GUESTS), f"ARCH={arch}", f"GUEST={name}"], check=True)
    path = BUILD_DIR / "guests" / f"{name}-{arch}.elf"
    return prove(path, f"{name} {arch}", "0" * 64, DEVICES["qemu"])


@pytest.mark.parametrize("arch", ("i386", "aarch64", "riscv64"))
@pytest.mark.slow
def test_a_display_s_driver_of_a_small_kernel_is_decided(arch: str) -> None:
    """Weak memory shows that nothing orders the ring before the register that starts it."""
    found = stand_in("clean", arch)
    (ring,) = found.recordings[0].rings
    assert ring.device == GPU and len(ring.chains) > ring.size and ring.pictures
    assert set(found.refuted) == (set() if arch == "i386" else {"initialisation", "start"})
    assert "transport_queue" in str(found.coverage)


@pytest.mark.slow
def test_a_small_kernel_that_publishes_late_is_refuted_where_memory_is_weak() -> None:
    assert set(stand_in("late_publish", "riscv64").refuted) >= {"publish", "response-clear"}


def test_what_a_long_loop_does_is_passed_over_and_forgotten() -> None:
    loops = LongLoops()
    turns = [loops.is_long(0x1000 + 16 * (turn % 4), 16) for turn in range(LONG_BLOCKS + 4)]
    assert turns.index(True) == LONG_BLOCKS + 1 and (loops.start, loops.end) == (0x1000, 0x1040)
    loops.forget()
    assert not loops.is_long(0x1000, 16)


def test_code_that_goes_far_is_no_loop() -> None:
    loops = LongLoops()
    assert not any(loops.is_long(address, 16) for _ in range(LONG_BLOCKS) for address in (0x1000, 0x1000 + LOOP_BYTES))


@needs_u_boot
def test_a_raw_image_needs_its_place(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(U_BOOT["riscv64"].with_name("u-boot.bin").read_bytes())
    assert read_image(raw, "riscv64@0x80200000").entry == 0x80200000
    with pytest.raises(TraceError, match="not an ELF"):
        read_image(raw)
    with pytest.raises(TraceError, match="faults|exception|outside"):
        record_foreign(read_image(raw, "riscv64@0x90000000"), "")


@pytest.mark.parametrize("text", ["", "riscv64", "riscv64@", "mips@0x1000", "riscv64@-1", "riscv64@1e999", "@0"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_place(text)


def _access(index: int, write: bool, address: int, data: frozenset[int] = frozenset()) -> Access:
    return Access(index, 0x1000 + 4 * index, "", write, address, 8, data_from=data)


def test_dependencies_lead_through_private_memory() -> None:
    """A shared read, kept on the stack, loaded again and stored to shared memory: a data dependency."""
    run = [
        _access(0, False, 0x100),
        _access(1, True, 0x900, frozenset({0})),
        _access(2, False, 0x900, frozenset({0})),
        _access(3, True, 0x108, frozenset({2})),
    ]
    kept, branches = only_shared(run, {2: 0}, Spans([(0x100, 0x110)]))
    assert [access.address for access in kept] == [0x100, 0x108]
    assert kept[1].data_from == {0} and branches == {0: 0}


def test_what_the_device_may_have_written_depends_on_nothing_stored() -> None:
    run = [_access(0, False, 0x100), _access(1, True, 0x108, frozenset({0})), _access(2, False, 0x108, frozenset({0}))]
    kept, _ = only_shared(run, {}, Spans([(0x100, 0x110)]))
    assert kept[2].data_from == frozenset()


def test_spans_know_what_they_touch() -> None:
    spans = Spans([(16, 20), (4, 8), (7, 12), (30, 30)])
    assert [at for at in range(40) if spans.touches(at, at + 1)] == [*range(4, 12), *range(16, 20)]
    assert spans.touches(0, 5) and spans.touches(11, 13) and not spans.touches(12, 16)
