"""Structured reports (DICOM SR, TID 1500): what was said of a study's levels, out and back in."""
