"""Lists in the kernel that gather themselves: what is declared is linked, and an empty list does not link."""

from __future__ import annotations

import re
import shutil
import struct
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from harness.core.guest.records import REQUIRED_KEYS
from harness.model.faults import fault_table
from harness.model.spec import ARCHES, KERNEL_DIR, Switches, switch_table
from harness.platform.kernels.build import build_kernel
from harness.tests.test_kernel_build import make

_SUITE = re.compile(r"^KTEST_SUITE(?:_BY_NAME)?\((\w+), \w+\);$", re.MULTILINE)


def declared(sources: list[Path]) -> list[str]:
    """Names of the suites that some files declare."""
    return [name for source in sources for name in _SUITE.findall(source.read_text(encoding="utf-8"))]


def registered(image: Path, section: str) -> list[str]:
    """Names of the entries in a section of pointers to structs that begin with a name, in order."""
    with image.open("rb") as file:
        elf = ELFFile(file)
        parts = [part for part in elf.iter_sections() if part["sh_addr"] and part["sh_type"] == "SHT_PROGBITS"]

        def at(address: int, length: int) -> bytes:
            for part in parts:
                if part["sh_addr"] <= address < part["sh_addr"] + part["sh_size"]:
                    start = address - part["sh_addr"]
                    return bytes(part.data()[start : start + length])
            raise AssertionError(f"no section holds {address:#x}")

        pointers = struct.unpack("<%dQ" % (elf.get_section_by_name(section)["sh_size"] // 8), _content(elf, section))
        names = [struct.unpack("<Q", at(pointer, 8))[0] for pointer in pointers]
        return [at(name, 64).split(b"\0")[0].decode() for name in names]


def _content(elf: ELFFile, section: str) -> bytes:
    return bytes(elf.get_section_by_name(section).data())


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.slow
def test_every_suite_and_fault_that_is_declared_is_in_the_image(arch: str) -> None:
    suites = declared(sorted((KERNEL_DIR / "test").glob("ktest_*.c")))
    image = build_kernel(Switches(arch=arch), test=True).path
    assert sorted(registered(image, "suites")) == sorted([*suites, "arch"])
    assert sorted(registered(image, "faults")) == sorted(fault_table())
    assert registered(image, "suites")[0] == "ktest", "the framework is tried before what is tested with it"


def test_a_file_declares_one_suite_and_stands_once_in_the_list() -> None:
    listed = (KERNEL_DIR / "sources.mk").read_text(encoding="utf-8")
    for source in sorted((KERNEL_DIR / "test").glob("ktest_*.c")):
        assert declared([source]) == [source.stem.removeprefix("ktest_")]
        assert len(re.findall(rf"^\ttest/{source.name}(?: \\)?$", listed, re.MULTILINE)) == 1


def rows(header: str, table: str) -> list[str]:
    """Names in one of the kernel's tables of rows."""
    text = (KERNEL_DIR / header).read_text(encoding="utf-8")
    body = re.search(rf"#define {table}\(ROW\)((?:.*\\\n)+.*\n)", text)
    assert body, table
    return re.findall(r"\bROW\((\w+)", body[1])


def test_the_page_of_the_protocol_names_every_key_of_the_tables() -> None:
    page = (KERNEL_DIR / "run" / "serial-protocol.md").read_text(encoding="utf-8")
    keys = rows("drivers/virtio/counters.h", "COUNTER_ROWS")
    for table in ("RECORD_ROWS", "RECORD_EXACT_ROWS", "RECORD_INPUT_ROWS", "RECORD_SUMMARY_ROWS"):
        keys += rows("run/record.h", table)
    assert keys[:3] == list(REQUIRED_KEYS) and len(keys) >= 30 and len(set(keys)) == len(keys)
    assert not [key for key in keys if not re.search(rf"\b{key}\b", page)]


def test_the_boot_line_names_every_switch() -> None:
    text = (KERNEL_DIR / "options.h").read_text(encoding="utf-8")
    keys = re.findall(r'" ([a-z_]+)=" OPTION_TEXT\(([A-Z_]+)\)', text)
    assert {switch for _, switch in keys} == set(switch_table())
    assert all(key == ("cpus_max" if switch == "CPUS" else switch.lower()) for key, switch in keys)


@pytest.mark.slow
def test_a_fault_that_is_declared_twice_does_not_link(tmp_path: Path) -> None:
    shutil.copytree(KERNEL_DIR, tmp_path / "kernel")
    again = 'FAULT_DECLARE(tear, "torn", 3, "", "the upper half of a frame", .halve_transfer = 5);\n'
    with (tmp_path / "kernel" / "fault" / "serial.c").open("a", encoding="utf-8") as source:
        source.write(again)
    done = make("FAULT=tear", "OUT=../out", folder=tmp_path / "kernel")
    assert done.returncode != 0 and "multiple definition of `fault_tear'" in done.stderr


@pytest.mark.slow
def test_an_image_without_a_suite_does_not_link(tmp_path: Path) -> None:
    shutil.copytree(KERNEL_DIR, tmp_path / "kernel")
    for name in ("sources.mk", "arch/x86_64/arch.mk"):
        path = tmp_path / "kernel" / name
        kept = re.sub(
            r"(\ttest/ktest_\w+\.c \\\n|^ARCH_TEST_SOURCES.*\n)", "", path.read_text("utf-8"), flags=re.MULTILINE
        )
        path.write_text(re.sub(r"test/ktest_\w+\.c$", "", kept, flags=re.MULTILINE), encoding="utf-8")
    done = make("TEST=1", "OUT=../out", folder=tmp_path / "kernel")
    assert done.returncode != 0 and "__start_suites" in done.stderr
