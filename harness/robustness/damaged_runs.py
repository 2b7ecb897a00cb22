"""A saved run, damaged in any way a disk, an editor or a stranger can, and read by every command that reads one."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.model.errors import HarnessError
from harness.model.spec import ROOT
from harness.platform.processes.child import run_child

READERS: tuple[tuple[str, ...], ...] = (
    ("analyze", "RESULT={}"),
    ("compare", "A={}", "B={}", "PAGE={}/page.html"),
    ("history", "add", "{}", "CELL=cell"),
    ("approve", "RESULT={}", "REASON=x", "BASELINE=none-such"),
    ("explain", "RESULT={}"),
)
"""Explaining a run that did not fail ends before it measures."""
MEMORY_BYTES = 6 << 30
READ_S = 20.0
"""The most that one command may take for one damaged run."""

_LOOP = """
import io, json, os, resource, sys, time, contextlib
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from harness import cli
from harness.commands import approve
approve.BASELINES_DIR = approve.BASELINES_DIR / "none"
for line in sys.stdin:
    said, begun = io.StringIO(), time.monotonic()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = cli.main(json.loads(line))
    sys.__stdout__.write(json.dumps([code, said.getvalue()[-2000:], time.monotonic() - begun]) + "\\n")
    sys.__stdout__.flush()
"""
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**400, 1e308, float("nan"), float("-inf"), "", "x" * 9999, "\ud800", "../../etc", "\0",
    [], {}, [[]] * 50, {"": {}}, "\u202e::set-output name=x::y",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What one command made of one damaged run."""

    words: str
    damage: str
    code: int
    said: str
    seconds: float

    @property
    def problems(self) -> list[str]:
        case = f"{self.damage}: {self.words}"
        found = (
            [f"{case}: {self.said[-300:]}"] if "Traceback" in self.said or "fault of the harness" in self.said else []
        )
        found += [f"{case}: code {self.code}"] if self.code not in (0, 1, 2, 3, 4, 5) else []
        return found + ([f"{case}: {self.seconds:.0f} s"] if self.seconds > READ_S else [])


def read_damaged(saved: Path, folder: Path, count: int, random_state: int = 1) -> list[Reading]:
    """Damage a saved run ``count`` times, and let every reader read each.

    Raises
    ------
    HarnessError
        When the reading process itself ends.
    """
    asked, said_of = [], []
    for number in range(count):
        copy = folder / f"run-{number}"
        shutil.copytree(saved, copy, symlinks=True)
        damage = damage_run(copy, random.Random(f"{random_state}-{number}"))
        for words in READERS:
            asked.append([word.replace("{}", str(copy)) for word in words])
            said_of.append((f"{number} {damage}", words[0]))
    given = "".join(json.dumps(words) + "\n" for words in asked).encode()
    apart = {"HARNESS_RESULTS": str(folder / "results"), "HISTORY_URL": f"sqlite:///{folder}/history.db"}
    command = [sys.executable, "-B", "-c", _LOOP, str(MEMORY_BYTES)]
    done = run_child(command, limit_s=READ_S * len(asked), given=given, cwd=ROOT, environment={**os.environ, **apart})
    lines = done.text.splitlines()
    if done.status or len(lines) != len(asked):
        number = min(len(lines), len(asked) - 1)
        raise HarnessError(f"status {done.status} at {said_of[number]}: {' '.join(done.errors[-3:])[-300:]}")
    return [
        Reading(words, damage, code, said, seconds)
        for (damage, words), (code, said, seconds) in zip(said_of, map(json.loads, lines))
    ]


def damage_run(folder: Path, rng: random.Random) -> str:
    """Damage one file of a saved run; says how."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    # Every other time the result itself: all else follows from it.
    named = [path for path in files if path.name == "result.json"]
    path = rng.choice(named if named and rng.random() < 0.5 else files)
    ways: Sequence[Callable[[Path, random.Random], str]] = (_flip, _cut, _double, _swap_kind)
    if path.suffix == ".json":
        ways = (*ways, _change_value, _change_value, _change_value, _drop_key)
    return f"{path.relative_to(folder)}: {rng.choice(ways)(path, rng)}"


def _flip(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30)) if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return "bits flipped"


def _cut(path: Path, rng: random.Random) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])
    return "cut short"


def _double(path: Path, rng: random.Random) -> str:
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + content[max(0, at - 500) :])
    return "a part twice"


def _swap_kind(path: Path, rng: random.Random) -> str:
    path.unlink()
    how = rng.choice(("a folder", "a link to itself", "/dev/zero", "gone", "empty"))
    if how == "a folder":
        path.mkdir()
    elif how == "a link to itself":
        path.symlink_to(path.name)
    elif how == "/dev/zero":
        path.symlink_to(how)
    elif how == "empty":
        path.touch()
    return how


def _places(plain: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in inside:
        yield (*where, key)
        yield from _places(value, (*where, key))


def _at(plain: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        plain = plain[key]
    return plain


def _changed(path: Path, rng: random.Random, change: Callable[[Any, Any], None]) -> str:
    try:
        plain = json.loads(path.read_bytes())
    except ValueError:
        return _flip(path, rng)
    where = rng.choice(list(_places(plain)) or [()])
    if not where:
        return _flip(path, rng)
    change(_at(plain, where[:-1]), where[-1])
    path.write_bytes(json.dumps(plain).encode("utf-8", "surrogatepass"))
    return ".".join(map(str, where))


def _change_value(path: Path, rng: random.Random) -> str:
    value = rng.choice(_VALUES)

    def change(parent: Any, key: Any) -> None:
        parent[key] = value

    return f"{_changed(path, rng, change)} = {str(value)[:30]!r}"


def _drop_key(path: Path, rng: random.Random) -> str:
    def change(parent: Any, key: Any) -> None:
        del parent[key]

    return f"{_changed(path, rng, change)} dropped"
