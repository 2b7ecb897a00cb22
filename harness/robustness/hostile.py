"""Hostile texts, and a checker that knows what runners, Markdown, HTML and terminals would make of an output."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TEXTS = (
    "##[add-mask]secret",
    "a ##[error]b",
    "::set-output name=x::y",
    "  ::add-path::/tmp",
    "x\n::stop-commands::z",
    "section_start:1:x\r\x1b[0Ky",
    "\x1b]0;title\x07\x1b[2J",
    "\x9b31m",
    "abc\u202egnp.exe\u2066",
    "\u200b\ufeff\u061c",
    "@everyone @octocat",
    "https://evil.example/x www.evil.example",
    "me@evil.example",
    "&lt;b&gt; &#64;x &copy;",
    ":bug: :+1:",
    "[click](https://evil.example) ![x](//evil.example/p.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "`code` ``` **bold** _it_ ~~no~~",
    "| a | b |",
    "#1 GH-2 !3 $4",
    "$x$ $$y$$",
    "--> <!-- performance-report: perf -->",
    "]]> </failure><testcase/>",
    "\ud800 lone",
    "</style></title></script>",
    "/close",
)
CODE = re.compile(r"(?P<fence>`{3,})\n.*?\n(?P=fence)|(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_UNESCAPED = r"(?<!\\)(?:\\\\)*"


def runner_problems(text: str) -> list[str]:
    """Commands of GitHub's, Azure's and GitLab's runners in the lines of a log, and control characters."""
    found = []
    for line in text.splitlines():
        if re.search(r"##(\[|vso\[|teamcity\[)", line):
            found.append(f"##[ in {line!r}")
        if re.match(r"\s*::[A-Za-z]", line):
            found.append(f":: at the start of {line!r}")
        if re.search(r"section_(start|end):\d+:\S*\r", line):
            found.append(f"a GitLab section in {line!r}")
    return found + control_problems(text)


def control_problems(text: str) -> list[str]:
    """Characters that a terminal obeys, or that turn the direction of what is read."""
    odd = {c for c in text if not c.isprintable() and c not in "\n\u2060"}
    return [f"character {ord(c):#x}" for c in sorted(odd)]


def markdown_problems(text: str, harmless_html: tuple[str, ...] = ("details", "summary")) -> list[str]:
    """What in a comment would be more than text: mentions, links, images, emoji, entities, HTML, math, issues."""
    found = control_problems(text) + runner_problems(text)
    text = re.sub(r"\A<!--[^>]*-->", "", text)
    plain = CODE.sub("", text)
    for tag in harmless_html:
        plain = plain.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    patterns = {
        "mention": r"@\w",
        "link": r"https?://|www\.",
        "image or link": rf"{_UNESCAPED}\]\(",
        "emoji": r":[a-z0-9_+-]+:",
        "entity": rf"{_UNESCAPED}&(#\d+|#x[0-9a-f]+|\w+);",
        "HTML": rf"{_UNESCAPED}<[/!a-z]",
        "issue": r"#\d",
        "math": rf"{_UNESCAPED}\$",
        "emphasis": rf"(?<![*\\]){_UNESCAPED}_\w",
    }
    for name, pattern in patterns.items():
        found += [f"{name}: {hit[0]!r}" for hit in re.finditer(pattern, plain, re.IGNORECASE)]
    return found


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.odd: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" and ("type", "application/json") not in attrs
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href") and (value or "").lower().startswith("javascript:")):
                self.odd.append(f"{tag} {name}={value}")
            if name == "src" and not (value or "").startswith("data:"):
                self.odd.append(f"{tag} {name}={value}")


def html_problems(text: str) -> list[str]:
    """What a page would run or fetch beside its own one script, and characters that turn directions."""
    tags = _Tags()
    tags.feed(text)
    many = [f"{tags.scripts} scripts"] if tags.scripts > 1 else []
    shown = text.replace("\t", " ")
    return tags.odd + many + control_problems(shown)
