"""Kernels that say hostile things wherever a kernel can, run by the commands that repeat what a kernel says."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from harness.platform.files.store import load_result
from harness.report.machine import github_lines
from harness.robustness.checkout import Checkout
from harness.robustness.hostile import TEXTS, control_problems, html_problems, markdown_problems, runner_problems
from harness.robustness.tinyguest import HALT, REPEAT, TRIPLE_FAULT, leave, tiny_guest

_SAID = tuple(text.encode("utf-8", "surrogatepass") for text in TEXTS) + (b"\xff\xfe\x80", b"\x1b]8;;http://e\x07x")
LINES = b"\n".join((b"[BOOT] kernel=tiny", *_SAID, b""))
PERF = ("perf", "STAGES=window")
BOOT = ("boot", "BOOT_LOG_TIMEOUT=3")
SUITES = ("suites", "ARCH=x86_64", "SUITE=string")


@dataclass(frozen=True)
class HostileGuest:
    """This kernel with one line of its source replaced, or a dozen instructions."""

    name: str
    file: str = ""
    line: str = ""
    instead: str = ""
    """What replaces the line; ``HOSTILE`` in it is a literal with every text."""
    code: str = ""
    commands: tuple[tuple[str, ...], ...] = (BOOT, PERF)


_TINY = (("perf", "KERNEL=tiny.elf", "STAGES=window"), ("ab", "A=tiny.elf", "B=tiny.elf", "STAGES=window"))
_MAIN, _DONE = "kernel/main.c", "\trecord_print_done(ok);"
GUESTS: tuple[HostileGuest, ...] = (
    HostileGuest("speaks first", _MAIN, "\tsched_init();", '\tprint("%s", HOSTILE);\n\tsched_init();'),
    HostileGuest("panics", _MAIN, "\tsched_init();", '\tpanic("%s", HOSTILE);\n\tsched_init();'),
    HostileGuest("calls itself names", _MAIN, "record_boot){boot->name,", "record_boot){HOSTILE,"),
    HostileGuest("ends with a name", _MAIN, _DONE, '\tprint("[DONE] status=%s\\n", HOSTILE);'),
    HostileGuest("last words", _MAIN, _DONE, '\tprint("virtio-gpu: %s", HOSTILE);\n\tarch_exit(false);'),
    HostileGuest("forged records", _MAIN, _DONE, '\tprint("[VIRTIO PERF] frame=1 %s", HOSTILE);\n' + _DONE),
    HostileGuest("no end of line", _MAIN, _DONE, "\tfor (int i = 0; i < 200; i++)\n\t\tprint(ONE_LINE);\n" + _DONE),
    HostileGuest(
        "suites",
        "kernel/test/ktest_string.c",
        "KTEST_SUITE(string, run);",
        "static void forge(void)\n{\n\trun();\n\tktest_check(false, HOSTILE);\n}\nKTEST_SUITE(string, forge);",
        commands=(SUITES,),
    ),
    HostileGuest("fails at once", code=leave(1), commands=(*_TINY, ("explain", "KERNEL=tiny.elf"))),
    HostileGuest("floods", code=REPEAT, commands=_TINY[:1]),
    HostileGuest("halts", code=HALT, commands=_TINY[:1]),
    HostileGuest("triple fault", code=TRIPLE_FAULT, commands=_TINY[:1]),
)


def literal(text: bytes) -> str:
    """A string of C that holds these bytes."""
    return '"' + "".join(f"\\{octet:03o}" for octet in text if octet) + '"'


def problems_of(guest: HostileGuest, checkout: Checkout) -> list[str]:
    """What in anything that is printed or stored of a guest would be more than text."""
    source = checkout.root / guest.file if guest.file else None
    whole = source.read_text(encoding="utf-8") if source else ""
    found = []
    try:
        if source:
            source.write_text(_planted(guest, whole), encoding="utf-8")
        else:
            shutil.copyfile(tiny_guest(checkout.scratch, guest.code, LINES), checkout.root / "tiny.elf")
        for words in guest.commands:
            found += [f"{guest.name}: {' '.join(words)}: {one}" for one in _outputs(checkout, words)]
    finally:
        if source:
            source.write_text(whole, encoding="utf-8")
    return found


def _planted(guest: HostileGuest, whole: str) -> str:
    if whole.count(guest.line) != 1:
        raise AssertionError(f"{guest.file} has no such line: {guest.line}")
    one_line = literal(b" ".join(text.replace(b"\n", b" ") for text in _SAID))
    new = guest.instead.replace("HOSTILE", literal(b"\n".join((*_SAID, b"")))).replace("ONE_LINE", one_line)
    return whole.replace(guest.line, new)


def _outputs(checkout: Checkout, words: Sequence[str]) -> list[str]:
    """What is wrong with the output of a command, and with every file that people or programs read."""
    checkout.forget()
    done = checkout.run(*words, GITHUB_ACTIONS="true")
    ours = _annotations(checkout)
    said = "\n".join(line for line in done.text.splitlines() if line not in ours)
    found = [f"output: {one}" for one in runner_problems(said)]
    found += ["a traceback"] if "Traceback" in done.text or done.status < 0 else []
    found += [] if done.status in (0, 1, 3, 4) else [f"status {done.status}: {done.text[-200:]}"]
    for path in sorted(checkout.results.glob("[!.]*/**/*")):
        found += [f"{path.name}: {one}" for one in _file_problems(path)]
    return found


def _annotations(checkout: Checkout) -> frozenset[str]:
    """What the gate itself tells the runner of a run that has a result, where its text holds nothing more."""
    latest = checkout.results / "latest"
    lines = github_lines(load_result(latest)) if (latest / "result.json").is_file() else []
    return frozenset(line for line in lines if not runner_problems(line.partition("::")[2].partition("::")[2]))


def _file_problems(path: Path) -> list[str]:
    if path.suffix not in (".md", ".html", ".xml", ".txt") or not path.is_file():
        return []
    text = path.read_bytes().decode("utf-8", "replace")
    if path.suffix == ".md":
        return markdown_problems(text)
    if path.suffix == ".html":
        return html_problems(text)
    if path.suffix == ".xml":
        ElementTree.fromstring(text)
        return control_problems(text)
    return runner_problems(text)
