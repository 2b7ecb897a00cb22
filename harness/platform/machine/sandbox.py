"""The box that QEMU runs in, beside its own filter of system calls.

In the box, QEMU sees programs and libraries, what its command line names, and its run's folder, which alone it can
write; it has no network, no capabilities, no other process of the host to look into, and limits for memory and files.
util-linux makes the box and then becomes QEMU: bubblewrap would stay between the two, and the harness could no longer
tell how QEMU ended, or that somebody had stopped it.

A run takes the best of the layers below that works here; none of them can make it fail.
"""

from __future__ import annotations

import enum
import functools
import os
import re
import resource
import shlex
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.model.errors import HarnessError
from harness.model.spec import WINDOWS, Device, Display, Machine, RunSpec
from harness.platform.processes.child import ChildError, run_child

MIB = 1 << 20
MEMORY_BYTES, GL_MEMORY_BYTES = 8 << 30, 24 << 30
"""Beside the guest's memory: of addresses, of which translated code, thread arenas and software GL take most."""
TOOL_MEMORY_BYTES, TOOL_BYTES, TOOL_PROCESSES = 4 << 30, 256 << 20, 4096
"""Limits of a program that draws pictures: addresses, the largest file, and processes of its user."""
DISPLAY_FOLDER = "/tmp/.X11-unix"

_PROBE_S = 20.0
_MOUNT_POINTS = ("/mnt", "/media", "/srv", "/boot", "/home", "/opt")
_PROGRAMS = ("/usr", "/bin", "/lib", "/lib64", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/proc")
_FOR_PROGRAMS = ("/etc/alternatives", "/etc/fonts")
"""Libraries of Debian are links through the first."""
_FOR_PICTURES = ("/sys", "/etc/alternatives", "/etc/drirc", "/etc/egl", "/etc/fonts", "/etc/glvnd", "/etc/passwd")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
_APART = ("--mount", "--net", "--propagation", "private")
_POWERLESS = ("setpriv", "--pdeathsig", "KILL", "--no-new-privs")
_NO_CAPABILITIES = ("--inh-caps=-all", "--bounding-set=-all", "--")


class Layer(enum.Enum):
    """How far QEMU is kept apart, the best first."""

    USER_NAMESPACE = "box in a user namespace"
    MOUNT_NAMESPACE = "box without a user namespace"
    """For root where user namespaces are forbidden."""
    NO_CAPABILITIES = "no capabilities"
    """For root: it sees every file, but only what root owns yields to it."""
    NONE = "no new privileges"
    """For a user, who has no capabilities anyway."""


@dataclass(frozen=True)
class Trial:
    """Whether a layer works here."""

    layer: Layer
    works: bool
    says: str


@dataclass(frozen=True)
class Visible:
    """A file that is seen in a box, by its name outside."""

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    folder: Path
    """The working folder, in which relative names are looked up."""
    scratch: Path
    """Where temporary files go."""


def sandboxed(command: Sequence[str], spec: RunSpec, folder: Path, environment: Mapping[str, str] | None) -> list[str]:
    """The words that run a QEMU's command in the best box that works here.

    A window of the session needs the session: it has limits and gains no privileges, and that is all.
    """
    limited = limit_words(command, spec)
    if spec.machine.display in WINDOWS:
        return [*limited, *_POWERLESS, "--", *command]
    visible = visible_files(command, spec.machine, folder, environment or {})
    shared_memory = spec.machine.display is Display.XVFB
    layer = open_layer() if is_script(Path(command[0])) else best_layer()
    return [*limited, *layer_words(layer, visible, shared_memory=shared_memory), *command]


def boxed_tool(command: Sequence[str], folder: Path, scratch: Path) -> list[str]:
    """The words that run somebody's program in the best box: it reads its folder, and writes its scratch alone."""
    visible = Visible(
        tuple(name for name in (*_PROGRAMS, *_FOR_PROGRAMS, str(folder.resolve())) if os.path.exists(name)),
        tuple(name for name in (*_DEVICES, str(scratch.resolve())) if os.path.exists(name)),
        folder.resolve(),
        scratch.resolve(),
    )
    limited = _prlimit(fsize=TOOL_BYTES, as_=TOOL_MEMORY_BYTES, nproc=TOOL_PROCESSES)
    return [*layer_words(best_layer(), visible), *limited, *command]


def limit_words(command: Sequence[str], spec: RunSpec) -> list[str]:
    """Limits of memory and of the size of any file, and no core dumps."""
    machine = spec.machine
    beside = MEMORY_BYTES if machine.device is Device.GPU_2D else GL_MEMORY_BYTES
    # The harness itself ends a guest whose trace grows beyond its limit: that comes well before this. QEMU may write
    # the files that a run names, or a copy of them.
    named = [2 * os.path.getsize(name) for name in named_files(command[1:])]
    files = max(4 * spec.limits.trace_bytes, 2 * spec.limits.picture_bytes, machine.disk_mib * MIB, *named)
    return _prlimit(fsize=files, as_=machine.memory_mib * MIB + beside)


def _prlimit(**limits: int) -> list[str]:
    """The words that set these limits, or a lower one that holds here already: nobody may raise that."""
    if shutil.which("prlimit") is None:
        return []
    words = []
    for name, value in limits.items():
        name = name.rstrip("_")
        _, most = resource.getrlimit(getattr(resource, f"RLIMIT_{name.upper()}"))
        words.append(f"--{name}={value if most == resource.RLIM_INFINITY else min(value, most)}")
    return ["prlimit", "--core=0", *words, "--"]


def named_files(words: Sequence[str]) -> tuple[str, ...]:
    """Files and devices that arguments name; folders too, where they are given as paths."""
    pieces = {piece.replace(",,", ",") for word in words for piece in re.split(r"(?<!,),(?!,)", word)}
    pieces |= {piece.partition("=")[2] for piece in pieces}
    pieces |= set(words)  # -kernel and others take a name as it is, commas and all
    found = [piece for piece in pieces if piece and (os.path.exists(piece) if "/" in piece else os.path.isfile(piece))]
    return tuple(sorted(os.path.abspath(piece) for piece in found))


def visible_files(command: Sequence[str], machine: Machine, folder: Path, environment: Mapping[str, str]) -> Visible:
    """Files that a run needs: those of its own arguments may be written, those of the harness may be read."""
    home = folder.absolute()
    given = [name for name in named_files(command[1:]) if os.path.isfile(name) and not Path(name).is_relative_to(home)]
    readable = [*_PROGRAMS, *_outside_programs(Path(command[0])), *given]
    writable = [*_DEVICES, *named_files(machine.extra), str(home)]
    if machine.accelerator != "tcg":
        writable.append(f"/dev/{machine.accelerator}")
    if machine.display is not Display.NONE:
        readable += _FOR_PICTURES
        writable.append("/dev/dri")
    if machine.display is Display.XVFB:
        readable.append(f"{DISPLAY_FOLDER}/X{environment.get('DISPLAY', '').lstrip(':')}")
    seen = [[name for name in names if os.path.exists(name)] for names in (readable, writable)]
    return Visible(tuple(seen[0]), tuple(seen[1]), Path.cwd(), home)


@functools.lru_cache(maxsize=16)
def _outside_programs(binary: Path) -> tuple[str, ...]:
    """Where a QEMU that is not the system's has its files and libraries."""
    real = binary.resolve()
    if any(real.is_relative_to(name) for name in _PROGRAMS):
        return ()
    homes = {str(place.parent) for place in (binary.absolute(), real)}
    homes |= {str(Path(home).parent) for home in homes if Path(home).name == "bin"}
    try:
        said = run_child(["ldd", str(real)], limit_s=_PROBE_S, merged=True).text
    except ChildError:
        said = ""
    homes |= {str(Path(name).resolve().parent) for name in re.findall(r"=> (/\S+) \(0x", said)}
    return tuple(sorted(home for home in homes if not any(Path(home).is_relative_to(name) for name in _PROGRAMS)))


def layer_words(layer: Layer, visible: Visible, *, shared_memory: bool = False) -> list[str]:
    """The words before a command that shall run in a layer.

    Parameters
    ----------
    shared_memory
        The segments of System V that a display shares with who draws on it.
    """
    if layer is Layer.NONE:
        return [*_POWERLESS, "--"]
    inside = [*_POWERLESS, *_NO_CAPABILITIES]
    if layer is Layer.NO_CAPABILITIES:
        return inside
    user = ["--user", "--map-root-user"] if layer is Layer.USER_NAMESPACE else []
    apart = ["unshare", *user, *_APART, *([] if shared_memory else ["--ipc"]), "--"]
    return [*apart, "sh", "-c", _box_script(visible), "sh", *inside]


_SCRIPT = """PATH="$PATH:/usr/sbin:/sbin"
if trouble=$( ( {steps} ) 2>&1 ); then {enter}; fi
printf 'warning: QEMU runs without its box: %s\\n' "$(printf %s "$trouble" | tr '\\n' ' ')" >&2
exec "$@"
"""


def _box_script(visible: Visible) -> str:
    """Builds the box on a mount point that this process alone sees, and goes in; where it cannot, it says so."""
    root = _mount_point((*visible.readable, *visible.writable))
    options = {name: f"rbind,ro,{_flags(name)}" for name in visible.readable}
    options |= {name: "rbind" for name in visible.writable}
    # In this order, what lies within another entry comes after it. /bin is often /usr/bin by another name.
    links = [name for name in options if os.path.islink(name) and os.readlink(name) == f"usr{name}"]
    names = sorted(set(options) - set(links))
    folders = {name if os.path.isdir(name) else os.path.dirname(name) for name in names} | {str(visible.folder), "/dev"}
    table = "".join(f"{_field(name)} {_field(root + name)} none {options[name]} 0 0\n" for name in names)
    steps = [
        f"mount -t tmpfs -o size=1m,mode=755 none {root}",
        f"mkdir -p -- {shlex.join(root + name for name in sorted(folders))}",
        *(f": > {shlex.quote(root + name)}" for name in names if not os.path.isdir(name)),
        *([f"ln -s -- {shlex.join(f'usr{name}' for name in links)} {root}"] if links else []),
        f"printf '%s' {shlex.quote(table)} > {root}/.mounts",
        f"mount --all --fstab {root}/.mounts",
        f"mount -o remount,bind,ro {root}",
    ]
    temporary = shlex.quote(f"TMPDIR={visible.scratch}")
    enter = f'exec chroot {root} env --chdir={shlex.quote(str(visible.folder))} {temporary} "$@"'
    return _SCRIPT.format(steps=" &&\n".join(steps), enter=enter)


def _mount_point(names: Collection[str]) -> str:
    """A folder of which nothing is needed."""
    for place in _MOUNT_POINTS:
        if os.path.isdir(place) and not any(Path(name).is_relative_to(place) for name in names):
            return place
    return "/mnt"


def _flags(name: str) -> str:
    """Flags of the whole that a mount of a part must keep."""
    return "nosuid,nodev,noexec" if os.statvfs(name).f_flag & os.ST_NOEXEC else "nosuid,nodev"


def _field(name: str) -> str:
    """A name in a table of mounts: blanks and what else ends a field in octal."""
    return re.sub(r"[\s\\#]", lambda found: f"\\{ord(found[0]):03o}", name)


def trials() -> list[Trial]:
    """Every layer, tried."""
    return [_trial(layer) for layer in Layer]


@functools.lru_cache(maxsize=1)
def best_layer() -> Layer:
    """The best layer that works here."""
    return next((layer for layer in Layer if _trial(layer).works), Layer.NONE)


def is_script(binary: Path) -> bool:
    """Whether a QEMU is a script that runs another one: what that one needs is not known, and would lack in a box."""
    try:
        # No bound needed: two bytes of the QEMU that is about to run.
        with binary.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


@functools.lru_cache(maxsize=1)
def open_layer() -> Layer:
    """The best layer that works here and hides no file."""
    return Layer.NO_CAPABILITIES if _trial(Layer.NO_CAPABILITIES).works else Layer.NONE


_SHOW = "grep -E '^(CapEff|CapPrm):' /proc/self/status; test -e /root && echo root; exit 0"


def _trial(layer: Layer) -> Trial:
    """Run a shell in a layer and see what it can do."""
    visible = Visible(tuple(name for name in _PROGRAMS if os.path.exists(name)), _DEVICES, Path("/"), Path("/"))
    try:
        done = run_child([*layer_words(layer, visible), "sh", "-c", _SHOW], limit_s=_PROBE_S)
    except HarnessError as error:
        return Trial(layer, False, error.message)
    said = "; ".join(done.errors[:2])
    if done.status or said:
        return Trial(layer, False, said or f"status {done.status}")
    powerless = all(int(line.split()[1], 16) == 0 for line in done.text.splitlines() if line.startswith("Cap"))
    if not powerless and layer is not Layer.NONE:
        return Trial(layer, False, "capabilities stay")
    return Trial(layer, True, _MEANINGS[layer])


_MEANINGS = {
    Layer.USER_NAMESPACE: "no network, no capabilities; sees what it runs and its own folder, which alone it writes",
    Layer.MOUNT_NAMESPACE: "no network, no capabilities; sees what it runs and its own folder, which alone it writes",
    Layer.NO_CAPABILITIES: "no capabilities; sees every file, and writes what its user owns",
    Layer.NONE: "gains no privileges; sees every file, and writes what its user may",
}
