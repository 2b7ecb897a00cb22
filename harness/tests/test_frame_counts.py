"""Counts of a frame's parts: from the plugin's account, and of real kernels with work planted in one part."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.counts.costs import grown
from harness.core.counts.frame_counts import SETTLED, part_labels, parts_of
from harness.gate.measuring import exact
from harness.gate.measuring.exact import count_everything
from harness.model.errors import BuildError, QemuError
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.count_plugin import addresses_of

SMALL = RunParams(mode=(320, 240))
DRAWN = "clock draw clock present clock clock "
WAITED = "clock wait clock clock "
BATCHED = (DRAWN + WAITED * 2 + "log").split()
SPLIT = (DRAWN + WAITED + "clock clock " + WAITED).split()


def test_parts_follow_from_how_events_follow_each_other() -> None:
    labels = part_labels([*BATCHED, "clock", "draw"])
    begins, waits = ["draw", "draw", *["submit"] * 4], ["poll", "poll", "complete"]
    assert labels == [*begins, *waits, "complete", *waits, "rest", "log", "draw", "draw"]
    labels = part_labels([*SPLIT, "clock", "draw"])
    assert labels == [*begins, *waits, *["submit"] * 3, *waits, "rest", "draw", "draw"]


def account(frames: int) -> tuple[str, bytes]:
    """Account and log of frames in which every stretch runs block 1 twice and block 2 once."""
    log = [b"block 1\n call lookup_tb_ptr,$0x6\n call plugin(0x7f)\nblock 2\n call outb,env\n"]
    lines = ["b 1 10", "b 2 3"]
    for number, event in enumerate([*BATCHED * frames, "clock", "draw"]):
        log.append(b"1@2.000003:virtio_queue_notify vdev 0x1 n 0\n" if event == "wait" else b"")
        log.append(f"event {event}\n".encode())
        lines += [f"e {event} {number * 5} {number * 40} {number}", "r 1 2", "r 2 1"]
    return "\n".join(lines) + "\nend 2\n", b"".join(log)


def test_counts_are_means_over_whole_frames() -> None:
    parts, frames = parts_of(*account(5))
    assert frames == 3
    draw, poll, log = parts["draw"], parts["poll"], parts["log"]
    # Two stretches of a frame are drawing, four polling, one the log's.
    assert (draw.instructions, draw.blocks, draw.accesses, draw.bytes) == (46, 6, 10, 80)
    assert (draw.helpers, draw.exits, draw.notifications) == (6, 4, 0)
    # A notification belongs to the stretch in which it is sent: here that of the clock read before a wait.
    assert (poll.instructions, poll.notifications, log.instructions) == (92, 2, 23)


@pytest.mark.parametrize(
    ("text", "log", "why"),
    [
        ("", b"", "0 whole frames"),
        (*account(1), "0 whole frames"),
        (account(5)[0].replace("b 2 3\n", ""), account(5)[1], "not translated"),
        (account(5)[0], b"", "damaged"),
        (account(5)[0].replace("e draw 5 40 1", "e draw 5"), account(5)[1], "damaged"),
        ("b 1 x\n", b"", "invalid literal"),
    ],
)
def test_damaged_accounts(text: str, log: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parts_of(text, log)


def test_without_a_compiler_or_plugins_instructions_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler() -> Path:
        raise BuildError("no gcc")

    seen: list[object] = []

    def plain(arms: object, folder: object, counting: object) -> exact.Exact:
        seen.append(counting)
        return exact.Exact({}, {})

    monkeypatch.setattr(exact, "_count", plain)
    monkeypatch.setattr(exact, "build_plugin", no_compiler)
    assert count_everything({}, Path("/x")).problem == "no gcc" and seen == [{}]

    def refuses(arms: object, folder: object, counting: object) -> exact.Exact:
        if counting:
            raise QemuError("QEMU did not start (status 1): plugin interface version 1 is too old")
        return exact.Exact({}, {})

    monkeypatch.setattr(exact, "build_plugin", lambda: Path("p.so"))
    monkeypatch.setattr(exact, "_marks", lambda spec: {"clock arch_instructions": 1})
    monkeypatch.setattr(exact, "_count", refuses)
    spec = RunSpec(Path("k.elf"))
    assert "does not take the plugin" in count_everything({"candidate": spec}, Path("/x")).problem
    monkeypatch.setattr(exact, "_count", lambda *_: (_ for _ in ()).throw(QemuError("QEMU is missing")))
    with pytest.raises(QemuError, match="missing"):
        count_everything({"candidate": spec}, Path("/x"))


def test_an_image_without_symbols_has_no_marks() -> None:
    assert addresses_of(b"no elf", ["gpu_present"]) == {}


@pytest.mark.xdist_group("functions")
@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.slow
def test_the_same_kernel_counts_the_same_every_time(arch: str, tmp_path: Path) -> None:
    spec = RunSpec(build_kernel(Switches(arch)).path, Machine(arch, vcpus=1, maxcpus=2), SMALL)
    found = count_everything({"candidate": spec, "reference": spec}, tmp_path)
    assert not found.problem
    ours, theirs = (found.parts[role].parts for role in ("candidate", "reference"))
    assert {part: ours[part] for part in SETTLED} == {part: theirs[part] for part in SETTLED}
    assert ours["submit"].notifications == 1 and ours["submit"].exits == 1
    assert found.parts["candidate"].transferred_bytes == 320 * 240 * 4
    # The guest's own account, which is cut a few instructions elsewhere.
    told = found.counts["candidate"]
    drawn = sum(told.parts["draw_insns"]) / len(told.frames)
    assert ours["draw"].instructions == pytest.approx(drawn, rel=0.002)
    assert ours["draw"].accesses > 10_000 and ours["draw"].blocks > 1_000 and ours["draw"].bytes > 300_000
    assert not list(tmp_path.rglob("blocks.txt")) and not list(tmp_path.rglob("trace.log"))


@pytest.mark.xdist_group("functions")
@pytest.mark.slow
def test_a_fifth_more_submitting_shows_although_no_clock_could(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(Path("kernel"), tree / "kernel")
    source = tree / "kernel" / "drivers" / "virtio" / "gpu.c"
    text = source.read_text(encoding="utf-8")
    where = "\tgpu->timing = (struct gpu_timing){0};\n"
    assert where in text
    planted = where + "\tfor (volatile uint32_t i = 0; i < 40; i++)\n\t\t;\n"
    source.write_text(text.replace(where, planted, 1), encoding="utf-8")
    machine = Machine(vcpus=1, maxcpus=2)
    arms = {
        "reference": RunSpec(build_kernel(Switches()).path, machine, SMALL),
        "candidate": RunSpec(build_kernel(Switches(), tree=tree).path, machine, SMALL),
    }
    found = count_everything(arms, tmp_path / "exact")
    pair = (found.parts["candidate"], found.parts["reference"])
    (worst, *_) = grown(*pair, "submit", 0.05)
    assert worst.own > 0.15 and not worst.moved
    assert all(grown(*pair, part, 0.05) == [] for part in SETTLED if part != "submit")
    share = found.counts["candidate"].mean / found.counts["reference"].mean - 1
    assert share < 0.005
