"""What is asked for and what was found: values that stages hand to each other, and how they are stored."""
