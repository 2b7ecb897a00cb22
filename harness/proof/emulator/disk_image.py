"""A disk that firmware tries to boot from for a while: many short requests, and nothing to boot in the end.

The first sector is a boot record with four partitions, each an empty FAT16 file system, in which boot loaders look for
files; as code for a PC it reads sectors through the BIOS (Phoenix Enhanced Disk Drive Specification 3.0, function 42h).
"""

from __future__ import annotations

SECTOR_BYTES = 512
_PARTITIONS = 4
_FIRST, _EACH = 64, 440
_FAT16 = 0x06

_READS = 40
_BOOT_CODE = bytes.fromhex(
    "31c0"  # xor ax, ax
    "8ed8"  # mov ds, ax
    "b9" + _READS.to_bytes(2, "little").hex() + "51"  # mov cx, READS; again: push cx
    "be207c"  # mov si, packet
    "b442"  # mov ah, 42h
    "b280"  # mov dl, 80h: the first disk
    "cd13"  # int 13h
    "59"  # pop cx
    "49"  # dec cx
    "75f3"  # jnz again
    "f4"  # hlt
    "ebfd"  # jmp to hlt
).ljust(0x20, b"\x90") + bytes.fromhex("1000 0100 0080 0000 0000000000000000")
"""At 0000:7C00. The packet at 7C20 asks for one sector, from number 0, to 0000:8000."""


def boot_disk() -> bytes:
    """Sectors from the first on; what follows is zero."""
    record = bytearray(SECTOR_BYTES)
    record[: len(_BOOT_CODE)] = _BOOT_CODE
    sectors = bytearray(SECTOR_BYTES * (_FIRST + _PARTITIONS * _EACH))
    for number in range(_PARTITIONS):
        start = _FIRST + number * _EACH
        entry = bytes([0x80, 0, 0, 0, _FAT16, 0, 0, 0]) + start.to_bytes(4, "little") + _EACH.to_bytes(4, "little")
        record[446 + 16 * number : 462 + 16 * number] = entry
        sectors[SECTOR_BYTES * start : SECTOR_BYTES * (start + 2)] = _file_system(_EACH)
    record[510:] = b"\x55\xaa"
    sectors[:SECTOR_BYTES] = record
    return bytes(sectors)


def _file_system(size: int) -> bytes:
    """Boot sector and the start of the file allocation table (Microsoft FAT Specification, section 3.1)."""
    fields = (
        b"\xeb\x3c\x90MSDOS5.0",
        (SECTOR_BYTES).to_bytes(2, "little"),
        b"\x01",  # sectors a cluster
        b"\x01\x00",  # reserved sectors
        b"\x01",  # tables
        b"\x10\x00",  # root entries
        size.to_bytes(2, "little"),
        b"\xf8",
        b"\x04\x00",  # sectors of the table
        bytes(4 + 4 + 4),  # geometry, hidden sectors, large size
        b"\x80\x00\x29" + bytes(4) + b"NO NAME    FAT16   ",
    )
    boot = b"".join(fields).ljust(510, b"\0") + b"\x55\xaa"
    return boot + b"\xf8\xff\xff\xff".ljust(SECTOR_BYTES, b"\0")
