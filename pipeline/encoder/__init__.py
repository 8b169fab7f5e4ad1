"""The encoder: a frame -> a feature; how it is trained, and how its features are judged."""
