"""The host: what it is, its clocks, its processors and who leases them, its load."""
