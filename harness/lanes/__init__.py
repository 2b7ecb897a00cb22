"""What is measured: each lane takes running machines and returns a frozen part of a Result."""
