"""Models that answer in boxes: judged, and compared on the same pictures."""
