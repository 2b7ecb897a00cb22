"""Where a frame's time goes, and what each switch is worth."""
