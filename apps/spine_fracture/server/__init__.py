"""The server: MONAI Label's contract, our own application, and the forms that viewers read."""
