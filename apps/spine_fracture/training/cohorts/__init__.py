"""Labelled studies and radiographs on disk, and how cohorts are made."""
