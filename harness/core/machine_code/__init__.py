"""ELF files: loadable bytes, disassembly, and the ordering points in them."""
