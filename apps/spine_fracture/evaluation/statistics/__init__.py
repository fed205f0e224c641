"""Figures and how sure they are, for whatever is judged."""
