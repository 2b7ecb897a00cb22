"""What the gate measures: each stage runs machines and returns a frozen part of a result."""
