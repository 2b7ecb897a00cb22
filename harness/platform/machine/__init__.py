"""QEMU from its command line to its end: sandbox, QMP, viewers, serial console, traces, counts."""
