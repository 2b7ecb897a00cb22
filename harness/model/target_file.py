"""The TOML of a target: read with every key checked, and written as short as it can be.

A complaint is one line, ``FILE:LINE: KEY: what is wrong``; a mistyped key is answered with the nearest right one.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import typing
from collections.abc import Mapping
from typing import Any

import tomllib

from harness.model import codec
from harness.model.codec import CodecError
from harness.model.qemu_arches import KNOWN_ARCHES
from harness.model.spec import UsageError
from harness.model.target import KILLED, NO, OK, POWEROFF, PROTOCOL, FrameBy, Target, TargetSerial
from harness.model.target_record import TargetRecord
from harness.model.toml_lines import line_of
from harness.model.values import nearest, shown

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SIZE = re.compile(r"(\d{1,7}) ?(M|MiB|G|GiB)?", re.IGNORECASE)
_GPU = re.compile(r"(virtio-(?:gpu|vga)[a-z0-9-]*|vhost-user-(?:gpu|vga)[a-z0-9-]*)(,.*)?")
_COUNTERS = ("fences", "spins", "completions", "notifies", "timeouts", "rekicks")
"""Names of the groups of ``serial.perf``."""
_GATE_LIMITS = {"fps_floor": (0.0, 1e6), "smallest": (0.001, 0.9), "p99_ms": (0.0, 1e6)}
_STATUS_MOST = 255


def parse_target(text: str, name: str, origin: str, folder: str = "") -> Target:
    """Understand a target's file.

    Parameters
    ----------
    name
        What the target is called: the file's name without ``.toml``.
    origin
        The file, for messages.
    folder
        Where it lies.

    Raises
    ------
    UsageError
        Naming the file, the line and the key of what is wrong.
    """
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}: {error}") from error
    return _TargetReader(text, origin).target(plain, name, folder)


def target_of(record: TargetRecord) -> Target:
    """The target of a saved run; its images may be gone.

    Raises
    ------
    UsageError
        When what was saved is damaged.
    """
    return parse_target(record.toml, record.name, f"the saved target {record.name}")


class _TargetReader:
    """Turns the parsed file into a target; every complaint names file, line and key."""

    def __init__(self, text: str, origin: str) -> None:
        self.text = text
        self.origin = origin

    def wrong(self, where: str, why: str) -> UsageError:
        return UsageError(f"{self.origin}:{line_of(self.text, where)}: {where}: {why}")

    def target(self, plain: dict[str, Any], name: str, folder: str) -> Target:
        """The whole file."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{self.origin}: {shown(name)}: a target's name is letters, digits, - . and _")
        self._known(plain, Target, "", hidden=("name", "folder", "memory_mib"), more=("memory",))
        given: dict[str, Any] = {**plain, "name": name, "folder": folder}
        if "memory" in given:
            given["memory_mib"] = self._memory(given.pop("memory"))
        for key in ("pflash", "loader", "disk"):
            self._listed(given, "image", key)
        self._shapes(given)
        try:
            target = codec.from_plain(Target, given)
        except CodecError as error:
            raise self.wrong(".".join(error.place) or "the file", error.why) from error
        self._check(target)
        return target

    def _known(
        self, plain: Mapping[str, Any], kind: type, where: str, hidden: tuple[str, ...] = (), more: tuple[str, ...] = ()
    ) -> None:
        """Raise for the first key, here or in a table below, that there is not."""
        hints = typing.get_type_hints(kind)
        names = [one.name for one in dataclasses.fields(kind) if one.name not in hidden] + list(more)
        for key, value in plain.items():
            place = f"{where}.{key}".lstrip(".")
            if key not in names:
                near = nearest(key, names)
                raise self.wrong(place, f"no such key; {f'did you mean {near}?' if near else ' '.join(names)}")
            below = hints.get(key)
            if isinstance(below, type) and dataclasses.is_dataclass(below):
                if not isinstance(value, dict):
                    raise self.wrong(place, f'must be a table, as in {key} = {{ … }}, not "{shown(str(value))}"')
                self._known(value, below, place)

    def _memory(self, value: Any) -> int:
        found = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if found:
            return self._memory(int(found[1]) << (10 if (found[2] or "M")[0] in "gG" else 0))
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1 << 20:
            raise self.wrong("memory", 'a number of MiB, or a text as "512M" or "2G"')
        return value

    def _listed(self, given: dict[str, Any], table: str, key: str) -> None:
        """One file may stand where a list of files may."""
        below = given.get(table)
        if isinstance(below, dict) and isinstance(below.get(key), str):
            given[table] = {**below, key: [below[key]] if below[key] else []}

    def _shapes(self, given: dict[str, Any]) -> None:
        """Forms that a person writes and the type does not have."""
        if isinstance(given.get("args"), str):
            try:
                given["args"] = shlex.split(given["args"])
            except ValueError as error:
                raise self.wrong("args", f"{error}: quote it as for a shell") from error
        if isinstance(given.get("end"), int) and not isinstance(given["end"], bool):
            given["end"] = str(given["end"])
        by, ways = given.get("frame", {}).get("by"), [one.value for one in FrameBy]
        if by is not None and by not in ways:
            near = nearest(str(by), ways)
            raise self.wrong("frame.by", f"{shown(str(by))}: {f'did you mean {near}?' if near else ' '.join(ways)}")
        if isinstance(given.get("keys"), list):
            given["keys"] = [["", one] if isinstance(one, str) else one for one in given["keys"]]

    def _check(self, target: Target) -> None:
        """Checks that types cannot express."""
        if target.arch not in KNOWN_ARCHES:
            near = nearest(target.arch, KNOWN_ARCHES)
            listed = f"did you mean {near}?" if near else f"there are {' '.join(KNOWN_ARCHES)}"
            raise self.wrong("arch", f"{shown(target.arch)}: QEMU emulates no such architecture; {listed}")
        image = target.image
        if not any(role != "initrd" for role, _ in image.files):
            raise self.wrong("image", "names no file: kernel, iso, bios, pflash, loader or disk")
        if not image.kernel and (image.initrd or image.append or image.dtb):
            raise self.wrong("image", "initrd, dtb and append belong to a kernel, and there is none")
        if target.gpu and not _GPU.fullmatch(target.gpu):
            raise self.wrong("gpu", f"{shown(target.gpu)}: no virtio-gpu of QEMU, as virtio-gpu-pci or virtio-vga")
        self._bounded("vcpus", target.vcpus, 1, 256)
        self._bounded("head", target.head, 0, 15)
        outputs = re.search(r"max_outputs=(\d+)", " ".join((target.gpu, *target.args)))
        if target.head >= (int(outputs[1]) if outputs else 1):
            many = f'{target.gpu or "virtio-gpu-pci"},max_outputs={target.head + 1}'
            raise self.wrong("head", f'{target.head}: the device has fewer heads, numbered from 0; gpu = "{many}"')
        self._bounded("settle_s", target.settle_s, 0, 3600)
        for key, value in dataclasses.asdict(target.limits).items():
            self._bounded(f"limits.{key}", value, 0.1, 86400)
        self._bounded("frame.gap_ms", target.frame.gap_ms, 0, 10_000)
        self._bounded("frame.pace", target.frame.pace, 0, 1000)
        for key, (low, high) in _GATE_LIMITS.items():
            self._bounded(f"gates.{key}", getattr(target.gates, key), low, high)
        self._choices(target)
        self._patterns(target)

    def _bounded(self, where: str, value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            raise self.wrong(where, f"{value:g} must lie between {low:g} and {high:g}")

    def _choices(self, target: Target) -> None:
        for key in ("static", "blank"):
            value = getattr(target.pictures, key)
            if value not in (OK, NO):
                raise self.wrong(f"pictures.{key}", f'{shown(value)}: "{OK}" or "{NO}"')
        try:
            shlex.split(target.pictures.oracle)
        except ValueError as error:
            raise self.wrong("pictures.oracle", f"{error}: quote it as for a shell") from error
        if target.gates.ordering not in ("must", "report", "off"):
            raise self.wrong("gates.ordering", f'{shown(target.gates.ordering)}: "must", "report" or "off"')
        if target.end in ("", KILLED, POWEROFF):
            return
        if not target.end.isascii() or not target.end.isdecimal() or int(target.end) > _STATUS_MOST:
            raise self.wrong("end", f'{shown(target.end)}: "{KILLED}", "{POWEROFF}" or QEMU\'s exit status')

    def _patterns(self, target: Target) -> None:
        for where, pattern in patterns_of(target):
            try:
                groups = re.compile(pattern.encode()).groupindex
            except re.error as error:
                at = f", at character {error.pos + 1}" if error.pos is not None else ""
                raise self.wrong(where, f"{shown(pattern)}: no regular expression: {error.msg}{at}") from error
            if where == "serial.perf" and (odd := [name for name in groups if name not in _COUNTERS]):
                near = nearest(odd[0], _COUNTERS)
                listed = f"did you mean {near}?" if near else f"there are {' '.join(_COUNTERS)}"
                raise self.wrong(where, f"{shown(odd[0])}: no counter; {listed}")
            if where == "serial.perf" and pattern and not groups:
                raise self.wrong(where, r"names no counter, as in fences=(?P<fences>\d+)")
            if where.startswith(("input", "ready")) and pattern == "" and where != "ready":
                raise self.wrong(where, "an empty prompt: what is waited for before this is typed?")


def patterns_of(target: Target) -> list[tuple[str, str]]:
    """Every regular expression of a target, with its key."""
    serial = [(f"serial.{one.name}", getattr(target.serial, one.name)) for one in dataclasses.fields(TargetSerial)]
    talks = [(f"input.{at}", pattern) for at, (pattern, _) in enumerate(target.input)]
    pressed = [(f"keys.{at}", pattern) for at, (pattern, _) in enumerate(target.keys)]
    declared = [(where, pattern) for where, pattern in serial if pattern != PROTOCOL]
    return [("ready", target.ready), *declared, *talks, *pressed]


def target_toml(target: Target) -> str:
    """A target as the file that it amounts to: only differences from the defaults, one key a line."""
    plain = codec.to_plain(target)
    usual = codec.to_plain(Target(target.name))
    lines = []
    for one in dataclasses.fields(Target):
        value = plain[one.name]
        if one.name in ("name", "folder") or value == usual[one.name]:
            continue
        if one.name == "memory_mib":
            lines.append(f"memory = {value}")
        elif isinstance(value, dict):
            changed = {key: item for key, item in value.items() if item != usual[one.name][key]}
            lines.append(f"{one.name} = {{ {', '.join(f'{key} = {_toml(item)}' for key, item in changed.items())} }}")
        else:
            lines.append(f"{one.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML writes it: a list of one file as that file."""
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str) and "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)
