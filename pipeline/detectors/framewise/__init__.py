"""A spotter without training: the encoder's own class probabilities, smoothed, over the person's usual face."""
