"""The catalogue of centres, patients, studies, levels, predictions and reads, and what may change it."""
