"""Data sets, loops and jobs that make models."""
