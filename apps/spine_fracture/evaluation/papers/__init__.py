"""What the source studies printed, beside ours."""
