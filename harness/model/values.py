"""How the value of a setting is written: one class a kind, each with its parser, its shape in words and an example.

A parser gets text that a user typed and raises ValueError with the complaint, without the setting's name.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from harness.model.spec import RunParams

TEXT_MAX = 4096
"""Longest value, in characters."""
MODE_MIN = (320, 240)
MODE_MAX = (1920, 1080)
"""Sizes that the scene can draw, in pixels (kernel/scene/roulette.h)."""
_SHOWN_MAX = 60
LISTED_MOST = 10
"""The most values that a complaint lists."""
_DIGITS = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_COMPILER = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._+/-]{0,250}")


class ValueKind(Protocol):
    """How a value is written."""

    @property
    def shape(self) -> str:
        """The allowed values, for the help."""

    @property
    def choices(self) -> tuple[str, ...]:
        """Every value, where they can be listed; else nothing."""

    def parse(self, text: str) -> object:
        """The value; ValueError with a complaint where there is none."""


def shown(text: str) -> str:
    """A value as a message quotes it: never longer than a line has room for."""
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}… ({len(text)} characters)"


def nearest(word: str, known: Sequence[str]) -> str:
    """The known word that a mistyped one probably means; empty when none is near. Case does not count."""
    by_upper = {one.upper(): one for one in known}
    near = difflib.get_close_matches(word[:100].upper(), list(by_upper), n=1, cutoff=0.6)
    return by_upper[near[0]] if near else ""


@dataclass(frozen=True)
class Number:
    """A decimal number within bounds, both inclusive; the unit may follow it."""

    low: float
    high: float
    unit: str = ""

    @property
    def shape(self) -> str:
        return f"{self.low:g} to {self.high:g}{' ' if self.unit else ''}{self.unit}"

    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> float:
        plain = text.removesuffix(self.unit) if self.unit else text
        if not _DECIMAL.fullmatch(plain):
            raise ValueError(f"not a number; {self.shape}")
        value = float(plain)
        if not self.low <= value <= self.high:
            raise ValueError(f"must lie between {self.low:g} and {self.high:g}")
        return value


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds, both inclusive."""

    low: int
    high: int
    choices: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        return f"{self.low} to {self.high}"

    def parse(self, text: str) -> int:
        if not _DIGITS.fullmatch(text):
            raise ValueError(f"not a whole number; {self.shape}")
        value = int(text)
        if not self.low <= value <= self.high:
            raise ValueError(f"must lie between {self.low} and {self.high}")
        return value


@dataclass(frozen=True)
class Flag:
    """1 or 0."""

    choices: tuple[str, ...] = ("0", "1")
    shape: str = "1 or 0"

    def parse(self, text: str) -> bool:
        if text not in self.choices:
            raise ValueError(self.shape)
        return text == "1"


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    choices: tuple[str, ...]

    @property
    def shape(self) -> str:
        return " ".join(self.choices)

    def parse(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(unknown_value(text, self.choices))
        return text


def unknown_value(text: str, choices: Sequence[str]) -> str:
    """The complaint about a word that is none of several; the caller says which is near."""
    listed = f"; valid: {' '.join(choices)}" if len(choices) <= LISTED_MOST else f"; {len(choices)} are valid"
    return f"unknown value{listed}"


@dataclass(frozen=True)
class Several:
    """Words of a list, joined by commas, each once."""

    choices: tuple[str, ...]

    @property
    def shape(self) -> str:
        return ",".join(self.choices)

    def parse(self, text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        for word in words:
            if word not in self.choices:
                raise ValueError(f"{shown(word) or 'nothing'}: {unknown_value(word, self.choices)}")
        if len(set(words)) < len(words):
            raise ValueError("a word is given twice")
        return words


@dataclass(frozen=True)
class Integers:
    """Whole numbers joined by commas."""

    low: int
    high: int
    choices: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        return f"numbers from {self.low} to {self.high}, joined by commas"

    def parse(self, text: str) -> tuple[int, ...]:
        one = Integer(self.low, self.high)
        return tuple(one.parse(word) for word in text.split(","))


@dataclass(frozen=True)
class Text:
    """Anything that is not blank, on one line."""

    shape: str = "text"
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        if not text.strip() or len(text) > TEXT_MAX or any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in text):
            raise ValueError(f"{self.shape}: one line, not blank, at most {TEXT_MAX} characters")
        return text


@dataclass(frozen=True)
class Name:
    """Letters, digits, - and _: what may become the name of a folder."""

    shape: str = "a name"
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        if not _NAME.fullmatch(text):
            raise ValueError("letters, digits, - and _ only")
        return text


@dataclass(frozen=True)
class Compiler:
    """A compiler's name or path."""

    shape: str = "gcc, clang or a compiler's path"
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> str:
        if not _COMPILER.fullmatch(text) or ".." in text:
            raise ValueError(self.shape)
        return text


@dataclass(frozen=True)
class PathValue:
    """A path; that it exists is for the command to find out."""

    shape: str = "a path"
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> Path:
        if len(text) > TEXT_MAX or "\0" in text:
            raise ValueError("not a path")
        try:
            Path(text).resolve()
            os.lstat(text)
        except RuntimeError:  # Python's word for it
            raise ValueError("a loop of symbolic links") from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise ValueError("longer than a path can be") from error
        return Path(text)


@dataclass(frozen=True)
class ShellWords:
    """Words as a shell would split them."""

    shape: str = "words, quoted as for a shell"
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> tuple[str, ...]:
        Text(self.shape).parse(text)
        try:
            return tuple(shlex.split(text))
        except ValueError as error:
            raise ValueError(f"{str(error).lower()}: quote it as for a shell") from error


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    choices: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        return f"{MODE_MIN[0]}x{MODE_MIN[1]} to {MODE_MAX[0]}x{MODE_MAX[1]}"

    def parse(self, text: str) -> tuple[int, int]:
        width, x, height = text.partition("x")
        if not (x and _DIGITS.fullmatch(width) and _DIGITS.fullmatch(height)):
            raise ValueError("must look like 1024x768")
        size = int(width), int(height)
        if not (MODE_MIN[0] <= size[0] <= MODE_MAX[0] and MODE_MIN[1] <= size[1] <= MODE_MAX[1]):
            raise ValueError(f"must lie between {MODE_MIN[0]}x{MODE_MIN[1]} and {MODE_MAX[0]}x{MODE_MAX[1]}")
        return size


@dataclass(frozen=True)
class Sizes:
    """One size, or several joined by commas."""

    choices: tuple[str, ...] = ()

    @property
    def shape(self) -> str:
        return f"{Size().shape}, several joined by commas"

    def parse(self, text: str) -> tuple[tuple[int, int], ...]:
        sizes = tuple(Size().parse(word) for word in text.split(","))
        if any(one == following for one, following in zip(sizes, sizes[1:])):
            raise ValueError("each must be another one than the one before it")
        return sizes


_PARAMETERS: dict[str, ValueKind] = {
    "mode": Size(),
    "pace": Integer(0, 1000),
    "blk": Integer(0, 4096),
    "slow": Integer(1, 1000),
    "seed": Integer(0, 2**32 - 1),
    "first": Integer(0, 4 * 10**9),
    "load": Integer(0, 1),
    "input": Integer(0, 1),
    "warmup": Integer(0, 1000),
    "tlb": Choice(("cold", "warm")),
}
"""Words of the kernel's command line that a user may choose, within the kernel's own bounds (kernel/run/params.c).

Frame numbers have 32 bits: behind the highest first one there is room for more frames than a run of three days draws.
"""


@dataclass(frozen=True)
class Parameters:
    """Words of the kernel's command line: ``mode=1024x768 seed=3``."""

    shape: str = " ".join(f"{key}=" for key in _PARAMETERS)
    choices: tuple[str, ...] = ()

    def parse(self, text: str) -> RunParams:
        params, seen = RunParams(), set()
        for word in text.split():
            key, equals, value = word.partition("=")
            if key not in _PARAMETERS or not equals:
                near = nearest(key, list(_PARAMETERS))
                raise ValueError(
                    f"{shown(key)}: unknown key{f': did you mean {near}=?' if near else f'; {self.shape}'}"
                )
            if key in seen:
                raise ValueError(f"{key} is given twice")
            seen.add(key)
            try:
                params = replace(params, **{key: _PARAMETERS[key].parse(value)})
            except ValueError as error:
                raise ValueError(f"{key}={shown(value)}: {error}") from error
        return params

    def keys(self, text: str) -> frozenset[str]:
        """The keys that are given."""
        return frozenset(word.partition("=")[0] for word in text.split())
