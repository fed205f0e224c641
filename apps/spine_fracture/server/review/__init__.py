"""The reading room's desk: what is read next, by whom, in which mode, and what comes of it."""
