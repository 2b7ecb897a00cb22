"""The commit that made frames slower: git walks the history, the gate judges."""
