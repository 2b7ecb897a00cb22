"""Building kernels, and finding those of targets."""
