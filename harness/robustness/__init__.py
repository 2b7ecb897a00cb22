"""Attacks on the harness itself: kills, full disks, damaged files, hostile guests, and a host that disturbs QEMU.

The benchmark ``robustness`` counts them, and tests use the same tools. Each attack returns its problems as texts; the
promise is that there are none.
"""
