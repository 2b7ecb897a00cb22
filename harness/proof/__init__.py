"""The ring's ordering questions, decided from machine code.

- running a kernel: ``image``, ``tracer``, ``emulated_cpu``; a whole image: ``foreign``, ``machine``,
  ``virt_machine``, ``boards``, ``pc_machine``, ``long_loops``
- its devices: ``model_device``, ``mmio_device``, ``pci_device``, ``split_ring``, ``disk_image``
- recording: ``recording``, ``recorder``, ``access``, ``shared_accesses``, ``instructions``, ``decode_aarch64``,
  ``decode_riscv64``, ``decode_x86``
- deciding: ``questions``, ``events``, ``models``, ``checker``, ``decide``, ``weakest``, ``matrix``, ``run``
- a second opinion, and practice: ``herd``, ``export``, ``practice``
- saying it: ``report``, ``drawing``, ``ordering``
"""
