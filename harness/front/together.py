"""Settings that contradict each other, or lack another one: a sentence about the first."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Sequence

from harness.front.budgets import too_small
from harness.front.kernel_words import too_little_memory, unusable_words
from harness.model.arms import Source, parse_arm
from harness.model.declared import MODES_STAGE, usual_stages
from harness.model.faults import fault_table
from harness.model.spec import UsageError
from harness.model.values import Parameters, nearest, shown
from harness.settings import SWITCHES, Arguments, settings_of

_DISK = "blk="
_DISK_EXAMPLE = "OPTS=blk=8"
_KEYS = "latency"
_CURSOR = "CURSOR=hw"
_HEADS = "HEADS=2"
_HOST_DRAWS, _PIXELS = "DRAW=gpu", "pixels"
COMPILERS = ("gcc", "clang")
_RUN_FAULTS = ("perf", "ab", "explain", "boot", "acceptance", "latency", "bisect")
"""Commands that run kernels whose faults must be able to happen; others only compile or test them."""

_OF_THE_HARNESS = frozenset(
    "S d D h cdrom daemonize display help incoming kernel loadvm mon monitor msg no-shutdown nographic pidfile "
    "preconfig qmp runas sandbox serial version".split()
)
"""QEMU's options by which the harness runs, hears and confines it."""


def contradiction(arguments: Arguments) -> str:
    """What is wrong with the settings taken together; empty when nothing is."""
    return next((said for said in (rule(arguments) for rule in _RULES) if said), "")


def _exclusions(arguments: Arguments) -> str:
    takes = settings_of(arguments.command)
    for name in arguments.given:
        for other in arguments.given:
            excluded = other in takes[name].excludes or (
                SWITCHES in takes[name].excludes and takes[other].switch and other != "ARCH"
            )
            if excluded and other != name:
                return f"{_word(arguments, other)} has no meaning beside {_word(arguments, name)}"
    return ""


def _word(arguments: Arguments, name: str) -> str:
    return f"{name}={shown(arguments.given[name])}"


def _needs(arguments: Arguments) -> str:
    for name in arguments.given:
        for other in settings_of(arguments.command)[name].needs:
            if other not in arguments.given:
                return (
                    f"{name}={shown(arguments.given[name])} needs {other}={_example(arguments.command, other)} as well"
                )
    return ""


def _required(arguments: Arguments) -> str:
    for name, setting in settings_of(arguments.command).items():
        if setting.required and name not in arguments.given:
            return f'{arguments.command} needs {name}="{setting.example}" ({setting.help})'
    return ""


def _bisect_revisions(arguments: Arguments) -> str:
    if arguments.command != "bisect" or arguments.has("STEP"):
        return ""
    missing = [name for name in ("GOOD", "BAD") if not arguments.has(name)]
    examples = {"GOOD": "GOOD=v1.0 (a revision that was fast)", "BAD": "BAD=HEAD (a revision that is slow)"}
    return f"bisect needs {' and '.join(examples[name] for name in missing)}" if missing else ""


def _kernels(arguments: Arguments, switch: str = "FAULT", default: str = "none") -> list[str]:
    """The value of a switch of every kernel that is asked for."""
    common = arguments.given.get(switch, default)
    arms = [text for name, text in arguments.given.items() if len(name) == 1] if arguments.command == "ab" else []
    found = [re.search(rf"(?:^|\s){switch}=(\S+)", text) for text in arms]
    return [match[1] if match else common for match in found] or [common]


def _host_draws(arguments: Arguments) -> str:
    """A kernel for which the host must draw, on a device that cannot."""
    takes = settings_of(arguments.command)
    if "gpu" not in _kernels(arguments, "DRAW", "full") or arguments.command == "build":
        return ""
    if "VIRGL" not in takes:
        return f"{_HOST_DRAWS} needs the GL device, on which {arguments.command} starts no kernel"
    if arguments.command == "acceptance":
        return f"{_HOST_DRAWS} needs the GL device, and acceptance is reached on the 2D device too"
    if arguments.given.get("VIRGL", takes["VIRGL"].default) != "1":
        return f"{_HOST_DRAWS} needs the GL device: add VIRGL=1"
    return ""


def _cursors(arguments: Arguments) -> str:
    """Every CURSOR that is asked for, as words."""
    arms = [text for name, text in arguments.given.items() if len(name) == 1] if arguments.command == "ab" else []
    return " ".join([f"CURSOR={arguments.given.get('CURSOR', '')}", *arms])


def _own_arguments(arguments: Arguments) -> str:
    """QEMU's options that would take a machine away from the harness."""
    words = shlex.split(arguments.given.get("QEMU_ARGS", ""))
    taken = next((one for one in words if one[:1] == "-" and one.lstrip("-") in _OF_THE_HARNESS), "")
    return f"QEMU_ARGS: {taken} is for the harness to set" if taken else ""


def _slow(arguments: Arguments) -> str:
    """A share of slow drawing for kernels that cannot draw slowly."""
    asked = "SLOW" in arguments.given or "slow" in Parameters().keys(arguments.given.get("OPTS", ""))
    if not asked or "slow_draw" in _kernels(arguments):
        return ""
    word = f"SLOW={arguments.given['SLOW']}" if "SLOW" in arguments.given else "OPTS=slow="
    return f"{word} has no meaning without FAULT=slow_draw"


def _said_twice(arguments: Arguments) -> str:
    keys = Parameters().keys(arguments.given.get("OPTS", ""))
    for name in ("MODE", "SLOW"):
        if name in arguments.given and name.lower() in keys:
            return f"{name} is given twice, once in OPTS"
    return ""


def _fault(arguments: Arguments) -> str:
    """A fault that cannot happen: no disk to fail, no key to read late, no GL device to refuse, no pixel to change."""
    faults = fault_table()
    if arguments.command not in _RUN_FAULTS:
        return ""
    kernels = zip(_kernels(arguments), _kernels(arguments, "DRAW", "full"), strict=True)
    needed = ((fault, faults[fault].needs, draw) for fault, draw in kernels if fault in faults)
    return next((said for said in (_lacking(arguments, *kernel) for kernel in needed) if said), "")


def _lacking(arguments: Arguments, fault: str, need: str, draw: str) -> str:
    """What a fault needs and this command line does not give it; empty where nothing is missing."""
    command, takes = arguments.command, settings_of(arguments.command)
    add = f"add {need}"
    if need == _PIXELS:
        changes = f"FAULT={fault} changes pixels that the kernel draws, and with {_HOST_DRAWS} it draws none"
        return changes if draw == "gpu" else ""
    if need == _DISK:
        opts = arguments.given.get("OPTS", "")
        given = command == "acceptance" or bool(re.search(r"(?:^|\s)blk=0*[1-9]", opts))
        what, add, possible = "a disk to load", f"add {_DISK_EXAMPLE}", "OPTS" in takes
    elif need == _KEYS:
        given = command == "latency" or "STAGES" in takes and need in arguments.several("STAGES")
        what, possible = "keys that are pressed", "STAGES" in takes
        add = f"add STAGES=window,{need}, or use 'make {need}'"
    elif need == _CURSOR:
        given, what, possible = need in _cursors(arguments), "a hardware cursor", True
    elif need == MODES_STAGE:
        given = command == "perf" and len(arguments.modes()) > 1
        what, possible, add = "a display that changes", command == "perf", "add MODE=800x600,640x480"
    elif need == _HEADS:
        given, what, possible = arguments.given.get("HEADS") == "2", "a second head", command in ("perf", "ab")
    elif need == _HOST_DRAWS:
        given, what, possible = draw == "gpu", "shaders", "VIRGL" in takes and command != "acceptance"
        add = f"add {need} VIRGL=1"
    else:
        given = not need or "VIRGL" in takes and arguments.given.get("VIRGL", takes["VIRGL"].default) == "1"
        what, possible = "the GL device", "VIRGL" in takes
    if given:
        return ""
    return f"FAULT={fault} needs {what}" + (f": {add}" if possible else f", which {command} has not: use 'make perf'")


def _pictures(arguments: Arguments) -> str:
    """A number of pictures where none are taken."""
    stages = arguments.given.get("STAGES", ",".join(usual_stages())).split(",")
    if "PICTURES" in arguments.given and "pictures" not in stages:
        return f"PICTURES={arguments.given['PICTURES']} has no meaning beside STAGES={arguments.given['STAGES']}"
    return ""


def _modes(arguments: Arguments) -> str:
    """Several sizes of the picture, which a kernel must be able to follow; and the stage without them."""
    if arguments.command != "perf":
        return ""
    several, asked = len(arguments.modes()) > 1, MODES_STAGE in arguments.several("STAGES")
    if asked and not several:
        return f"STAGES={arguments.given['STAGES']} needs several sizes: add MODE=800x600,640x480"
    if not several:
        return ""
    if "STAGES" in arguments.given and not asked:
        return f"{_word(arguments, 'MODE')} needs the stage {MODES_STAGE}: add it to STAGES, or leave STAGES out"
    if arguments.given.get("MODES") == "off":
        return f"{_word(arguments, 'MODE')} needs a kernel that follows its display: leave MODES=off out"
    if _kernels(arguments, "DRAW", "full") == ["gpu"] or arguments.flag("VIRGL"):
        return f"{_word(arguments, 'MODE')} needs the 2D device: the display of the GL device, a window, has one size"
    return ""


def _compared(arguments: Arguments) -> str:
    """What is for a comparison, where nothing is compared."""
    stages = arguments.given.get("STAGES", "timing")
    for name in ("SMALLEST", "QUIET"):
        if name in arguments.given and "timing" not in stages.split(","):
            return f"{_word(arguments, name)} has no meaning beside STAGES={stages}, which compares no times"
    return ""


def _compiler(arguments: Arguments) -> str:
    """A compiler that is not here and none that could be installed: mistyped."""
    name = arguments.given.get("CC", "gcc")
    if name in COMPILERS or shutil.which(name):
        return ""
    near = nearest(name, COMPILERS)
    return f"CC={shown(name)}: no such compiler here{f'; did you mean CC={near}?' if near else ''}"


def _load(arguments: Arguments) -> str:
    """Tasks run on other CPUs: measuring has one, unless the disk's load or QEMU_ARGS brings another."""
    if arguments.command not in ("perf", "ab", "explain", "latency") or "QEMU_ARGS" in arguments.given:
        return ""
    words = dict(word.split("=", 1) for word in arguments.given.get("OPTS", "").split())
    if words.get("load") == "1" and not int(words.get("blk", "0")):
        return f"OPTS=load=1 needs a second CPU, which a load on the disk brings: add {_DISK_EXAMPLE}"
    return ""


def _cluster(arguments: Arguments) -> str:
    where = arguments.given.get("CLUSTER", "")
    if "WORKERS" in arguments.given and where and where != "local":
        return (
            f"{_word(arguments, 'WORKERS')} has no meaning beside {_word(arguments, 'CLUSTER')}: it is of CLUSTER=local"
        )
    if arguments.given.get("INSECURE") == "1" and where and not where.startswith("tcp:"):
        return f"INSECURE=1 has no meaning beside {_word(arguments, 'CLUSTER')}: it is of tcp://"
    return ""


def _litmus(arguments: Arguments) -> str:
    narrowed = [name for name in ("ARCH", "BARRIER") if name in arguments.given]
    if arguments.command == "litmus" and arguments.given.get("README") == "1" and narrowed:
        return f"{narrowed[0]} has no meaning beside README=1, whose table holds every ARCH and BARRIER"
    return ""


def _calibrate(arguments: Arguments) -> str:
    fault = arguments.given.get("FAULT", "none")
    if arguments.command == "calibrate" and fault != "none":
        return f"FAULT={fault}: calibrate plants its own"
    if arguments.command == "calibrate" and arguments.given.get("FOREIGN") == "1" and "FILL" in arguments.given:
        return f"{_word(arguments, 'FILL')} has no meaning beside FOREIGN=1, whose kernel fills by the pixel"
    return ""


def _arms(arguments: Arguments) -> str:
    """Arms of a comparison are A, B, C … without a gap."""
    if arguments.command != "ab":
        return ""
    if "TARGET" in arguments.given:
        words = arguments.given["TARGET"].split(",")
        few = f"TARGET={shown(arguments.given['TARGET'])}: ab compares two targets or more, joined by commas"
        return few if len(words) < 2 or len(set(words)) < len(words) or "" in words else ""
    names = sorted(name for name in arguments.given if len(name) == 1)
    expected = [chr(ord("A") + index) for index in range(max(len(names), 2))]
    if names and names != expected:
        missing = next(name for name in expected if name not in names)
        return f"ab compares A with B, C …: give {missing} as well, as in {missing}=default (this tree's kernel)"
    return _switches_of_files(arguments, names)


def _switches_of_files(arguments: Arguments, names: Sequence[str]) -> str:
    """Switches for arms of which none is built."""
    try:
        sources = {parse_arm(name, arguments.given[name], arguments.switches).source for name in names}
    except UsageError as error:
        return str(error)
    for name in arguments.given:
        built = name == "CC" or name != "ARCH" and name in arguments.switches
        if built and sources and sources <= {Source.FILE, Source.TARGET}:
            return f"{_word(arguments, name)} has no meaning for kernels that are built already"
    return ""


_ACTION_SETTINGS = {
    "export": ("FILE",),
    "import": ("FILE",),
    "add": ("CELL",),
    "prune": ("KEEP", "EVERY"),
    "findings": ("ALL",),
    "acknowledge": ("FINDING", "REASON"),
}
_ACTION_REQUIRES = {"add": ("CELL",), "acknowledge": ("FINDING", "REASON")}


def _history(arguments: Arguments) -> str:
    """Each action of the history has settings of its own."""
    if arguments.command != "history":
        return ""
    action, *files = arguments.words
    takes = _ACTION_SETTINGS.get(action, ())
    for name, text in arguments.given.items():
        if name not in takes:
            return f"{name}={shown(text)} has no meaning for history {action}"
    for name in _ACTION_REQUIRES.get(action, ()):
        if name not in arguments.given:
            return f'history {action} needs {name}="{_example("history", name)}"'
    most = {"export": 1, "import": 1, "add": 1000}.get(action, 0)
    if len(files) > most:
        return f"{shown(files[most])}: history {action} takes {'one file' if most else 'no such word'}"
    if files and arguments.has("FILE"):
        return f"{shown(files[0])}: history {action} takes one file, and FILE names one"
    return "history add needs results/… folders" if action == "add" and not files else ""


def _example(command: str, name: str) -> str:
    return settings_of(command)[name].example


_RULES: tuple[Callable[[Arguments], str], ...] = (
    _exclusions,
    _own_arguments,
    _calibrate,
    _needs,
    _required,
    _bisect_revisions,
    _arms,
    _said_twice,
    _slow,
    _fault,
    _host_draws,
    _pictures,
    _modes,
    _compared,
    _compiler,
    _load,
    unusable_words,
    too_little_memory,
    _cluster,
    _litmus,
    _history,
    too_small,
)
