"""Everything that touches the world: processes, sockets, files, compilers."""
