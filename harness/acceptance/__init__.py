"""The checklist of the seed case: every line measured and judged."""
