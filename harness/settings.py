"""The words of a command line: what a command takes, as values that are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.gate.metrics import RULES, Rule, rules_from_toml
from harness.gate.stages.catalogue import STAGE_NAMES
from harness.model.spec import Machine, RunParams, UsageError, switch_table
from harness.platform.virgl import with_virgl


@dataclass(frozen=True)
class Arguments:
    """A command's words: ``KEY=VALUE`` settings, ``--options`` and the rest, in order."""

    settings: Mapping[str, str] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


def split_settings(arguments: Arguments, own: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Separate a command's own settings from the kernel's switches.

    Raises
    ------
    UsageError
        When a key is neither.
    """
    switches: dict[str, str] = {}
    settings: dict[str, str] = {}
    for key, value in arguments.settings.items():
        if key == "ARCH" or key in switch_table():
            switches[key] = value
        elif key in own:
            settings[key] = value
        else:
            raise UsageError(f"{key}: no such setting; there are {' '.join(own)} and the switches of kernel/options.h")
    return settings, switches


def number(settings: dict[str, str], key: str, default: float, low: float, high: float) -> float:
    """A numeric setting within bounds, both inclusive."""
    if key not in settings:
        return default
    try:
        value = float(settings[key].removesuffix("s"))
    except ValueError as error:
        raise UsageError(f"{key}={settings[key]}: not a number") from error
    if not low <= value <= high:
        raise UsageError(f"{key}={settings[key]}: must lie between {low:g} and {high:g}")
    return value


def load_rules(path: str | None) -> tuple[Rule, ...]:
    """The table of metrics with the user's changes."""
    if path is None:
        return RULES
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"CONFIG={path}: cannot be read: {error}") from error
    return rules_from_toml(text, path)


def run_params(settings: dict[str, str]) -> RunParams:
    """The kernel's parameters from MODE, SLOW and OPTS (``mode=… seed=…`` as on its command line)."""
    words = dict(word.partition("=")[::2] for word in settings.get("OPTS", "").split())
    words |= {key.lower(): settings[key] for key in ("MODE", "SLOW") if key in settings}
    params = RunParams()
    for key, value in words.items():
        if key == "mode":
            width, x, height = value.partition("x")
            if not (x and width.isdigit() and height.isdigit()):
                raise UsageError(f"mode={value}: must look like 1024x768")
            params = replace(params, mode=(int(width), int(height)))
        elif key in ("pace", "blk", "slow", "seed", "first", "load", "warmup") and value.isdigit():
            params = replace(params, **{key: int(value)})
        else:
            raise UsageError(f"OPTS {key}={value}: unknown key or not a number")
    return params


def chosen_stages(settings: Mapping[str, str]) -> frozenset[str]:
    """The stages that STAGES names, by default all."""
    known = frozenset(STAGE_NAMES)
    asked = frozenset(settings["STAGES"].split(",")) if "STAGES" in settings else known
    if asked - known:
        raise UsageError(f"STAGES={settings['STAGES']}: there are {','.join(sorted(known))}")
    return asked


def chosen_device(machine: Machine, settings: Mapping[str, str]) -> tuple[Machine, str]:
    """The machine with the device that VIRGL says, and in words how it is shown.

    Raises
    ------
    UsageError
        When VIRGL is neither 0 nor 1.
    QemuError
        When the GL device works on no display here.
    """
    value = settings.get("VIRGL", "0")
    if value not in ("", "0", "1"):
        raise UsageError(f"VIRGL={value}: 1 for the GL device, or 0")
    return with_virgl(machine) if value == "1" else (machine, "")
