"""A side of a comparison in the user's words: ``A="HEAD~3 BARRIER=linux"``, ``B=baseline``, ``A=old.elf``.

Pure: decides what is meant, builds and opens nothing. A request is a source (the working tree, a git revision, an
approved baseline or a kernel file) and, where a kernel is built from source, a combination of switches.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.model.case_study import CASE_STEPS, named_combination
from harness.model.spec import Switches, UsageError

TARGET_SUFFIX = ".toml"
NAMED = ("default", *(step.name for step in CASE_STEPS))


class Source(enum.Enum):
    """Where a kernel comes from."""

    TREE = "tree"
    REVISION = "revision"
    BASELINE = "baseline"
    FILE = "file"
    TARGET = "target"


@dataclass(frozen=True)
class ArmRequest:
    """One side of a comparison."""

    name: str
    """``A``, ``B`` … or ``candidate``, ``reference``."""
    text: str
    source: Source
    switches: Switches
    where: str = ""
    """The revision, the baseline's name, or the file's path; empty for the working tree."""

    @property
    def label(self) -> str:
        """The name of this side in a report."""
        if self.source is Source.FILE:
            return Path(self.where).name
        if self.source is Source.TARGET:
            return Path(self.where).stem if self.where.endswith(TARGET_SUFFIX) else self.where
        place = {Source.TREE: "", Source.REVISION: f"{self.where} ", Source.BASELINE: f"baseline {self.where} "}
        default = "" if self.switches.chosen or self.source is Source.BASELINE else " default"
        return f"{place[self.source]}{self.switches.label}{default}".strip()


def parse_arm(name: str, text: str, common: Mapping[str, str]) -> ArmRequest:
    """Parse one arm.

    Parameters
    ----------
    name
        The key it was given under.
    text
        Words separated by blanks: at most one of a named combination, ``baseline`` or ``baseline:<name>``,
        ``target:<name>`` or a path that ends in ``.toml``, a path that ends in ``.elf`` or holds a slash, or a git
        revision; and any number of ``SWITCH=value``.
    common
        Switches given outside the arm, ARCH included; the arm's own words override them.

    Raises
    ------
    UsageError
        Two sources in one arm, an unknown switch or value, or switches for a kernel that is not built.
    """
    words = text.split()
    own = dict(_setting(name, word) for word in words if _is_setting(word))
    places = [word for word in words if not _is_setting(word)]
    if len(places) > 1:
        raise UsageError(f"{name}: more than one source ({' '.join(places)}); name one, and switches as SWITCH=value")
    place = places[0] if places else ""
    arch = own.get("ARCH", common.get("ARCH", "x86_64"))
    if place in NAMED:
        settings = named_combination(place, arch).everything() | dict(common) | own
        return ArmRequest(name, text, Source.TREE, Switches.of(settings))
    switches = Switches.of({"ARCH": arch} | dict(common) | own)
    if place == "baseline" or place.startswith("baseline:"):
        which = place.partition(":")[2] or switches.get("BARRIER")
        return ArmRequest(name, text, Source.BASELINE, switches, which)
    if place.endswith(TARGET_SUFFIX) or place.startswith("target:"):
        if own:
            raise UsageError(f"{name}: {place} is a target; switches ({' '.join(own)}) cannot change it")
        return ArmRequest(name, text, Source.TARGET, switches, place.removeprefix("target:"))
    if place.endswith(".elf") or "/" in place and Path(place).suffix in (".elf", ".bin", ".iso", ""):
        if own and Path(place).is_file():
            raise UsageError(f"{name}: {place} is a built kernel; switches ({' '.join(own)}) cannot change it")
        if Path(place).is_file() or place.endswith(".elf"):
            return ArmRequest(name, text, Source.FILE, switches, place)
    if place:
        return ArmRequest(name, text, Source.REVISION, switches, place)
    return ArmRequest(name, text, Source.TREE, switches)


def _is_setting(word: str) -> bool:
    key, equals, _ = word.partition("=")
    return bool(equals) and key.replace("_", "").isalpha() and key.isupper()


def _setting(name: str, word: str) -> tuple[str, str]:
    key, _, value = word.partition("=")
    if not value:
        raise UsageError(f"{name}: {word} has no value")
    return key, value
