"""A target's file: every key, every way to get one wrong, and the short forms that amount to one."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.gate.approved.target_kernels import short_form
from harness.model.errors import BuildError
from harness.model.spec import BUILT_IN, ROOT, UsageError
from harness.model.target import FrameBy, Target, capabilities_of, is_built_in
from harness.model.target_file import parse_target, target_toml
from harness.platform.kernels.targets import build_target, elf_arch, find_target, read_target, resolved, target_names

WHOLE = r"""
arch = "aarch64"
image = { kernel = "build/kernel.elf", initrd = "", append = "quiet" }
build = "make -C .."
gpu = "virtio-gpu-device,xres=640"
ready = "wheel starts"
input = [["nsh> $", "fb\n"]]
keys = ["ret", ["menu", "ctrl-alt-f2"]]
memory = "2G"
args = "-global virtio-mmio.force-legacy=false"
limits = { first_frame_s = 60, frame_s = 10, window_s = 5 }
serial = { panic = 'Kernel panic|\[FATAL\]', done = "", perf = 'fences=(?P<fences>\d+)' }
frame = { by = "flush", gap_ms = 8, pace = 60 }
end = 33
pictures = { static = "ok", blank = "no", golden = "golden/", mask = "clock.png", oracle = "./oracle FRAME" }
gates = { fps_floor = 10 }
"""
LEAST = 'image = { kernel = "k.elf" }\n'


def read(text: str, name: str = "mine") -> Target:
    return parse_target(text, name, f"{name}.toml")


def test_every_key_is_read() -> None:
    target = read(WHOLE)
    assert target.image.files == (("kernel", "build/kernel.elf"),) and target.image.append == "quiet"
    assert target.memory_mib == 2048 and target.args == ("-global", "virtio-mmio.force-legacy=false")
    assert target.input == (("nsh> $", "fb\n"),) and target.keys == (("", "ret"), ("menu", "ctrl-alt-f2"))
    assert (target.frame.by, target.frame.gap_ms, target.end) == (FrameBy.FLUSH, 8.0, "33")


def test_what_is_written_is_read_again() -> None:
    for text in (WHOLE, LEAST, 'image = { disk = ["a.img", "b.qcow2"], bios = "none" }'):
        target = read(text)
        assert read(target_toml(target)) == target


def test_one_line_is_enough() -> None:
    target = read(LEAST)
    assert read(LEAST + 'head = 1\ngpu = "virtio-gpu-pci,max_outputs=2"').head == 1
    assert target_toml(target) == LEAST and capabilities_of(target) == replace(
        BUILT_IN, boot_line=False, records=False, stamp=False, oracle=False, command_line=False, done_line=False
    )


def test_the_built_in_kernel_is_what_its_file_declares() -> None:
    target = read_target("builtin")
    assert is_built_in(target) and capabilities_of(target) == BUILT_IN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('gpuu = "x"\n' + LEAST, r"mine.toml:1: gpuu: no such key; did you mean gpu\?"),
        ('arch = "x86_64"\nimage = { kernal = "k" }', r"mine.toml:2: image.kernal: no such key; did you mean kernel\?"),
        ('image = "k.elf"', r"mine.toml:1: image: must be a table"),
        (LEAST + 'arch = "x86-64"', r"mine.toml:2: arch: x86-64: .*did you mean x86_64\?"),
        (LEAST + 'ready = "(wheel"', r"mine.toml:2: ready: .*no regular expression: .*at character 1"),
        (LEAST + "serial = { panic = '[' }", r"mine.toml:2: serial.panic: .*no regular expression"),
        (LEAST + "serial = { perf = 'fences=\\d+' }", r"serial.perf: names no counter"),
        (LEAST + "serial = { perf = '(?P<fence>\\d+)' }", r"fence: no counter; did you mean fences\?"),
        (LEAST + 'frame = { by = "flsh" }', r"frame.by: flsh: did you mean flush\?"),
        (LEAST + 'gpu = "vga"', r"gpu: vga: no virtio-gpu of QEMU"),
        (LEAST + 'end = "reboot"', r"end: reboot: "),
        (LEAST + 'pictures = { static = "maybe" }', r"pictures.static: maybe: "),
        (LEAST + "[limits]\nframe_s = 0", r"mine.toml:3: limits.frame_s: 0 must lie between"),
        (
            LEAST + "head = 1",
            r'mine.toml:2: head: 1: the device has fewer heads.*; gpu = "virtio-gpu-pci,max_outputs=2"',
        ),
        (LEAST + "vcpus = 0", r"vcpus: 0 must lie between 1 and 256"),
        (LEAST + 'memory = "lots"', r"memory: a number of MiB"),
        (LEAST + 'input = [["", "x"]]', r"input.0: an empty prompt"),
        (LEAST + 'input = ["x"]', r"input.0: must be a list"),
        (LEAST + "memory = true", r"memory: a number of MiB"),
        ('image = { append = "quiet" }', r"image: names no file"),
        ('image = { initrd = "i" }', r"image: names no file"),
        ("image = { kernel = 3 }", r"image.kernel: 3 is not text"),
        ("image = {", r"mine.toml: "),
        ("", r"image: names no file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(text)
    assert re.search(says, str(raised.value)), raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(?:[0-9]|x|\\d\\d?)+$!", r"^(\w+\s*)+#"])
@pytest.mark.slow
def test_a_pattern_that_never_ends_is_refused(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{LEAST}serial = {{ panic = '{pattern}' }}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"mine.toml:2: serial.panic: .*takes for ever on a line"):
        read_target(str(tmp_path / "mine.toml"))


def test_a_usual_repetition_is_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{LEAST}ready = '(?:ok: \\w+, )+done|(a|b)*c'\n", encoding="utf-8")
    assert read_target(str(tmp_path / "mine.toml")).ready


def test_a_target_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"TARGET=biltin: did you mean builtin\?"):
        find_target("biltin")
    with pytest.raises(UsageError, match="no such file"):
        find_target("nowhere/x.toml")


def test_a_target_s_file_that_cannot_be_one_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"

    def refused() -> str:
        with pytest.raises(UsageError) as raised:
            read_target(str(path))
        return str(raised.value)

    path.mkdir()
    assert "not a file" in refused()
    path.rmdir()
    os.mkfifo(path)
    assert "not a file" in refused()
    path.unlink()
    path.touch()
    os.truncate(path, 1 << 40)
    assert "cannot be read" in refused()
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in refused()


@pytest.mark.parametrize("name", target_names())
def test_every_file_of_this_tree_is_sound(name: str) -> None:
    assert read_target(name).name == name


def placed(folder: Path, text: str = LEAST) -> Target:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return read_target(str(folder / "mine.toml"))


def test_images_that_cannot_be_booted_are_refused(tmp_path: Path) -> None:
    target = placed(tmp_path)
    image = tmp_path / "k.elf"

    def refused() -> str:
        with pytest.raises(UsageError) as raised:
            resolved(target)
        return str(raised.value)

    assert "image.kernel" in refused() and "No such file" in refused()
    image.mkdir()
    assert "is a directory" in refused()
    image.rmdir()
    os.mkfifo(image)
    assert "not a regular file" in refused()
    image.unlink()
    image.touch()
    assert "the file is empty" in refused()
    os.truncate(image, 1 << 40)
    assert "1024 GiB, at most 16 GiB are taken" in refused()
    image.write_bytes(b"x")
    found, files = resolved(target)
    assert found.image.kernel == str(image) and files[0].size == 1


def elf(machine: int, bits: int) -> bytes:
    """The head of an ELF file for a machine, little-endian."""
    return b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9) + (2).to_bytes(2, "little") + machine.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("machine", "bits", "arch"),
    [
        (62, 64, "x86_64"),
        (3, 32, "i386"),
        (183, 64, "aarch64"),
        (40, 32, "arm"),
        (243, 64, "riscv64"),
        (243, 32, "riscv32"),
    ],
)
def test_a_kernel_says_itself_what_it_is_for(machine: int, bits: int, arch: str, tmp_path: Path) -> None:
    image = tmp_path / "k.elf"
    image.write_bytes(elf(machine, bits) + bytes(100))
    assert elf_arch(image) == arch
    asked = "x86_64" if arch == "i386" else arch
    assert short_form(image, "x86_64").arch == asked
    resolved(placed(tmp_path, LEAST + f'arch = "{asked}"\n'))
    other = "aarch64" if arch not in ("arm", "aarch64") else "riscv64"
    with pytest.raises(UsageError, match=rf'mine.toml:1: image.kernel: .*k.elf is for {arch}: arch = "{arch}"'):
        resolved(placed(tmp_path, LEAST + f'arch = "{other}"\n'))


def test_a_missing_qemu_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = placed(tmp_path, LEAST + 'arch = "sparc64"\n')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UsageError,
        match="mine.toml:2: arch: sparc64: qemu-system-sparc64 is not installed: install the package qemu-system-sparc",
    ):
        resolved(target)


@pytest.mark.slow
def test_a_build_that_fails_or_hangs_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(
        BuildError, match="mine.toml:2: build 'echo no compiler; false' ended with status 1: no compiler"
    ):
        build_target(placed(tmp_path, LEAST + 'build = "echo no compiler; false"\n'))
    slow = placed(tmp_path, LEAST + 'build = "sleep 60"\nlimits = { build_s = 0.3 }\n')
    with pytest.raises(BuildError, match="has not ended after 0.3 s"):
        build_target(slow)


def test_a_build_runs_in_the_files_folder(tmp_path: Path) -> None:
    target = placed(tmp_path, LEAST + 'build = "echo made > k.elf"\n')
    build_target(target)
    assert resolved(target)[1][0].size == 5


def test_a_short_form_is_a_file_that_reads_again() -> None:
    target = short_form(Path("/x/my kernel.elf"), "riscv64")
    assert (target.name, target.arch) == ("my-kernel", "riscv64")
    assert read(target_toml(target), target.name) == target
    assert short_form(ROOT / "os.iso", "x86_64", iso=True).image.iso
