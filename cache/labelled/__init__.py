"""Labelled sets of face images, in the layouts in which they are published."""
