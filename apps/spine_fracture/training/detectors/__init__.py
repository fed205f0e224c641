"""How detectors of any family are trained and asked."""
