"""One file a subcommand: turns arguments into calls, and results into exit codes."""
