"""A kernel runs in an emulator against model devices.

- its functions: ``image``, ``tracer``, ``emulated_cpu``
- a whole image: ``foreign``, ``machine``, ``virt_machine``, ``boards``, ``pc_machine``, ``long_loops``
- its devices: ``model_device``, ``mmio_device``, ``pci_device``, ``split_ring``, ``disk_image``
"""
