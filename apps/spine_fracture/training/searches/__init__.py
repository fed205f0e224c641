"""Looking for good settings of a system."""
