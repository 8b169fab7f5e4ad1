"""The disk: one module per kind of file."""
