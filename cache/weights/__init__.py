"""Weights on disk: encoders and detectors as safetensors with a card, and the networks that find faces."""
