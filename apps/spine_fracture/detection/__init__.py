"""Finding the vertebrae in pictures, joining slices, and naming the levels."""
