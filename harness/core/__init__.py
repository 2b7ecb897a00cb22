"""Pure functions over arrays and strings: no file is opened here, no process started.

- ``guest``: what a guest says on its serial line
- ``device``: what QEMU's trace says of the device and its queues
- ``timing``: clocks, sources and the pace of frames
- ``comparison``: two kernels compared, and when that is decided
- ``counts``: exact counts of instructions and accesses
- ``pictures``: what is on the screen, what is wrong with it, and how good the detectors are
- ``machine_code``: ELF files and the ordering points in them
- for all of them: ``arrays``, ``budget``, ``wording``, ``text``
"""
