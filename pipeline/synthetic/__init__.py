"""Synthetic recordings: the invented faces of the demo and what they do."""
