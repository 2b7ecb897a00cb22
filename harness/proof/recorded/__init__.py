"""Instructions decoded, and the accesses to shared memory that they made, with their dependencies."""
