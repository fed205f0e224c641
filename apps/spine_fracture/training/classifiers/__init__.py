"""The classifier in the package: its training and its retraining on reads."""
