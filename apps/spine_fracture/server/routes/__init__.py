"""One router for each part of MONAI Label's contract; every handler is a plain function in a thread."""
