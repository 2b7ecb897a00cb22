"""Displays and renderers, screendumps, the oracle, golden pictures, and gnuplot."""
