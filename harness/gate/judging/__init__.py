"""From figures to a verdict: metrics, kinds of gate, what decides, and what to do next."""
