"""What a page shows of malformed commands."""

from __future__ import annotations

from collections.abc import Sequence

from harness.model.refusals_record import FIRST_ERROR, RefusalsRecord, RefusedCommand
from harness.model.spec import Verdict
from harness.report.view import Section, TableCell, TableRow, columns, table, texts, tone_of

COMMANDS = {
    0x0101: "RESOURCE_CREATE_2D",
    0x0102: "RESOURCE_UNREF",
    0x0103: "SET_SCANOUT",
    0x0104: "RESOURCE_FLUSH",
    0x0105: "TRANSFER_TO_HOST_2D",
    0x0106: "RESOURCE_ATTACH_BACKING",
    0x0107: "RESOURCE_DETACH_BACKING",
    0x0200: "CTX_CREATE",
    0x0207: "SUBMIT_3D",
}
RESPONSES = {
    0: "no answer",
    0x1100: "OK",
    0x1200: "unspecified",
    0x1201: "out of memory",
    0x1202: "invalid scanout",
    0x1203: "invalid resource",
    0x1204: "invalid context",
    0x1205: "invalid parameter",
}
"""VIRTIO 1.2 5.7.6.7."""


def answer_words(response: int) -> str:
    """``invalid resource 0x1203``."""
    name = RESPONSES.get(response, "unknown")
    return name if response < FIRST_ERROR and response in RESPONSES else f"{name} {response:#x}"


def command_words(command: int) -> str:
    """A command's name; of one that does not exist its number."""
    return COMMANDS.get(command, f"{command:#06x}") if command else "–"


def refusals_section(record: RefusalsRecord) -> Section:
    """Every command that was sent, what is wrong first."""
    answers = sorted(record.answers, key=lambda one: one.right)
    lead = [
        f"{len(answers)} malformed commands were sent to the device of QEMU {record.qemu_version}; "
        f"{len(answers) - len(record.wrong)} answers are right, and the driver reported every error among them."
    ]
    lead += [f"Failed: {text}." for text in record.failed]
    rows = [_row(one) for one in answers]
    return Section("Refusals", lead=tuple(lead), table=table(columns("malformed", "command", "answer", ""), rows))


def _row(one: RefusedCommand) -> TableRow:
    if one.right:
        said = TableCell("as specified" if one.as_wanted else "not specified")
    else:
        what = "not reported by the driver" if one.as_wanted is not False else "another error is specified"
        said = TableCell(what, tone_of(Verdict.GUEST_FAILED), strong=True)
    return TableRow((*texts(one.sent, command_words(one.command), answer_words(one.response)), said))


def answers_table(records: Sequence[RefusalsRecord]) -> str:
    """Markdown: a row for each malformed command, a column for each QEMU version."""
    records = sorted(
        records, key=lambda one: tuple(int(part) for part in one.qemu_version.split(".") if part.isdigit())
    )
    by_sent = [{one.sent: one for one in record.answers} for record in records]
    sent = list(dict.fromkeys(one.sent for record in records for one in record.answers))
    head = ["malformed", "command", "error wanted", *(f"QEMU {record.qemu_version}" for record in records)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name in sent:
        found = [answers.get(name) for answers in by_sent]
        said = [one for one in found if one is not None]
        command = command_words(max(one.command for one in said))
        wanted = next((answer_words(one.response) for one in said if one.as_wanted), "not specified")
        cells = [name, command, wanted, *("not sent" if one is None else _answer(one) for one in found)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _answer(one: RefusedCommand) -> str:
    words = "as wanted" if one.as_wanted else answer_words(one.response)
    return words if one.reported else f"{words}, not reported"
