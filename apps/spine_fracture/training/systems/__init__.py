"""Every system by name: one module a family, and what families share."""
