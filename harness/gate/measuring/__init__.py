"""What runs machines and reads what they did: launches, windows, comparisons, exact counts."""
