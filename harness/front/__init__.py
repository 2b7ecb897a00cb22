"""The front door: what the words of a command line mean, what the help says, and how a terminal is written to."""
