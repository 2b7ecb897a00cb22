"""The command line's words, help, completion and terminal output."""
