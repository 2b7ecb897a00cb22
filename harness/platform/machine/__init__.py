"""QEMU from its command line to its end: sandbox, QMP, serial console, traces, counts."""
