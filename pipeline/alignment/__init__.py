"""Face alignment: a face in a frame -> an aligned face."""
