"""A result as Markdown, fit for a pull-request comment."""

from __future__ import annotations

from harness.model.result import Gate, Result


def cell(text: str) -> str:
    """Text that cannot break out of a table cell or start markup."""
    for character in "\\`*_{}[]<>#|~":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _gate_row(gate: Gate) -> str:
    change = "–" if gate.change is None else f"{gate.change:+.2%}"
    verdict = gate.verdict.value if gate.verdict else "reported"
    cells = [gate.metric, gate.kind, _number(gate.value), _number(gate.reference), change, verdict, gate.why]
    return "| " + " | ".join(cell(text) for text in cells) + " |"


def markdown(result: Result) -> str:
    """The whole comment: verdict, gates, notices, how to reproduce."""
    lines = [f"### {cell(result.sentence)}", ""]
    lines += ["| metric | gate | value | reference | change | verdict | why |", "|---|---|---:|---:|---:|---|---|"]
    lines += [_gate_row(gate) for gate in result.gates]
    lines += [""] + [f"- {cell(text)}" for text in (*result.problems, *result.notices)]
    lines += ["", f"`{result.command}`, exit {result.exit_code}, {result.seconds:.0f} s"]
    return "\n".join(lines) + "\n"
