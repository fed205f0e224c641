"""Telling the classes of a vertebral level apart, one module a classifier family."""
