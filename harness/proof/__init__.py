"""The ring's ordering questions, decided from machine code.

- ``emulator``: a kernel, or a whole image, run against model devices
- ``recorded``: instructions decoded, and the accesses to shared memory that they made
- ``decided``: questions, memory models, the checker, the weakest fences that are right
- all kernels at once: ``run``, ``matrix``
- a second opinion, and practice: ``herd``, ``export``, ``practice``
- saying it: ``report``, ``drawing``, ``ordering``
"""
