"""The help: one screen of all commands, and a page for each, both from the declarations."""

from __future__ import annotations

import os
import subprocess
import textwrap

from harness.model.declared import command_table
from harness.model.spec import ROOT
from harness.settings import POSITIONAL, Setting, options_of, settings_of

WIDTH = 80
VERSION = "1.0"
RARE = 150
"""Commands from this ``ORDER`` on are for machines and for the upkeep of this project."""
_START = """\
start here: make setup perf  what a command takes, by examples: make help C=perf
"""
_ENDS = "exit: 0 pass 1 regression 2 usage 3 guest failed 4 inconclusive 5 harness failed"


def overview() -> str:
    """One screen: where to begin, and every command in a line; those that few people call share one."""
    rows = command_table().values()
    lines = [f"  {one.name:<11} {one.purpose}" for one in rows if one.order < RARE]
    lines.append(f"  {'also':<11} {', '.join(one.name for one in rows if one.order >= RARE)}")
    return _START + "\n".join(_cut(line) for line in lines) + f"\n{_ENDS}"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def version() -> str:
    """The harness's version, and the commit where it is known."""
    commit = ""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            stdin=subprocess.DEVNULL,
            # Nothing of GIT_DIR and its like.
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")},
        )
        commit = f" ({done.stdout.strip()})" if done.returncode == 0 else ""
    except (OSError, subprocess.SubprocessError):
        pass
    return f"harness {VERSION}{commit}"


def page(name: str) -> str:
    """Settings with defaults and ranges, three examples, and what to run next."""
    command = command_table()[name]
    takes = settings_of(name)
    own = [setting for setting in takes.values() if not setting.switch and len(setting.name) > 1]
    switches = [setting for setting in takes.values() if setting.switch]
    parts = [f"{name}: {command.purpose}", _wrapped("usage: ", f"make {name} {_usage(name)}".rstrip())]
    column = max((len(setting.name) for setting in own), default=0) + 1
    if own:
        parts.append("settings:\n" + "\n".join(_row(setting, max(column, 13)) for setting in own))
    if len(takes) > len(own) + len(switches):
        arm = next(setting for setting in takes.values() if len(setting.name) == 1)
        parts.append(_wrapped("  A= B= C= … ", f"{arm.help}; as in A='{arm.example}'"))
    if switches:
        parts.append("switches of the kernel, the default first:\n" + "\n".join(_switch(one) for one in switches))
    if name == "perf":
        parts.append(_wrapped("", "ARCH=all, ARCH=a,b and BARRIER=a,b run each by itself, with one table at the end."))
    options = [f"  --{option:<9} {what}" for option, what in options_of(name).items()]
    title = f"options, which make keeps for itself: ci/harness {name} --…"
    parts.append("\n".join([title, *options, "  --help      this page"]))
    if command.examples:
        parts.append("examples:\n" + "\n".join(f"  make {name} {words}".rstrip() for words in command.examples))
    if command.next:
        parts.append(_wrapped("next: ", command.next))
    return "\n\n".join(parts)


def _usage(name: str) -> str:
    words = "[KEY=VALUE …]" if settings_of(name) else ""
    means = POSITIONAL.get(name)
    if means is None:
        return words
    if means.setting:
        return f"[{means.setting}=… or the value alone] {words}"
    return f"{' | '.join(means.choices)} {words}" + (f"; further words: {means.more}" if means.more else "")


def _row(setting: Setting, column: int) -> str:
    shape = setting.kind.shape
    default = "required" if setting.required else f"default {setting.default}" if setting.default else ""
    about = "; ".join(text for text in (setting.help, shape, default) if text)
    return _wrapped(f"  {setting.name + '=':<{column}} ", about)


def _switch(setting: Setting) -> str:
    default = setting.default
    values = [default] if default else []
    values += [value for value in setting.kind.choices if value != default]
    return _wrapped(f"  {setting.name + '=':<13} ", " ".join(values))


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (len(head) if len(head) < 22 else 4),
        break_long_words=False,
        break_on_hyphens=False,
    )


def commands_markdown() -> str:
    """The commands as README shows them."""
    rows = [f"| `make {one.name}` | {one.purpose} |" for one in command_table().values()]
    return "\n".join(["| command | what for |", "|---|---|", *rows]) + "\n"


def settings_markdown() -> str:
    """Every setting of every command, as a table in Markdown."""
    rows = []
    for name in command_table():
        for setting in settings_of(name).values():
            if not setting.switch and len(setting.name) > 1:
                cells = (name, f"`{setting.name}`", setting.help, setting.kind.shape, setting.default or "–")
                rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(["| command | setting | what for | values | default |", "|---|---|---|---|---|", *rows]) + "\n"
