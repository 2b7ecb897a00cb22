"""Kernels booted to their end under the real QEMU."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.guest.serial import SerialLog, parse_serial
from harness.model.spec import Machine, RunParams, RunSpec, Switches
from harness.platform.kernels.build import build_kernel
from harness.platform.machine.ending import Ending
from harness.platform.machine.qemu import Qemu


@dataclass(frozen=True)
class Booted:
    """Logs and exit of a machine that has ended."""

    serial: bytes
    ending: Ending

    @property
    def log(self) -> str:
        """The serial log as text."""
        return self.serial.decode("utf-8", "replace")


def boot_image(folder: Path, image: Path, machine: Machine, params: RunParams, limit_s: float = 20.0) -> Booted:
    """Boot an image and wait until its machine has ended unasked."""
    with Qemu(RunSpec(kernel=image, machine=machine, params=params), folder) as guest:
        deadline = time.monotonic() + limit_s
        while not guest.exited():
            assert time.monotonic() < deadline, guest.console.content()[-300:]
            time.sleep(0.02)
        ending = guest.wait_end(1.0)
    return Booted(guest.console.content(), ending)


def boot_kernel(
    folder: Path, machine: Machine, params: RunParams, switches: Mapping[str, str] = {}, *, test: bool = False
) -> Booted:
    """Build a kernel of these switches, and boot it as ``boot_image`` does; ``ARCH`` is the machine's unless given."""
    kernel = build_kernel(Switches.of({"ARCH": machine.arch, **switches}), test=test)
    return boot_image(folder, kernel.path, dataclasses.replace(machine, arch=kernel.switches.arch), params, 30.0)


def serial_log(folder: Path, settings: Mapping[str, str], params: RunParams, machine: Machine = Machine()) -> SerialLog:
    """Serial log of a kernel with these switches until it ended."""
    return parse_serial(boot_kernel(folder, machine, params, settings).serial)


def column(log: SerialLog, key: str) -> list[int]:
    """A key's value in every record."""
    values = log.records.column(key)
    assert values is not None, key
    return [int(value) for value in values]
