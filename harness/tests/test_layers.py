"""Who may import whom: the harness from its import graph, the kernel from its includes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.spec import ROOT

HARNESS = ROOT / "harness"
KERNEL = ROOT / "kernel"

HARNESS_LAYERS: Mapping[str, int] = {
    "__main__": 13,
    "cli": 12,
    "commands": 11,
    "figures": 10,
    "night": 9,
    "acceptance": 9,
    "bisection": 9,
    "replay": 8,
    "conclude": 8,
    "references": 8,
    "explain": 8,
    "session": 7,
    "survey": 7,
    "saved_run": 7,
    "lanes": 6,
    "report": 6,
    "drive": 5,
    "matrix": 5,
    "analyze": 4,
    "upgrade": 3,
    "series": 3,
    "baseline": 2,
    "arms": 2,
    "seedcase": 1,
    "result": 1,
    "spec": 0,
}
"""A module imports from its own package, or from lower layers."""

FORBIDDEN = {("analyze", "drive"), ("analyze", "report"), ("report", "lanes")}
TOUCHES_THE_WORLD = {"os", "subprocess", "socket", "pathlib", "shutil", "tempfile", "threading", "signal"}

KERNEL_LAYERS: Mapping[str, int] = {
    "main": 10,
    "test": 9,
    "run": 8,
    "sched": 7,
    "virtio/gpu": 7,
    "virtio/blk": 7,
    "scene": 6,
    "virtio": 5,
    "pci": 4,
    "sync": 3,
    "lib": 2,
    "fault": 2,
    "arch": 1,
    "options": 0,
}


def package_of(path: Path, root: Path = HARNESS) -> str:
    """``analyze`` of harness/analyze/stats.py, ``spec`` of harness/spec.py."""
    relative = path.relative_to(root)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(source: str) -> list[str]:
    """Full names of all modules that a source imports, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [
                f"{node.module}.{alias.name}" if node.module == "harness" else node.module for alias in node.names
            ]
    return names


def violations(package: str, source: str) -> list[str]:
    """What a module of this package imports or does against the layering."""
    found = []
    for name in imports_of(source):
        top = name.split(".")[0]
        if package == "analyze" and top in TOUCHES_THE_WORLD:
            found.append(f"analyze imports {top}")
        if top != "harness" or name == "harness":
            continue
        target = name.split(".")[1]
        if target == package:
            continue
        if target not in HARNESS_LAYERS:
            found.append(f"{target} has no layer")
        elif HARNESS_LAYERS[target] >= HARNESS_LAYERS[package] or (package, target) in FORBIDDEN:
            found.append(f"{package} imports {target}")
    if package != "cli":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                found.append(f"{package} prints")
            if package == "analyze" and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found += ["analyze opens a file"] if node.func.id == "open" else []
    return found


def test_the_harness_keeps_its_layers() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted(HARNESS.rglob("*.py"))
        if package_of(path) != "tests" and path.name != "__init__.py"
        for text in violations(package_of(path), path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("package", "source", "says"),
    [
        ("analyze", "from harness.drive import qemu", "analyze imports drive"),
        ("analyze", "import subprocess", "analyze imports subprocess"),
        ("analyze", "def f():\n    return open('x')", "analyze opens a file"),
        ("drive", "from harness.lanes.timing import compare", "drive imports lanes"),
        ("lanes", "from harness import session", "lanes imports session"),
        ("report", "def f():\n    print('x')", "report prints"),
        ("spec", "import harness.result", "spec imports result"),
    ],
)
def test_a_planted_violation_is_found(package: str, source: str, says: str) -> None:
    assert says in violations(package, source)


def kernel_layer(name: str) -> int | None:
    """The layer of ``virtio/gpu.h`` or ``lib/print.h``; None for what is no part of the kernel."""
    stem = name.rsplit(".", 1)[0]
    for prefix in sorted(KERNEL_LAYERS, key=len, reverse=True):
        if stem == prefix or stem.startswith(f"{prefix}/") or (prefix.count("/") and stem.startswith(f"{prefix}_")):
            return KERNEL_LAYERS[prefix]
    return None


def kernel_violations(name: str, source: str) -> list[str]:
    """Includes that point upwards, and assembly or architecture tests where they may not be."""
    found = []
    layer = kernel_layer(name)
    generic = not name.startswith(("arch/", "test/host/"))
    for include in re.findall(r'^#include "([^"]+)"', source, re.MULTILINE):
        target = kernel_layer(include)
        if generic and layer is not None and target is not None and target > layer:
            found.append(f"{name} includes {include}")
        if generic and include.startswith("arch/") and include != "arch/arch.h":
            found.append(f"{name} includes {include}, which belongs to one architecture")
    if generic and not name.startswith("virtio/barrier") and re.search(r"\b(__asm__|asm)\b", source):
        found.append(f"{name} holds assembly")
    if generic and re.search(r"^#\s*(if|ifdef|elif).*(__x86_64__|__aarch64__|__riscv)", source, re.MULTILINE):
        found.append(f"{name} tests for an architecture")
    return found


def test_the_kernel_keeps_its_layers() -> None:
    wrong = [
        text
        for path in sorted(KERNEL.rglob("*.[ch]"))
        for text in kernel_violations(str(path.relative_to(KERNEL)), path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("virtio/virtqueue.c", '#include "virtio/gpu.h"\n', "includes virtio/gpu.h"),
        ("lib/print.c", '#include "pci/pci.h"\n', "includes pci/pci.h"),
        ("run/frameloop.c", '__asm__ volatile("nop");', "holds assembly"),
        ("pci/pci.c", "#ifdef __riscv\n", "tests for an architecture"),
        ("sched/sched.c", '#include "arch/x86_64/cpu.h"\n', "belongs to one architecture"),
    ],
)
def test_a_planted_kernel_violation_is_found(name: str, source: str, says: str) -> None:
    assert any(says in text for text in kernel_violations(name, source))


LONGEST_FILE = 400


def test_no_source_file_is_a_hall() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.py", "*.c", "*.h", "*.S"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    lengths = {name: len((ROOT / name).read_bytes().splitlines()) for name in files if (ROOT / name).exists()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}
