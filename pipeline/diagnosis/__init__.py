"""Error diagnosis: kinds of false detections and of misses, and what mending each kind would give."""
