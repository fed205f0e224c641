"""Structured reports of a server: reads written into the archive, and reads of others taken out of it."""
