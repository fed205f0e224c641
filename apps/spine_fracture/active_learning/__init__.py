"""What to read next: uncertainty, strategies, the queue, and a simulated reader."""
