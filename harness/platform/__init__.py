"""Everything that touches the world: processes, sockets, files, compilers.

- ``machine``: QEMU from its command line to its end
- ``pictures``: displays, screendumps, oracles, pictures of a person's approval, plots
- ``kernels``: building and finding kernels and targets
- ``host``: processors, clocks, load
- ``files``: writing whole files, locks, stores, databases
- ``processes``: children with deadlines
"""
