"""OpenFace 2.x: its CSV, images, tracks, landmarks, model folder, and runs of it."""
