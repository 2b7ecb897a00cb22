"""Questions, events, memory models, the checker and the weakest fences that are right."""
