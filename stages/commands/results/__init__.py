"""The commands that look at what came out of runs."""
