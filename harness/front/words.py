"""The words of a command line: every word is checked, and an error names the nearest valid word.

Everything is checked here, before anything is built or measured.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from harness.front.budgets import least
from harness.front.together import contradiction
from harness.model.declared import command_table
from harness.model.spec import UsageError
from harness.model.values import LISTED_MOST, Several, nearest, shown
from harness.settings import DECLARED, POSITIONAL, Arguments, Positional, Setting, options_of, settings_of

SHAPE_MAX = 60
_SETTING = re.compile(r"([A-Za-z][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def parse(words: Sequence[str]) -> Arguments:
    """Parse a command line that is not a question for help.

    Raises
    ------
    UsageError
        On the first word that is not understood; one line that names the nearest right one.
    """
    command, *rest = words
    check_command(command)
    given: dict[str, str] = {}
    options: set[str] = set()
    others: list[str] = []
    for word in rest:
        setting = _SETTING.fullmatch(word)
        if setting:
            name, text = setting.groups()
            check_setting(command, name, text, given)
            given[name] = text
        elif word.startswith("-"):
            options.add(_option(command, word, options))
        else:
            others.append(word)
    words_left = _positional(command, others, given)
    arguments = Arguments(command, given, frozenset(options), words_left)
    wrong = contradiction(arguments)
    if wrong:
        raise UsageError(wrong)
    return replace(arguments, least_s=least(arguments))


_EACH = ("ARCH", "BARRIER")
"""Settings that may have several values in perf; each value is a run of its own."""


def parse_each(words: Sequence[str]) -> tuple[Arguments, ...]:
    """As :func:`parse`, for every combination of the values in ``ARCH=all``, ``ARCH=a,b`` and ``BARRIER=a,b``."""
    lines: list[list[str]] = [list(words)]
    if words[0] == "perf":
        for name in _EACH:
            lines = [line for one in lines for line in _spread(one, name)]
    each = tuple(parse(line) for line in lines)
    return tuple(_share(arguments, len(each)) for arguments in each) if len(each) > 1 else each


def _share(arguments: Arguments, runs: int) -> Arguments:
    """One of several runs, with its share of the budget that was given for all."""
    if not arguments.has("BUDGET"):
        return arguments
    whole_s, least_s = arguments.number("BUDGET"), runs * least(arguments)
    if whole_s < least_s:
        raise UsageError(f"BUDGET={whole_s:g} is too small for {runs} runs: give BUDGET={least_s} or more")
    return replace(arguments, given={**arguments.given, "BUDGET": f"{whole_s / runs:.6g}"})


def _spread(words: list[str], name: str) -> list[list[str]]:
    """The words once for each value of a setting."""
    at = next((index for index, word in enumerate(words) if word.startswith(f"{name}=")), None)
    if at is None:
        return [words]
    text = words[at].partition("=")[2]
    every = settings_of("perf")[name].kind.choices
    values = list(every) if text == "all" and every else text.split(",")
    if text.strip() and (len(set(values)) < len(values) or "" in values):
        raise UsageError(f"{name}={shown(text)}: values joined by commas, each once, or all")
    return [[*words[:at], f"{name}={value}", *words[at + 1 :]] for value in values]


def check_command(command: str) -> None:
    """Raise UsageError for a command that does not exist."""
    if command not in command_table():
        near = nearest(command, list(command_table()))
        hint = f"did you mean {near}?" if near else "no such command; 'make help' lists them"
        raise UsageError(f"{shown(command) or 'an empty word'}: {hint}")


def check_setting(command: str, name: str, text: str, given: dict[str, str]) -> None:
    """Raise UsageError for a setting that the command does not take, or for a value that it cannot have."""
    setting = settings_of(command).get(name)
    if setting is None:
        raise UsageError(_unknown(command, name, text))
    if name in given:
        raise UsageError(f"{name} is given twice")
    if not text.strip():
        shape = setting.kind.shape
        shape = shape if len(shape) < SHAPE_MAX else f"one of those that '{command} --help' lists"
        default = f"leave {name} out for the default, {setting.default}, or " if setting.default else ""
        raise UsageError(f"{name}=: no value; {default}give {shape}")
    try:
        setting.kind.parse(text)
    except ValueError as error:
        raise UsageError(f"{name}={shown(text)}: {error}{_near_value(command, setting, text)}") from error


def _unknown(command: str, name: str, text: str) -> str:
    """The message for a name that is not a setting of this command."""
    takes = settings_of(command)
    word = f"{shown(name)}={shown(text)}"
    near = next((one for one, row in takes.items() if row.earlier == name), "") or nearest(name, list(takes))
    others = sorted({one for row in DECLARED if row.name == name for one in row.commands})
    others += ["ab"] if name in settings_of("ab") and len(name) == 1 and command != "ab" else []
    if near and near != name and not others:
        return f"{word}: did you mean {near}={_likely(takes[near], text)}?"
    if others:
        return f"{word}: {command} takes no {name}; {', '.join(sorted(others))} {'does' if len(others) == 1 else 'do'}"
    return f"{word}: no such setting; '{command} --help' lists what {command} takes"


def _likely(setting: Setting, text: str) -> str:
    """The value that was meant: the text itself, unless another one is near and this one is invalid."""
    try:
        setting.kind.parse(text)
    except ValueError:
        return nearest(text, setting.kind.choices) or shown(text)
    return shown(text)


def _near_value(command: str, setting: Setting, text: str) -> str:
    """The value that was probably meant; else, of many, where they are listed."""
    choices = setting.kind.choices
    words = text.replace(",", " ").split() if isinstance(setting.kind, Several) else [text]
    near = [nearest(word, choices) for word in words]
    if near and all(near) and len(set(near)) == len(near):
        return f"; did you mean {setting.name}={','.join(near)}?"
    return f": 'make help C={command}' lists them" if len(choices) > LISTED_MOST else ""


def _option(command: str, word: str, earlier: set[str]) -> str:
    name = word.lstrip("-")
    known = list(options_of(command)) + ["help"]
    if not word.startswith("--") or name not in known:
        near = nearest(name, known)
        there = f"there {'is' if len(known) == 1 else 'are'} {' '.join(f'--{one}' for one in known)}"
        hint = f"did you mean --{near}?" if near else there
        raise UsageError(f"{shown(word)}: no such option; {hint}")
    if name in earlier:
        raise UsageError(f"{word} is given twice")
    return name


def _positional(command: str, others: Sequence[str], given: dict[str, str]) -> tuple[str, ...]:
    """Words that are not settings: the value of a setting, or as the command uses them."""
    means = POSITIONAL.get(command)
    if means is None or means == Positional():
        if others:
            raise UsageError(_stray(command, others[0]))
        return ()
    if means.setting:
        if len(others) > 1 or others and means.setting in given:
            raise UsageError(f"{shown(others[-1])}: {command} takes one {means.setting}")
        for word in others:
            check_setting(command, means.setting, word, given)
            given[means.setting] = word
        return ()
    if not others or others[0] not in means.choices:
        near = nearest(others[0], means.choices) if others else ""
        hint = f"did you mean {near}?" if near else f"one of {' '.join(means.choices)}"
        raise UsageError(f"{command} {shown(others[0]) if others else ''}".rstrip() + f": {hint}")
    if len(others) > 1 and not means.more:
        raise UsageError(f"{shown(others[1])}: {command} takes one word")
    if "" in others:
        raise UsageError(f"{command}: an empty word")
    return tuple(others)


def _stray(command: str, word: str) -> str:
    """The message for a word without ``KEY=``."""
    takes = settings_of(command)
    near = nearest(word, list(takes))
    for name, setting in takes.items():
        if word in setting.kind.choices and len(setting.kind.choices) > 2:
            return f"{shown(word)}: did you mean {name}={word}?"
    if near:
        return f"{shown(word)}: did you mean {near}={takes[near].example}?"
    takes_what = "takes KEY=VALUE words and nothing else" if takes else "takes nothing"
    return f"{shown(word) or 'an empty word'}: {command} {takes_what}"
