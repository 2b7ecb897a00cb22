"""Who may import whom: the harness from its import graph, the kernel from its includes."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from harness.model.spec import ROOT

HARNESS = ROOT / "harness"
KERNEL = ROOT / "kernel"

SHARED = frozenset({"model", "core", "platform", "report"})
FEATURES = frozenset({"gate", "explain", "history", "bisect", "acceptance", "proof", "cluster"})

MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "model": frozenset(),
    "core": frozenset({"model"}),
    "platform": frozenset({"model", "core"}),
    "report": frozenset({"model", "core", "platform"}),
    "gate": SHARED,
    "explain": SHARED | {"gate"},
    "history": SHARED | {"gate"},
    "bisect": SHARED | {"gate"},
    "acceptance": SHARED | {"gate"},
    "proof": SHARED | {"gate"},
    "cluster": SHARED | {"gate"},
    "robustness": SHARED | FEATURES,
    "benchmarks": SHARED | FEATURES | {"robustness"},
    "settings": frozenset({"model"}),
    "front": frozenset({"model", "core", "report", "settings"}),
    "commands": SHARED | FEATURES | {"benchmarks", "settings"},
    "cli": frozenset({"model", "platform", "front", "settings", "commands"}),
    "__main__": frozenset({"cli", "front", "model", "platform"}),
}
"""A feature uses what is shared, and the gate where it measures; it never uses another feature. Attacks
and benchmarks try every feature. Commands use features, never each other."""

TOUCHES_THE_WORLD = {"os", "subprocess", "socket", "pathlib", "shutil", "tempfile", "threading", "signal"}
"""Modules that ``core`` does not use, so that every verdict can be replayed from a saved run."""

KERNEL_LAYERS: Mapping[str, int] = {
    "main": 10,
    "test": 9,
    "run": 8,
    "sched": 7,
    "drivers/virtio/gpu": 7,
    "drivers/virtio/blk": 7,
    "drivers/virtio/input": 7,
    "scene": 7,
    "drivers/virtio": 5,
    "drivers/pci": 4,
    "sync": 3,
    "drivers/uart": 2,
    "firmware": 2,
    "base": 2,
    "fault": 2,
    "arch": 1,
    "base/errors": 0,
    "base/minmax": 0,
    "options": 0,
}
STRANGERS = ("drivers/virtio/gpu", "drivers/virtio/blk", "drivers/virtio/input", "scene", "sched")
"""Rooms of one storey that never see each other."""


def room_of(path: Path) -> str:
    """``core`` of harness/core/comparison/statistics.py, ``cli`` of harness/cli.py."""
    relative = path.relative_to(HARNESS)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(source: str) -> list[str]:
    """Full names of all modules that a source imports, wherever in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module in ("harness", "harness.commands")
            names += [f"{node.module}.{alias.name}" for alias in node.names] if whole else [node.module]
    return names


def called_names(source: str) -> set[str]:
    """Plain names that a source calls."""
    return {
        node.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def violations(room: str, source: str) -> list[str]:
    """Imports and calls of a module of this room that break the rules."""
    found = []
    for name in imports_of(source):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if room == "core" and top in TOUCHES_THE_WORLD:
            found.append(f"core imports {top}")
        elif top == "harness" and room == target == "commands":
            found.append(f"one command imports another: {name}")
        elif top == "harness" and target and target != room and target not in MAY_IMPORT[room]:
            found.append(f"{room} imports {target}")
    called = called_names(source)
    if room != "cli" and "print" in called:
        found.append(f"{room} prints")
    if room == "core" and "open" in called:
        found.append("core opens a file")
    return found


@pytest.mark.slow
def test_every_room_keeps_its_rules() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted(HARNESS.rglob("*.py"))
        if room_of(path) not in ("tests", "__init__")
        for text in violations(room_of(path), path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_rule() -> None:
    rooms = {room_of(path) for path in HARNESS.rglob("*.py")} - {"tests", "__init__"}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("room", "source", "says"),
    [
        ("core", "from harness.platform import qemu", "core imports platform"),
        ("core", "import subprocess", "core imports subprocess"),
        ("core", "def f():\n    return open('x')", "core opens a file"),
        ("platform", "from harness.gate.measuring.timing import compare", "platform imports gate"),
        ("explain", "from harness.history.store import append", "explain imports history"),
        ("gate", "from harness import explain", "gate imports explain"),
        (
            "commands",
            "from harness.commands.perf import main",
            "one command imports another: harness.commands.perf",
        ),
        ("commands", "from harness.commands import perf", "one command imports another: harness.commands.perf"),
        ("report", "def f():\n    print('x')", "report prints"),
        ("model", "import harness.core.guest.serial", "model imports core"),
    ],
)
def test_a_planted_violation_is_found(room: str, source: str, says: str) -> None:
    assert says in violations(room, source)


def kernel_layer(name: str) -> int | None:
    """The layer of ``drivers/virtio/gpu.h`` or ``base/print.h``; None for files outside the kernel."""
    room = kernel_room(name, KERNEL_LAYERS)
    return None if room is None else KERNEL_LAYERS[room]


def kernel_room(name: str, rooms: Iterable[str]) -> str | None:
    """The narrowest of some rooms that a file of the kernel is in: ``drivers/virtio/gpu`` of its gpu_virgl.c."""
    stem = name.rsplit(".", 1)[0]
    for prefix in sorted(rooms, key=len, reverse=True):
        if stem == prefix or stem.startswith(f"{prefix}/") or (prefix.count("/") and stem.startswith(f"{prefix}_")):
            return prefix
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
        rooms = {room for path in (name, include) if (room := kernel_room(path, STRANGERS))}
        if generic and len(rooms) > 1:
            found.append(f"{name} includes {include}, a stranger")
        if generic and include.startswith("arch/") and include != "arch/arch.h":
            found.append(f"{name} includes {include}, which belongs to one architecture")
    if generic and not name.startswith("drivers/virtio/ordering/") and re.search(r"\b(__asm__|asm)\b", source):
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
        ("drivers/virtio/virtqueue.c", '#include "drivers/virtio/gpu.h"\n', "includes drivers/virtio/gpu.h"),
        ("drivers/virtio/gpu_2d.c", '#include "scene/canvas.h"\n', "scene/canvas.h, a stranger"),
        ("base/print.c", '#include "drivers/pci/pci.h"\n', "includes drivers/pci/pci.h"),
        ("run/frameloop.c", '__asm__ volatile("nop");', "holds assembly"),
        ("drivers/pci/pci.c", "#ifdef __riscv\n", "tests for an architecture"),
        ("sched/sched.c", '#include "arch/x86_64/cpu.h"\n', "belongs to one architecture"),
    ],
)
def test_a_planted_kernel_violation_is_found(name: str, source: str, says: str) -> None:
    assert any(says in text for text in kernel_violations(name, source))


MANY_MODULES = 20
"""A package with more modules, or with packages of its own, lists them in its docstring, by what they are about."""


def unlisted(docstring: str, modules: Iterable[str]) -> set[str]:
    """Modules that a package's docstring does not name, and names in it that are not modules."""
    return set(re.findall(r"``(\w+)``", docstring)) ^ set(modules)


def contents(package: Path) -> set[str]:
    """Modules and packages that are directly in a package."""
    return {one.stem for one in package.glob("[!_]*.py")} | {one.parent.name for one in package.glob("*/__init__.py")}


def test_a_large_package_says_what_its_modules_are_about() -> None:
    packages = {path.parent: contents(path.parent) for path in HARNESS.rglob("__init__.py")}
    wrong = {
        package.name: found
        for package, modules in packages.items()
        if (len(modules) > MANY_MODULES or any(package.glob("*/__init__.py")))
        and package.name not in ("harness", "tests", "commands")
        if (found := unlisted(ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or "", modules))
    }
    assert not wrong, f"name them in the docstring of the package's __init__.py: {wrong}"


def test_an_unlisted_module_is_found() -> None:
    assert unlisted("- files: ``atomic``, ``gone``", ["atomic", "new"]) == {"new", "gone"}


LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def test_no_source_file_is_long() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.py", "*.c", "*.h", "*.S"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    lengths = {name: len((ROOT / name).read_bytes().splitlines()) for name in files if (ROOT / name).exists()}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def long_functions(source: str) -> list[str]:
    """Functions of more lines than one screen holds, with their docstrings."""
    return [
        f"{node.name}: {lines} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]


@pytest.mark.slow
def test_no_function_is_long() -> None:
    found = {str(path): long_functions(path.read_text(encoding="utf-8")) for path in sorted(HARNESS.rglob("*.py"))}
    assert not {path: functions for path, functions in found.items() if functions}


def test_a_planted_long_function_is_found() -> None:
    assert long_functions("def much():\n" + "    pass\n" * LONGEST_FUNCTION) == ["much: 61 lines"]
