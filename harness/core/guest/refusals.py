"""Answers to malformed commands, read from the serial log of the in-kernel suite ``gpu_refusals``. Pure.

Accepted format, a command each::

    virtio-gpu: error response, command 0x101 response 0x1203      the driver's own report; none where there is no error
        # refusal: a resource of number 0: 0x1203                  what was sent, and the device's response
        ok 2 a resource of number 0                                the check; none where no error is specified
"""

from __future__ import annotations

import re
from dataclasses import replace

from harness.model.refusals_record import FIRST_ERROR, RefusedCommand

_LINE = re.compile(
    r"^virtio-gpu: error response, command 0x(?P<command>[0-9a-f]{1,8}) response 0x(?P<reported>[0-9a-f]{1,8})\s*$"
    r"|^ *# refusal: (?P<sent>[^:\n]{1,200}): 0x(?P<response>[0-9a-f]{1,8})\s*$"
    r"|^ *(?P<failed>not )?ok \d{1,9} (?P<check>[^\n]{1,200}?)\s*$"
)
ANSWERS_MAX = 1000


def refused_commands(serial_log: str) -> tuple[RefusedCommand, ...]:
    """Every answer that the suite notes, in the order in which the commands were sent."""
    found: list[RefusedCommand] = []
    complaint = (0, 0)
    for line in serial_log.splitlines():
        seen = _LINE.match(line)
        if seen is None:
            continue
        if seen["command"]:
            complaint = int(seen["command"], 16), int(seen["reported"], 16)
        elif seen["sent"] and len(found) < ANSWERS_MAX:
            response = int(seen["response"], 16)
            command, reported = complaint
            found.append(RefusedCommand(seen["sent"], command, response, None, _told(response, reported)))
            complaint = (0, 0)
        elif seen["check"] and found and found[-1].sent == seen["check"]:
            found[-1] = replace(found[-1], as_wanted=not seen["failed"])
    return tuple(found)


def _told(response: int, reported: int) -> bool:
    """Whether the driver reported this response. Success needs no report; nothing at all is never right."""
    return reported == response if response >= FIRST_ERROR else response > 0
