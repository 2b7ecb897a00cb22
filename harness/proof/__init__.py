"""The ring's ordering questions, decided from machine code."""
