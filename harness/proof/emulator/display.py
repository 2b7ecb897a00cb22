"""The display of the model device: what it answers to the commands of VIRTIO 1.2, §5.7.6.

It draws nothing. Of the 3D renderer it has what a driver asks for before it draws: two capability sets that know every
format, contexts, and streams of commands, which it takes and does not run.
"""

from __future__ import annotations

from harness.proof.emulator.split_ring import Buffer, Chain, Memory

F_VIRGL = 1 << 0
CAPSETS = 2
_FLAG_FENCE = 1
_HEADER_BYTES = 24
_ATTACH_BACKING, _GET_DISPLAY_INFO, _GET_CAPSET_INFO, _GET_CAPSET = 0x106, 0x100, 0x108, 0x109
_TRANSFERS = {0x105: 48, 0x205: 56}
"""Commands that read a picture, with the offset of the resource."""
_OK_NODATA, _OK_DISPLAY_INFO, _OK_CAPSET_INFO, _OK_CAPSET, _ERROR = 0x1100, 0x1101, 0x1102, 0x1103, 0x1200
_CAPSET_BYTES = (308, 1384)
"""virglrenderer's ``union virgl_caps``, of its first version and of its second."""
_SCANOUTS = 16


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


class ModelDisplay:
    """Answers commands, and remembers which of them read a picture."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.backing: dict[int, Buffer] = {}
        """By resource, where its pixels are."""
        self.pictures: dict[int, Buffer] = {}
        """By the number of the chain that transfers it."""

    def execute(self, chain: Chain, *, refuses: bool) -> int:
        """Answer one command; returns the bytes written."""
        request, response = chain.buffers[0], chain.buffers[-1]
        if not response.device_writes:  # a command to the cursor has no response (§5.7.6.10)
            return 0
        header = self._memory.read(request.address, _HEADER_BYTES)
        command = int.from_bytes(header[:4], "little")
        if command == _ATTACH_BACKING:
            resource, _, address, length = self._fields(request, 24, 4, 4, 8, 4)
            self.backing[resource] = Buffer(address, length, False)
        elif command in _TRANSFERS:
            (resource,) = self._fields(request, _TRANSFERS[command], 4)
            if resource in self.backing:
                self.pictures[chain.number] = self.backing[resource]
        kind, body = (_ERROR, b"") if refuses else self._answer(command, request)
        flags = header[4] & _FLAG_FENCE
        answer = _words(kind, flags) + (header[8:16] if flags else bytes(8)) + bytes(8) + body
        self._memory.write(response.address, answer[: response.length])
        return min(len(answer), response.length)

    def _fields(self, request: Buffer, start: int, *sizes: int) -> list[int]:
        found = []
        for size in sizes:
            found.append(self._memory.integer(request.address + start, size))
            start += size
        return found

    def _answer(self, command: int, request: Buffer) -> tuple[int, bytes]:
        """The kind of a response, and what follows its header."""
        if command == _GET_DISPLAY_INFO:
            return _OK_DISPLAY_INFO, _words(0, 0, 64, 48, 1, 0).ljust(24 * _SCANOUTS, b"\0")
        if command == _GET_CAPSET_INFO:
            (index,) = self._fields(request, 24, 4)
            return _OK_CAPSET_INFO, _words(index + 1, index + 1, _CAPSET_BYTES[index % CAPSETS], 0)
        if command == _GET_CAPSET:
            (number,) = self._fields(request, 24, 4)
            return _OK_CAPSET, _words(number).ljust(_CAPSET_BYTES[(number - 1) % CAPSETS], b"\xff")
        return _OK_NODATA, b""
