"""The approved kernels: references of our own, and of targets."""
