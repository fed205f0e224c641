"""Models that answer about levels and patients: judged, compared, and beside readers."""
