"""Exact counts by part of a frame and by function, and the time that they foretell."""
