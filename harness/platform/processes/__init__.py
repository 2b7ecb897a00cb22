"""Child processes: none outlives its parent or its deadline."""
