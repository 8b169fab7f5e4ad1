"""Alignment: the methods by name, the check for aligned faces, and several videos at once."""
