"""The matrix of a nightly run, from one TOML file: cells, time limits and quarantine.

::

    [night]
    minutes = 240                 # for the whole nightly run; 0 sets no limit
    cell_seconds = 60             # BUDGET of each cell's run

    [combinations.irq]            # named switches, beside "default" and the steps of the case study
    COMPLETION = "irq"

    [combinations.paced]          # and settings of the run: OPTS, MODE, ALIKE
    OPTS = "pace=60"

    [[matrix]]                    # every product of what is listed
    arch = ["x86_64"]
    strategy = ["approved"]       # a BARRIER each, or whatever has an approved baseline
    device = ["2d"]
    combination = ["default"]
    weight = 2.0                  # how much it matters when time is short
    further = ["latency"]         # stages besides the usual ones
    baseline = "linux"            # what judges it; else the approved kernel of its strategy, or of its combination

    [[matrix]]                    # kernels of others, by their files (docs/targets.md); paths start at this folder
    target = ["ovmf", "../../kernel/perf.toml"]

    [[exclude]]                   # cells that agree in all that is given
    arch = "riscv64"

    [[quarantine]]                # runs and is shown, but does not count
    cell = "x86_64 linux 2d default"
    reason = "…"
    until = 2026-12-31

    [drift]                       # smallest relative change that is reported, by scope
    ratio = 0.003
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomllib

from harness.history.drift import DriftSettings
from harness.history.matrix import OWN_STRATEGY, Cell, Matrix, Quarantine
from harness.history.series import SCOPES
from harness.model.case_study import CASE_STEPS, named_combination
from harness.model.declared import MODES_STAGE, on_request, stage_table
from harness.model.spec import ARCHES, ROOT, Switches, UsageError
from harness.platform.kernels.key_place import SUFFIX
from harness.platform.kernels.targets import find_target

DEVICES = ("2d", "gl")
OF_THE_RUN = ("OPTS", "MODE", "ALIKE")
"""Settings that a combination may hold besides switches."""
APPROVED = "approved"
_CASE_NAMES = tuple(step.name for step in CASE_STEPS)
_NAME = re.compile(r"[A-Za-z0-9_.-]+")

ApprovedBaselines = Mapping[str, Mapping[str, Switches]]
"""Approved baselines: architecture, name, and the switches of the approved kernel."""


def parse_matrix(
    text: str,
    origin: str,
    approved: ApprovedBaselines,
    settings: Mapping[str, str] = MappingProxyType({}),
    folder: Path = ROOT / "ci",
) -> Matrix:
    """Understand a matrix file.

    Parameters
    ----------
    origin
        The file's name, for messages.
    approved
        What ``strategy = ["approved"]`` stands for.
    settings
        ``BUDGET`` or ``MINUTES``, and ``CELL_SECONDS``, of the command line, which win over the file.
    folder
        Of the file: where the paths of targets start.

    Raises
    ------
    UsageError
        Naming the file and the key of what is wrong.
    """
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin}: {error}") from error
    matrix = _Reader(origin, approved, folder).matrix(plain)
    minutes = _setting(settings, "MINUTES", matrix.minutes, 0, 10_000)
    if "BUDGET" in settings:
        minutes = _setting(settings, "BUDGET", 0.0, 5, 600_000) / 60
    cell_s = _setting(settings, "CELL_SECONDS", matrix.cell_seconds, 5, 3600)
    return replace(matrix, minutes=minutes, cell_seconds=min(cell_s, minutes * 60) if minutes else cell_s)


def _setting(settings: Mapping[str, str], key: str, default: float, low: float, high: float) -> float:
    try:
        value = float(settings[key].removesuffix("min").removesuffix("s")) if key in settings else default
    except ValueError as error:
        raise UsageError(f"{key}={settings[key]}: not a number") from error
    if not low <= value <= high:
        raise UsageError(f"{key}={value:g}: must lie between {low:g} and {high:g}")
    return value


class _Reader:
    """Turns the parsed file into a matrix; every complaint names file and key."""

    def __init__(self, origin: str, approved: ApprovedBaselines, folder: Path) -> None:
        self.origin = origin
        self.folder = folder
        self.approved = approved
        self.combinations: dict[str, Mapping[str, str]] = {}

    def wrong(self, where: str, why: str) -> UsageError:
        return UsageError(f"{self.origin}: {where}: {why}")

    def matrix(self, plain: Mapping[str, Any]) -> Matrix:
        """The whole file."""
        self._known(plain, "", ("night", "combinations", "matrix", "exclude", "quarantine", "drift"))
        night = self._table(plain.get("night", {}), "night")
        self._known(night, "night", ("minutes", "cell_seconds"))
        for name, switches in self._table(plain.get("combinations", {}), "combinations").items():
            self.combinations[name] = self._switches(name, switches)
        cells: dict[str, Cell] = {}
        for index, block in enumerate(self._tables(plain.get("matrix", []), "matrix"), 1):
            where = f"matrix {index}"
            for cell in self._targets(block, where) if "target" in block else self._block(block, where):
                if cell.target and cells.setdefault(cell.label, cell).target != cell.target:
                    raise self.wrong(f"{where}.target", f"two targets are called {cell.target_name}")
                cells.setdefault(cell.label, cell)
        excludes = [self._exclude(table) for table in self._tables(plain.get("exclude", []), "exclude")]
        kept = tuple(cell for cell in cells.values() if not any(_agrees(cell, exclude) for exclude in excludes))
        if not kept:
            raise self.wrong("matrix", "the matrix has no cell; is a baseline approved?")
        labels = {cell.label for cell in kept}
        return Matrix(
            kept,
            self._number(night.get("minutes", 0.0), "night.minutes", 0, 10_000),
            self._number(night.get("cell_seconds", 60.0), "night.cell_seconds", 5, 3600),
            tuple(self._quarantine(t, labels) for t in self._tables(plain.get("quarantine", []), "quarantine")),
            self._drift(self._table(plain.get("drift", {}), "drift")),
        )

    def _targets(self, block: Mapping[str, Any], where: str) -> list[Cell]:
        self._known(block, where, ("target", "weight"))
        weight = self._number(block.get("weight", 1.0), f"{where}.weight", 0.001, 1000)
        return [
            Cell("", "", "", "", Switches(), "", weight, self._target(word, where))
            for word in self._names(block, "target", where, [], None)
        ]

    def _target(self, word: str, where: str) -> str:
        """A target that there is: its name, or its file from anywhere."""
        if "/" in word or word.endswith(SUFFIX):
            path = self.folder / word
            if not path.is_file():
                raise self.wrong(f"{where}.target", f"{word}: {'not a file' if path.exists() else 'no such file'}")
            return str(path.resolve())
        try:
            find_target(word)
        except UsageError as error:
            raise self.wrong(f"{where}.target", str(error).removeprefix("TARGET=")) from error
        return word

    def _block(self, block: Mapping[str, Any], where: str) -> list[Cell]:
        keys = ("arch", "strategy", "device", "combination", "weight", "baseline", "further")
        self._known(block, where, keys)
        weight = self._number(block.get("weight", 1.0), f"{where}.weight", 0.001, 1000)
        arches = self._names(block, "arch", where, ["x86_64"], tuple(ARCHES))
        devices = self._names(block, "device", where, ["2d"], DEVICES)
        known = ("default", *self.combinations, *_CASE_NAMES)
        combinations = self._names(block, "combination", where, ["default"], known)
        strategies = self._names(block, "strategy", where, [], None)
        baseline = block.get("baseline", "")
        further = tuple(self._names(block, "further", where, [], tuple(filter(on_request, stage_table()))))
        cells = []
        for arch in arches:
            for combination in combinations:
                for strategy in self._strategies(strategies, arch, combination, where):
                    name = baseline or (strategy if combination == "default" else combination)
                    switches = self._cell_switches(arch, strategy, combination, where)
                    settings = self._run_settings(combination, further, where)
                    cells += [
                        Cell(arch, strategy, d, combination, switches, name, weight, "", further, settings)
                        for d in devices
                    ]
        return cells

    def _strategies(self, given: Sequence[str], arch: str, combination: str, where: str) -> list[str]:
        if combination in _CASE_NAMES:
            if given:
                raise self.wrong(where, f"{combination} brings its own strategy: leave strategy out")
            return [OWN_STRATEGY]
        if not given:
            raise self.wrong(f"{where}.strategy", f'name some, or "{APPROVED}"')
        found: list[str] = []
        for name in given:
            found += list(self.approved.get(arch, {})) if name == APPROVED else [name]
        return list(dict.fromkeys(found))

    def _cell_switches(self, arch: str, strategy: str, combination: str, where: str) -> Switches:
        if strategy == OWN_STRATEGY:
            return named_combination(combination, arch)
        stored = self.approved.get(arch, {}).get(strategy)
        settings = stored.everything() if stored else {"ARCH": arch, "BARRIER": strategy}
        try:
            chosen = {
                key: text for key, text in self.combinations.get(combination, {}).items() if key not in OF_THE_RUN
            }
            return Switches.of({**settings, **chosen, "ARCH": arch})
        except UsageError as error:
            raise self.wrong(where, str(error)) from error

    def _run_settings(self, combination: str, further: tuple[str, ...], where: str) -> tuple[tuple[str, str], ...]:
        """The settings of the run, which must give a change of the mode its sizes."""
        settings = tuple(
            (key, text) for key, text in self.combinations.get(combination, {}).items() if key in OF_THE_RUN
        )
        if (MODES_STAGE in further) != ("," in dict(settings).get("MODE", "")):
            raise self.wrong(
                f"{where}.further", f'"{MODES_STAGE}" and a combination with several sizes as MODE go together'
            )
        return settings

    def _switches(self, name: str, plain: Any) -> Mapping[str, str]:
        where = f"combinations.{name}"
        if not _NAME.fullmatch(name) or name in ("default", *_CASE_NAMES):
            raise self.wrong(where, "the name is taken, or holds more than letters, digits, - . and _")
        switches = {key: str(value) for key, value in self._table(plain, where).items()}
        if "ARCH" in switches:
            raise self.wrong(f"{where}.ARCH", "the architecture is the matrix's")
        try:
            Switches.of({key: text for key, text in switches.items() if key not in OF_THE_RUN})
        except UsageError as error:
            raise self.wrong(where, str(error)) from error
        return switches

    def _exclude(self, plain: Mapping[str, Any]) -> Mapping[str, str]:
        self._known(plain, "exclude", ("arch", "strategy", "device", "combination"))
        if not plain:
            raise self.wrong("exclude", "names nothing")
        return {key: str(value) for key, value in plain.items()}

    def _quarantine(self, plain: Mapping[str, Any], labels: set[str]) -> Quarantine:
        self._known(plain, "quarantine", ("cell", "reason", "until"))
        cell, reason, until = (plain.get(key) for key in ("cell", "reason", "until"))
        if cell not in labels:
            raise self.wrong("quarantine.cell", f"{cell!r} is not a cell; the cells are {', '.join(sorted(labels))}")
        if not isinstance(reason, str) or not reason.strip():
            raise self.wrong(f"quarantine {cell}", "a reason is needed")
        if not isinstance(until, datetime.date) or isinstance(until, datetime.datetime):
            raise self.wrong(f"quarantine {cell}", "until must be a date, as in 2026-12-31")
        return Quarantine(str(cell), reason, until)

    def _drift(self, plain: Mapping[str, Any]) -> DriftSettings:
        self._known(plain, "drift", SCOPES)
        smallest = dict(DriftSettings().smallest)
        for scope, value in plain.items():
            smallest[scope] = self._number(value, f"drift.{scope}", 1e-6, 1)
        return DriftSettings(smallest=smallest)

    def _known(self, plain: Mapping[str, Any], where: str, keys: Sequence[str]) -> None:
        for key in plain:
            if key not in keys:
                raise self.wrong(f"{where}.{key}".lstrip("."), f"no such key; there are {' '.join(keys)}")

    def _table(self, plain: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(plain, dict):
            raise self.wrong(where, "must be a table")
        return plain

    def _tables(self, plain: Any, where: str) -> list[Mapping[str, Any]]:
        if not isinstance(plain, list) or any(not isinstance(one, dict) for one in plain):
            raise self.wrong(where, f"must be tables, each under [[{where}]]")
        return plain

    def _names(
        self, block: Mapping[str, Any], key: str, where: str, default: list[str], valid: Sequence[str] | None
    ) -> list[str]:
        names = block.get(key, default)
        if not isinstance(names, list) or any(not isinstance(name, str) for name in names):
            raise self.wrong(f"{where}.{key}", 'must be a list, as in ["x86_64"]')
        for name in names:
            if valid is not None and name not in valid:
                raise self.wrong(f"{where}.{key}", f"{name}: unknown; valid: {' '.join(valid)}")
        return list(names)

    def _number(self, value: Any, where: str, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.wrong(where, f"{value!r} is not a number from {low:g} to {high:g}")
        return float(value)


def _agrees(cell: Cell, exclude: Mapping[str, str]) -> bool:
    return all(getattr(cell, key) == value for key, value in exclude.items())
