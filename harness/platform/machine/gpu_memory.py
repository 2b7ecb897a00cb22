"""Samples of a GPU driver's rings, read from the memory of a machine that runs."""

from __future__ import annotations

from harness.core.device.gpu_rings import CONTROL, CURSOR, QueuePlace, RingSample, queue_place, read_ring
from harness.model.errors import QmpError
from harness.platform.files.bounded import read_bounded
from harness.platform.machine.qemu import Qemu

_READ_MAX = 1 << 16


class RingReader:
    """Reads the queues of a machine's first virtio-gpu; the machine stands still meanwhile.

    Raises
    ------
    QmpError
        When QEMU does not answer.
    """

    def __init__(self, machine: Qemu) -> None:
        self._machine = machine
        self._dump = machine.folder / "memory.bin"
        self._path = self._find()

    @property
    def works(self) -> bool:
        """QEMU can tell where the queues are: 7.2 and later."""
        return bool(self._path)

    def sample(self) -> tuple[RingSample, ...]:
        """Both queues at one moment; empty where QEMU cannot tell."""
        if not self._path:
            return ()
        with self._machine.stopped():
            places = [self._place(number) for number in (CONTROL, CURSOR)]
            return tuple(read_ring(place, self._read) for place in places if place is not None)

    def _find(self) -> str:
        try:
            devices = self._machine.qmp.execute("x-query-virtio")
        except QmpError:
            return ""
        paths = [str(one["path"]) for one in devices if str(one.get("name", "")).startswith("virtio-gpu")]
        return paths[0] if paths else ""

    def _place(self, number: int) -> QueuePlace | None:
        try:
            status = self._machine.qmp.execute("x-query-virtio-queue-status", path=self._path, queue=number)
        except QmpError:
            return None
        return queue_place(number, status)

    def _read(self, address: int, length: int) -> bytes:
        length = min(length, _READ_MAX)
        if not length:
            return b""
        try:
            self._machine.qmp.execute("pmemsave", val=address, size=length, filename=str(self._dump))
            return read_bounded(self._dump)
        except (QmpError, OSError):
            return b""
        finally:
            self._dump.unlink(missing_ok=True)
