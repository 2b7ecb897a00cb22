"""Jobs on several hosts: what is shipped, where it runs, and what may go wrong on the way."""
