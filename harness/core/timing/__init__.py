"""Clocks brought together, sources that say the same, and the pace of frames."""
