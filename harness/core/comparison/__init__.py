"""Two kernels compared: the estimate, its interval, and when enough was seen."""
