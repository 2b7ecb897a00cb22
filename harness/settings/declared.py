"""Every ``KEY=`` there is, declared once: how it is written, its default, what it is for, and which commands take it.

Parser, help, completion and README come from this table. The built-in kernel's switches come from ``kernel/options.h``.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.case_study import CASE_STEPS
from harness.model.declared import command_table, stage_table, usual_stages
from harness.model.kernel_suites import suite_names
from harness.model.spec import ARCHES, switch_table
from harness.model.values import (
    Choice,
    Compiler,
    Flag,
    Integer,
    Integers,
    Name,
    Number,
    Parameters,
    PathValue,
    Several,
    ShellWords,
    Size,
    Sizes,
    Text,
    ValueKind,
)

MEASURING = tuple(name for name, row in command_table().items() if row.measures)
"""Commands that leave results: ``results/latest`` says how the last one ended."""
STAGES = tuple(stage_table())
SWITCHES = "switches"
"""In ``excludes``: every switch of the kernel but ARCH."""
DAY_S = 86400.0


@dataclass(frozen=True)
class Setting:
    """One setting, as some commands take it; a name may stand in several rows, each for other commands."""

    name: str
    kind: ValueKind
    commands: tuple[str, ...]
    help: str
    """One line."""
    example: str
    """A value that is valid."""
    default: str = ""
    """As a user would write it; empty when leaving it out means "none"."""
    required: bool = False
    excludes: tuple[str, ...] = ()
    """Settings that have no meaning beside this one."""
    needs: tuple[str, ...] = ()
    """Settings without which this one has no meaning."""
    switch: bool = False
    """Compiled into the kernel."""
    earlier: str = ""
    """The name that it had: a command line that gives it is answered with the present one."""


def _takes(commands: str) -> tuple[str, ...]:
    return tuple(commands.split())


_RUNS_KERNEL = _takes("perf ab explain boot acceptance latency")
_COUNT = Integer(1, 100_000)
_FILE = PathValue("a file")
_FOLDER = PathValue("a folder")
_RESULT = PathValue("a folder under results/")
_NAMED = ("default", *(step.name for step in CASE_STEPS))
_OF_A_SAVED_RUN = (SWITCHES, "ARCH", "NAME", "QUICK", "OPTS", "MODE", "SLOW", "VIRGL", "CC")
_OF_SOURCE = (SWITCHES, "CC", "BASELINE", "BASELINE_REF", "ALIKE")
_NOT_OF_A_DISC = ("KERNEL", "OPTS", "MODE", "SLOW", *_OF_SOURCE)
_OF_A_RECORDING = (
    SWITCHES,
    "LAUNCHES",
    "QUIET",
    "BUDGET",
    "EFFECTS",
    "LOAD",
    "CORES",
    "PIN",
    "FOREIGN",
    "VIRGL",
    "CC",
    "CLUSTER",
)
_OF_GIT = (SWITCHES, "TARGET", "GOOD", "BAD", "REPO", "BUILD", "IMAGE", "BUDGET")
_TARGET = Text("a target of targets/, or a file")
_NOT_OF_TARGETS = ("KERNEL", "ISO", "ARCH", "OPTS", "MODE", "SLOW", "VIRGL", *_OF_SOURCE)
_NOT_OF_ARMS = (*string.ascii_uppercase, "ARCH", "OPTS", "MODE", "SLOW", "VIRGL", "CC", SWITCHES)
_NOT_OF_GIT = (SWITCHES, "ARCH", "REPO", "BUILD", "IMAGE")
_NO_DRIVER = (SWITCHES, "RESULT", "NAME", "OPTS", "MODE", "SLOW", "VIRGL", "CC", "RANDOM_STATE")
_SHARED = "nightly calibrate bisect ab survey"
"""Commands whose work several hosts can share."""
_CELL = "x86_64 acquire_progress 2d default"

DECLARED: tuple[Setting, ...] = (
    Setting("BUDGET", Number(5, 3600, "s"), ("perf",), "time for the whole command", "120", "60"),
    Setting("BUDGET", Number(5, 36000, "s"), ("ab",), "time for the whole command", "300", "120"),
    Setting("BUDGET", Number(5, 36000, "s"), ("survey",), "time for the whole command; else 4 minutes a target", "240"),
    Setting("BUDGET", Number(10, 7200, "s"), ("explain",), "time for the whole command", "600", "330"),
    Setting("BUDGET", Number(5, 7200, "s"), ("acceptance",), "time for the whole command; else what it takes", "300"),
    Setting(
        "BUDGET",
        Number(5, 86400, "s"),
        ("bisect",),
        "time for the whole command; else 60 s a step and 120 s a confirmation",
        "900",
    ),
    Setting("BUDGET", Number(5, 600_000, "s"), ("nightly",), "time for the whole night", "7200", excludes=("MINUTES",)),
    Setting("CELL_SECONDS", Number(5, 3600, "s"), ("nightly",), "time of one cell; else the matrix file says", "60"),
    Setting("TARGET", _TARGET, ("perf",), "a kernel by its file (docs/targets.md)", "mine", excludes=_NOT_OF_TARGETS),
    Setting("TARGET", _TARGET, ("ab",), "targets to compare, joined by commas", "mine,yours", excludes=_NOT_OF_ARMS),
    Setting(
        "TARGET", _TARGET, ("explain",), "how its driver behaves", "mine", excludes=("KERNEL", "ARCH", *_NO_DRIVER)
    ),
    Setting("KERNEL", _FILE, ("explain",), "how its driver behaves", "old.elf", excludes=_NO_DRIVER),
    Setting("KERNEL", _FILE, ("perf",), "a kernel image to measure as it is", "old.elf", excludes=("ISO", *_OF_SOURCE)),
    Setting("KERNEL", _FILE, ("proof",), "one kernel image to decide", "old.elf", excludes=_OF_SOURCE),
    Setting(
        "DEVICE",
        Choice(_takes("qemu qemu-8.2 publisher hardware")),
        ("proof",),
        "what the device keeps in order",
        "hardware",
        "qemu",
    ),
    Setting(
        "LOAD_AT",
        Text("ARCH@ADDRESS"),
        ("proof",),
        "of a KERNEL that is not an ELF file",
        "riscv64@0x80200000",
        needs=("KERNEL",),
    ),
    Setting(
        "TYPE",
        Text("a line"),
        ("proof",),
        "typed at the console of a KERNEL from elsewhere",
        "virtio scan",
        needs=("KERNEL",),
    ),
    Setting("HERD", _FILE, ("proof",), "the program herd7, to ask it as well", "/usr/bin/herd7"),
    Setting("ISO", _FILE, ("perf",), "a bootable disc to measure", "kernel.iso", excludes=_NOT_OF_A_DISC),
    Setting("BASELINE_STORE", _FOLDER, ("perf",), "holds large images of targets", "../images", needs=("TARGET",)),
    Setting("BASELINE_STORE", _FOLDER, ("approve",), "takes large images of a target", "../images"),
    Setting("BASELINE", Name(), ("perf",), "the approved kernel to compare with; else BARRIER names it", "linux"),
    Setting("BASELINE", Name(), ("approve",), "the name to approve it under; else BARRIER names it", "linux"),
    Setting("BASELINE_REF", Text("a revision"), ("perf",), "take the baseline from this revision", "main"),
    Setting(
        "ALIKE", Flag(), ("perf",), "1 compares with the approved source, built with this kernel's switches", "1", "0"
    ),
    Setting(
        "STAGES", Several(STAGES), _takes("perf ab"), "what to measure", "window,pictures", ",".join(usual_stages())
    ),
    Setting("PICTURES", _COUNT, ("perf",), "frames whose every pixel is checked", "500", "250"),
    Setting("PICTURES", _COUNT, ("ab",), "frames whose every pixel is checked, an arm", "250", "60"),
    Setting("PICTURES", _COUNT, ("acceptance",), "frames whose every pixel is checked, a device", "100", "300"),
    Setting(
        "CONFIG",
        _FILE,
        _takes("perf analyze"),
        "a TOML file that changes the gates, and names where a commit is shown",
        "perf.toml",
    ),
    Setting("SMALLEST", Number(0.001, 0.9), ("ab",), "the smallest change worth telling, as a share", "0.02", "0.01"),
    Setting("OPTS", Parameters(), _RUNS_KERNEL, "words of the kernel's command line", "seed=3 blk=8"),
    Setting(
        "MODE", Sizes(), ("perf",), "the picture's size; several: one run through them", "800x600,640x480", "1024x768"
    ),
    Setting("MODE", Size(), _RUNS_KERNEL[1:], "the picture's size in pixels", "640x480", "1024x768"),
    Setting("SLOW", Integer(1, 1000), _RUNS_KERNEL, "per cent more drawing, with FAULT=slow_draw", "20", "10"),
    Setting(
        "RANDOM_STATE",
        Integer(0, 2**31),
        _takes("perf ab explain acceptance calibrate latency"),
        "where everything drawn at random starts",
        "7",
        "1",
        earlier="SEED",
    ),
    Setting(
        "QUIET",
        Choice(("no", "wait")),
        _takes("perf ab calibrate"),
        "wait up to 5 min for idle cores, within a BUDGET",
        "wait",
        "no",
    ),
    Setting("ACCEL", Choice(("tcg", "kvm")), _takes("perf ab"), "how QEMU runs the guest", "kvm", "tcg"),
    Setting("QEMU_ARGS", ShellWords(), _takes("perf ab"), "more arguments of QEMU", "-smp 2"),
    Setting("VIRGL", Flag(), _takes("perf ab boot calibrate latency"), "1 for the GL device", "1", "0"),
    Setting("VIRGL", Flag(), ("explain",), "1 for the GL device; 0 leaves its case study out too", "0"),
    Setting("VIRGL", Flag(), ("acceptance",), "0 leaves the GL device out", "0", "1"),
    Setting(
        "VIDEO",
        Choice(_takes("0 1 gtk sdl cocoa xvfb")),
        ("boot",),
        "1 for a window, xvfb for a virtual display, 0 for the serial line alone",
        "1",
        "0",
    ),
    Setting("VIDEO", Choice(("1", "xvfb")), ("acceptance",), "pictures from a display of its own", "xvfb", "1"),
    Setting("BOOT_LOG_TIMEOUT", Number(1, 7 * DAY_S, "s"), ("boot",), "ends after this time", "30"),
    Setting("BOOT_LOG_TIMEOUT", Number(1, 3600, "s"), ("acceptance",), "length of the roulette", "10", "30"),
    Setting(
        "CC",
        Compiler(),
        _takes("perf ab explain boot build suites acceptance calibrate latency litmus proof"),
        "the compiler",
        "clang",
        "gcc",
    ),
    Setting("INPUTS", Integer(1, 10_000), ("latency",), "keys to press", "200", "100"),
    Setting("GAP", Number(0, 1000, "ms"), ("latency",), "mean time between two keys; 0 is a flood", "20", "50"),
    Setting("TEST", Flag(), ("build",), "1 for the image with the in-kernel suites", "1", "0"),
    Setting("SUITE", Choice(suite_names()), ("suites",), "one suite instead of all", "virtqueue"),
    Setting("NAME", Choice(_NAMED), ("explain",), "a step of the case study", "case-1-logged"),
    Setting("QUICK", Flag(), ("explain",), "1 for half a minute's answer", "1", "0"),
    Setting(
        "RESULT",
        _RESULT,
        ("explain",),
        "explain a saved run that failed",
        "results/latest",
        excludes=_OF_A_SAVED_RUN,
    ),
    Setting("RESULT", _RESULT, _takes("analyze approve"), "a saved run", "results/latest", "results/latest"),
    Setting("A", _RESULT, ("compare",), "a saved run", "results/latest", required=True),
    Setting("B", _RESULT, ("compare",), "another saved run", "results/latest", required=True),
    Setting("PAGE", _FILE, ("compare",), "the page to write", "compare.html", "results/compare.html"),
    Setting("REASON", Text("a sentence"), ("approve",), "why this is right", "faster fills", required=True),
    Setting("ALLOW_DIRTY", Flag(), ("approve",), "1 approves a tree with uncommitted changes", "1", "0"),
    Setting(
        "ONLY",
        Text("topics joined by commas"),
        ("bench",),
        "these topics alone, or rows of them",
        "gate,cluster.killed",
    ),
    Setting("SWITCHES", Flag(), ("bench",), "0 leaves out what each switch is worth; the default with ONLY", "0"),
    Setting(
        "TARGET", _TARGET, ("bisect",), "another kernel by its file, in its repository", "mine", excludes=_NOT_OF_GIT
    ),
    Setting("TARGETS", Text("targets joined by commas"), ("survey",), "what to show", "ovmf,aavmf", required=True),
    Setting(
        "PAGE", _FILE, ("survey",), "the page to write, or a table as .md; else results/survey.html", "survey.html"
    ),
    Setting("RESUME", Flag(), ("survey",), "1 keeps the rows of an interrupted survey where images are the same", "1"),
    Setting("GOOD", Text("a revision"), ("bisect",), "a revision that was fast", "v1.0"),
    Setting("BAD", Text("a revision"), ("bisect",), "a revision that is slow", "HEAD"),
    Setting("REPO", _FOLDER, ("bisect",), "another kernel's repository", "../kernel", needs=("BUILD", "IMAGE")),
    Setting(
        "BUILD",
        Text("a command"),
        ("bisect",),
        "what builds that kernel, at the top of each checkout",
        "make -C kernel",
        excludes=(SWITCHES,),
        needs=("IMAGE",),
    ),
    Setting(
        "IMAGE",
        PathValue("a path inside the checkout"),
        ("bisect",),
        "what it leaves there",
        "kernel/out/kernel.elf",
        needs=("BUILD",),
    ),
    Setting("STEP", _FOLDER, ("bisect",), "how git calls back; not for people", "results/x", excludes=_OF_GIT),
    Setting("BUDGET", Number(20, 86400, "s"), ("calibrate",), "time for the whole command; else what it takes", "330"),
    Setting("LAUNCHES", Integer(6, 10_000), ("calibrate",), "launches of each planted effect", "20", "62"),
    Setting("EFFECTS", Integers(1, 100), ("calibrate",), "planted effects, in per cent", "3,10", "2,5,10"),
    Setting("LOAD", Integer(0, 256), ("calibrate",), "competing processes; 1 is one on each core", "10", "0"),
    Setting("CORES", Integer(0, 1024), ("calibrate",), "use this many cores; 0 means all", "1", "0"),
    Setting("PIN", Flag(), ("calibrate",), "0 does without the right to pin and to real time", "0", "1"),
    Setting("FOREIGN", Flag(), ("calibrate",), "1 times a kernel of which nothing is known, at 30 frames/s", "1", "0"),
    Setting("KEEP", Flag(), ("calibrate",), "1 keeps the evidence under baselines/", "1", "0"),
    Setting("DRAWS", Integer(20, 1_000_000), ("calibrate",), "sessions drawn from the launches", "200", "1000"),
    Setting("FROM", _FILE, ("calibrate",), "judge earlier evidence", "calibration.json", excludes=_OF_A_RECORDING),
    Setting("MATRIX", _FILE, ("nightly",), "the cells", "ci/nightly.toml", "ci/nightly.toml"),
    Setting(
        "CLUSTER",
        Text("local, tls://host:8786 or tcp://127.0.0.1:8786"),
        _takes(_SHARED),
        "run on the hosts of this scheduler; local starts one here (docs/cluster.md)",
        "local",
    ),
    Setting(
        "CLUSTER",
        Text("tls://host:8786 or tcp://127.0.0.1:8786"),
        ("worker",),
        "the scheduler to work for",
        "tls://host:8786",
        required=True,
    ),
    Setting(
        "WORKERS",
        Integer(1, 256),
        _takes(_SHARED),
        "of CLUSTER=local; else one a pair of cores",
        "2",
        needs=("CLUSTER",),
    ),
    Setting(
        "INSECURE", Flag(), _takes(f"{_SHARED} worker"), "1 allows tcp:// to another host", "1", "0", needs=("CLUSTER",)
    ),
    Setting(
        "PLACE", _FOLDER, ("worker",), "where a worker keeps what it needs; else results/.worker", "/var/lib/worker"
    ),
    Setting("MINUTES", Number(0, 10_000, "min"), ("nightly",), "time for the whole night; 0 means no limit", "60"),
    Setting("SITE", _FOLDER, ("report",), "where the pages go", "results/site", "results/site"),
    Setting("README", Flag(), ("litmus",), "1 rewrites the table in kernel/drivers/virtio/README.md", "1", "0"),
    Setting("FILE", _FILE, ("history",), "lines to write or read", "history.jsonl"),
    Setting("KEEP", Integer(20, 1_000_000), ("history",), "newest runs of a cell that prune keeps", "100", "400"),
    Setting("EVERY", Integer(1, 1000), ("history",), "prune keeps one older run in this many", "10", "7"),
    Setting("FINDING", Integer(1, 2**31), ("history",), "number of the finding to acknowledge", "3"),
    Setting("REASON", Text("a sentence"), ("history",), "why the finding is all right", "new scene"),
    Setting("CELL", Text("a cell's label"), ("history",), "the cell that added runs belong to", _CELL),
    Setting("ALL", Flag(), ("history",), "1 shows withdrawn findings too", "1", "0"),
)

_ARMS = tuple(
    Setting(
        letter,
        Text("a kernel in words"),
        ("ab",),
        "a kernel: SWITCH=value words, a revision, baseline, a step of the case study or a file",
        "HEAD~3 LOG=frame",
    )
    for letter in string.ascii_uppercase
)
_SWITCH_HELP = "a switch of the kernel (kernel/options.h)"

OPTIONS: Mapping[str, str] = {
    "json": "print the result as JSON and nothing else",
    "strict": "what could not be decided is an error in junit.xml, not skipped",
}
"""Options with what they do; ``--help`` is every command's."""


@dataclass(frozen=True)
class Positional:
    """Meaning of a word that is not a setting, for one command."""

    setting: str = ""
    """The setting that it stands for."""
    choices: tuple[str, ...] = ()
    """Valid first words, where the word is not a setting's value."""
    more: str = ""
    """Meaning of further words."""


POSITIONAL: Mapping[str, Positional] = {
    "analyze": Positional("RESULT"),
    "explain": Positional("NAME"),
    "history": Positional(
        choices=_takes("export import add prune findings acknowledge analyze hosts check deliver"),
        more="files of export and import, results folders of add",
    ),
}


def options_of(command: str) -> Mapping[str, str]:
    """The options that a command takes, with what they do."""
    takes = command_table()[command].takes if command in command_table() else ()
    return {option: what for option, what in OPTIONS.items() if f"--{option}" in takes}


@functools.cache
def settings_of(command: str) -> Mapping[str, Setting]:
    """Settings of a command, by name: its own first, then the kernel's switches."""
    takes = command_table()[command].takes if command in command_table() else ()
    rows = [row for row in (*DECLARED, *_ARMS) if command in row.commands]
    rows += [row for row in DECLARED if row.name in takes]
    names = (
        ("ARCH", *switch_table())
        if "switches" in takes
        else [name for name in ("ARCH", *switch_table()) if name in takes]
    )
    for name in names:
        values = tuple(ARCHES) if name == "ARCH" else switch_table()[name].values
        default = "" if command in ("suites", "litmus", "proof") and name in ("ARCH", "BARRIER") else values[0]
        rows.append(Setting(name, Choice(values), (command,), _SWITCH_HELP, values[-1], default, switch=True))
    return {row.name: row for row in rows}
