"""The checklist of the case study: every line measured and judged."""
