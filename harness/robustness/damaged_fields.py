"""One field of a saved run's result after the other, damaged in every kind, and judged again.

What comes of each is a replay or "cannot be replayed: …" with exit code 2: never a traceback, never a fault of the
harness. Fields whose rows are alike, as launches and slices are, have one for all of them.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.errors import HarnessError
from harness.model.spec import ROOT
from harness.platform.processes.child import run_child

Place = tuple[str | int, ...]
"""The keys and rows on the way to a field."""
KINDS = ("missing", "null", "text", "list", "huge", "negative", "not a number", "endless", "deep", "surrogate")
"""What is put in the place of a field, or that it is taken away."""
LIMIT_S = 7200.0
_MEMORY_BYTES = 6 << 30
_SAID = "cannot be replayed: "
_VALUES: dict[str, Any] = {
    "null": None,
    "text": "x",
    "list": [],
    "huge": 10**400,
    "negative": -1,
    "not a number": float("nan"),
    "endless": float("inf"),
    "deep": "DEEP",
    "surrogate": "\ud800",
}
_DEEP = "[" * 100_000 + "]" * 100_000
"""Written as text: Python's own encoder gives up long before."""

_LOOP = """
import contextlib, io, json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from harness import cli
from harness.robustness.damaged_fields import FieldDamage, damaged
folder = Path(sys.argv[2])
plain = json.loads((folder / "result.json").read_text("utf-8"))
for line in sys.stdin:
    where, kind = json.loads(line)
    (folder / "result.json").write_text(damaged(plain, FieldDamage(tuple(where), kind)), "utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(["analyze", f"RESULT={folder}"])
    sys.__stdout__.write(json.dumps([code, said.getvalue()[-2000:]]) + "\\n")
    sys.__stdout__.flush()
"""


@dataclass(frozen=True)
class FieldDamage:
    """One field, and what becomes of it."""

    where: Place
    kind: str

    @property
    def words(self) -> str:
        return f"{'.'.join(map(str, self.where))}: {self.kind}"


@dataclass(frozen=True)
class JudgedField:
    """What the command said of a run with one damaged field."""

    damage: FieldDamage
    code: int
    said: str

    @property
    def refused(self) -> bool:
        return self.code == 2 and _SAID in self.said

    @property
    def problem(self) -> str:
        """Empty for a replay, and for a refusal that says that it is one."""
        wrong = "Traceback" in self.said or not self.refused and self.code not in (0, 1, 3, 4)
        return f"{self.damage.words}: code {self.code}: {self.said[-300:]}" if wrong else ""


def damages_of(plain: Any, *, alike: bool = False) -> list[FieldDamage]:
    """Every field of a result in every kind.

    Parameters
    ----------
    alike
        Of a list, the first row alone.
    """
    return [FieldDamage(where, kind) for where in places_of(plain, alike=alike) for kind in KINDS]


def places_of(plain: Any, where: Place = (), *, alike: bool = False) -> Iterator[Place]:
    """Where anything stands in a result: every key and every row."""
    rows = list(enumerate(plain)) if isinstance(plain, list) else []
    inside = list(plain.items()) if isinstance(plain, dict) else rows[:1] if alike else rows
    for key, value in inside:
        yield (*where, key)
        yield from places_of(value, (*where, key), alike=alike)


def damaged(plain: Any, damage: FieldDamage) -> str:
    """The text of a result with one field damaged; ``plain`` is left as it is."""
    changed = copy.deepcopy(plain)
    parent = changed
    for key in damage.where[:-1]:
        parent = parent[key]
    if damage.kind == "missing":
        del parent[damage.where[-1]]
        return json.dumps(changed)
    parent[damage.where[-1]] = _VALUES[damage.kind]
    text = json.dumps(changed)
    return text.replace('"DEEP"', _DEEP) if damage.kind == "deep" else text


def judge_damaged(folder: Path, damages: Sequence[FieldDamage]) -> list[JudgedField]:
    """Damage a saved run in each way, one at a time, and let it be judged again; ``result.json`` is whole afterwards.

    Raises
    ------
    HarnessError
        When the judging process itself ends.
    """
    whole = (folder / "result.json").read_bytes()
    given = "".join(json.dumps([one.where, one.kind]) + "\n" for one in damages).encode()
    command = [sys.executable, "-B", "-c", _LOOP, str(_MEMORY_BYTES), str(folder)]
    apart = {**os.environ, "HARNESS_RESULTS": str(folder.parent)}
    try:
        done = run_child(command, limit_s=LIMIT_S, given=given, cwd=ROOT, environment=apart)
    finally:
        (folder / "result.json").write_bytes(whole)
    lines = done.text.splitlines()
    if done.status or len(lines) != len(damages):
        at = damages[min(len(lines), len(damages) - 1)].words
        raise HarnessError(f"status {done.status} at {at}: {' '.join(done.errors[-3:])[-300:]}")
    return [
        JudgedField(damage, code, said) for damage, (code, said) in zip(damages, map(json.loads, lines), strict=True)
    ]
