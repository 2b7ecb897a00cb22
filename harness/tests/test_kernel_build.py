"""The kernel's Makefile: the same bytes anywhere, switches only from the command line, refusals that say why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from harness.model.spec import ARCHES, KERNEL_DIR, Switches, switch_table
from harness.platform.kernels.build import build_kernel
from harness.platform.kernels.compile_cache import cached_environment

ELF_BYTES_MAX = 256 << 10


def make(
    *words: str, folder: Path = KERNEL_DIR, cached: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the kernel's make with nothing but these words and this environment, and what was compiled before."""
    clean = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    clean = cached_environment(clean) if cached else clean
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(folder), *words],
        env={**clean, "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def built_in(folder: Path, compiler: str) -> bytes:
    """The kernel, built in a copy of the tree; every object is compiled there."""
    shutil.copytree(KERNEL_DIR, folder / "kernel")
    done = make(f"CC={compiler}", "BARRIER=linux", "OUT=../out", folder=folder / "kernel", cached=False)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "roulette.elf").read_bytes()


@pytest.mark.parametrize("compiler", ["gcc", pytest.param("clang", marks=pytest.mark.full)])
@pytest.mark.slow
def test_the_same_tree_gives_the_same_bytes_in_any_folder(tmp_path: Path, compiler: str) -> None:
    deep = tmp_path / "a" / "rather" / "deep one"
    deep.mkdir(parents=True)
    (tmp_path / "b").mkdir()
    first = built_in(tmp_path / "b", compiler)
    assert first == built_in(deep, compiler)
    assert str(tmp_path).encode() not in first


def test_an_unknown_value_is_refused_by_name_with_the_list(tmp_path: Path) -> None:
    for switch in switch_table().values():
        done = make(f"{switch.name}=nonesuch", f"OUT={tmp_path}")
        assert done.returncode != 0
        assert f"{switch.name}=nonesuch: unknown value; valid: {' '.join(switch.values)}." in done.stderr


@pytest.mark.slow
def test_a_strategy_without_a_row_is_refused(tmp_path: Path) -> None:
    shutil.copytree(KERNEL_DIR, tmp_path / "kernel")
    (table,) = (tmp_path / "kernel").rglob("ordering/strategies.h")
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "STRATEGY_linux" not in line), encoding="utf-8")
    assert make("BARRIER=full_progress", "OUT=../out", "ring", folder=tmp_path / "kernel").returncode == 0
    done = make("BARRIER=linux", "OUT=../out", "ring", folder=tmp_path / "kernel")
    assert done.returncode != 0 and "strategies.h has no row of this name" in done.stderr


def test_a_misspelt_switch_is_refused(tmp_path: Path) -> None:
    done = make("BARIER=linux", f"OUT={tmp_path}")
    assert done.returncode != 0
    assert "BARIER: no such switch" in done.stderr


def test_switches_in_the_environment_are_ignored(tmp_path: Path) -> None:
    given = make("-n", f"OUT={tmp_path}", "BARRIER=linux").stdout
    assert "-DBARRIER=linux" in given
    ignored = make("-n", f"OUT={tmp_path}", BARRIER="linux", ARCH="vax", LOG="nonsense", CC="false", CPUS="77")
    assert ignored.returncode == 0, ignored.stderr
    assert "-DBARRIER" not in ignored.stdout and "-DCPUS" not in ignored.stdout and "gcc" in ignored.stdout


@pytest.mark.slow
def test_another_switch_in_the_same_folder_rebuilds(tmp_path: Path) -> None:
    elf = tmp_path / "roulette.elf"
    assert make(f"OUT={tmp_path}", "FILL=fast").returncode == 0
    fast = elf.read_bytes()
    assert make(f"OUT={tmp_path}", "FILL=pixel").returncode == 0
    assert elf.read_bytes() != fast
    again = make(f"OUT={tmp_path}", "FILL=pixel")
    assert again.returncode == 0 and "CC" not in again.stdout and "LD" not in again.stdout


@pytest.mark.parametrize("out", ["default", "FILL=pixel,LOG=none"])
@pytest.mark.slow
def test_a_changed_header_rebuilds_what_includes_it(tmp_path: Path, out: str) -> None:
    """The folder's name does not matter: one for a combination of switches has ``=`` in it."""
    shutil.copytree(KERNEL_DIR, tmp_path / "kernel")
    assert make(f"OUT=../{out}", folder=tmp_path / "kernel").returncode == 0
    with (tmp_path / "kernel" / "scene" / "segment.h").open("a") as header:
        header.write("/* changed */\n")
    again = make(f"OUT=../{out}", folder=tmp_path / "kernel")
    rebuilt = {line.split()[-1] for line in again.stdout.splitlines() if line.split()[:1] == ["CC"]}
    assert "scene/segment.c" in rebuilt and "scene/banner.c" in rebuilt and "scene/trig.c" not in rebuilt


def test_the_elf_keeps_symbols_and_nothing_else() -> None:
    path = build_kernel(Switches()).path
    assert path.stat().st_size <= ELF_BYTES_MAX
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        sections = {section.name for section in elf.iter_sections()}
        symbols = {symbol.name for symbol in elf.get_section_by_name(".symtab").iter_symbols()}
    assert not {name for name in sections if name.startswith((".debug", ".note.gnu", ".comment", ".eh_frame"))}
    assert {"kernel_main", "virtqueue_publish", "gpu_present", "ringpoints_start"} <= symbols
    assert not {name for name in symbols if name.startswith(("fault_", "ktest_"))}


def files_with_code(folder: Path) -> set[str]:
    """The source files, headers included, that any instruction of a folder's objects was compiled from."""
    found: set[str] = set()
    for path in folder.rglob("*.o"):
        with path.open("rb") as stream:
            lines = ELFFile(stream).get_dwarf_info()
            for unit in lines.iter_CUs():
                program = lines.line_program_for_CU(unit)
                states = [entry.state for entry in program.get_entries() if entry.state is not None]
                first = 0 if program["version"] >= 5 else 1
                found |= {program["file_entry"][state.file - first].name.decode() for state in states}
    return found


@pytest.mark.parametrize(("fault", "files"), [("none", set()), ("tear", {"fault.c", "fault.h"})])
@pytest.mark.slow
def test_no_instruction_of_a_kernel_without_a_fault_is_of_one(tmp_path: Path, fault: str, files: set[str]) -> None:
    done = make(f"OUT={tmp_path}", "CC=cc -g", f"FAULT={fault}")
    assert done.returncode == 0, done.stderr
    found = files_with_code(tmp_path)
    assert {"frameloop.c", "virtqueue.c", "gpu.c"} <= found
    assert {name for name in found if "fault" in name} == files


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", "riscv64"])
@pytest.mark.slow
def test_what_draws_most_of_a_frame_is_within_one_page(arch: str) -> None:
    with build_kernel(Switches(arch=arch)).path.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        hot = [symbols.get_symbol_by_name(name)[0] for name in ("wheel_draw", "backdrop_draw")]
    pages = {at // 4096 for symbol in hot for at in (symbol["st_value"], symbol["st_value"] + symbol["st_size"] - 1)}
    assert len(pages) == 1


@pytest.mark.parametrize("arch", ARCHES)
def test_an_architecture_stays_small(arch: str) -> None:
    files = [path for path in (KERNEL_DIR / "arch" / arch).iterdir() if path.is_file()]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 1200


def preprocessed(source: Path, defines: Sequence[str]) -> str:
    """What the compiler sees of a source of the PC's kernel."""
    fence = "-DFENCE_HEADER=<arch/x86_64/fence.h>"
    words = ["gcc", "-E", "-P", "-I.", "-ffreestanding", '-DSCENE_HASH=""', fence, *defines, str(source)]
    done = subprocess.run(words, cwd=KERNEL_DIR, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.slow
def test_a_switch_that_a_source_is_not_given_would_not_change_it() -> None:
    """And many are not given one: those are found among what was compiled before."""
    table = {name: switch.values[1] for name, switch in switch_table().items() if name != "ARCH"}
    files = [path.relative_to(KERNEL_DIR) for path in KERNEL_DIR.rglob("*.[chS]")]
    command = ["awk", "-v", f"given={' '.join(table)}", "-f", "reach.awk", *map(str, files)]
    done = subprocess.run(command, cwd=KERNEL_DIR, capture_output=True, text=True, timeout=60, check=True)
    reached = {tuple(line.split(":")) for line in done.stdout.splitlines()}
    sources = [
        one for one in files if one.suffix == ".c" and one.parts[0] in ("base", "drivers", "run", "scene", "fault")
    ]
    withheld = {one: [name for name in table if (str(one), name) not in reached] for one in sources}
    assert sum("FAULT" in names for names in withheld.values()) > len(sources) / 2
    for source, names in withheld.items():
        defines = [f"-D{name}={table[name]}" for name in names]
        assert not defines or preprocessed(source, defines) == preprocessed(source, ()), (source, names)
