"""Files that QEMU loads for a target: kernel, disc, firmware, flash chips, files for the generic loader, disks.

A guest writes to none of it: a flash chip that it may write is a copy in the launch's folder, and what it writes to a
disk is dropped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.model.qemu_arches import arch_of
from harness.model.spec import RunSpec
from harness.model.target import Target

SERIAL_LINE = "line"
"""Base name of the pipes ``line.in`` and ``line.out`` of a serial line that is typed to."""


def quoted(path: Path | str) -> str:
    """A file's name as a value of QEMU's options: a comma is written twice."""
    return str(path).replace(",", ",,")


def boot_arguments(spec: RunSpec, folder: Path) -> list[str]:
    """The arguments that load a target's images.

    Parameters
    ----------
    folder
        Of the launch; receives copies of what the guest may write to.
    """
    target = spec.target
    assert target is not None
    image = target.image
    words: list[str] = []
    if image.bios:
        words += ["-bios", image.bios]
    for unit, file in enumerate(image.pflash):
        words += ["-drive", _flash(Path(file), unit, len(image.pflash), folder)]
    if image.kernel:
        words += ["-kernel", image.kernel]
    if image.initrd:
        words += ["-initrd", image.initrd]
    if image.dtb:
        words += ["-dtb", image.dtb]
    append = spec.params.command_line() if target.params else image.append
    if append:
        words += ["-append", append]
    for one in image.loader:
        file, comma, options = one.partition(",")
        words += ["-device", f"loader,file={quoted(file)}{comma}{options}"]
    if image.iso:
        words += ["-cdrom", image.iso, "-boot", "d"]
    for number, one in enumerate(image.disk):
        words += _disk(target, one, number)
    return words


def _flash(file: Path, unit: int, chips: int, folder: Path) -> str:
    """The first of several chips holds code and is only read; the last holds variables."""
    if chips > 1 and unit < chips - 1:
        return f"if=pflash,unit={unit},format=raw,readonly=on,file={quoted(file)}"
    copy = folder / f"flash{unit}"
    # No bound needed: an image that was hashed when the target was found.
    shutil.copyfile(file, copy)
    return f"if=pflash,unit={unit},format=raw,file={quoted(copy)}"


def _disk(target: Target, one: str, number: int) -> list[str]:
    file, _, options = one.partition(",")
    form = "qcow2" if file.endswith(".qcow2") else "raw"
    usual = "virtio-blk-device" if "-device" in target.gpu.partition(",")[0] else arch_of(target.arch).blk_device
    device = options.removeprefix("device=") or usual
    drive = f"file={quoted(file)},if=none,id=disk{number},format={form},snapshot=on,aio=threads"
    return ["-drive", drive, "-device", f"{device},drive=disk{number}"]
