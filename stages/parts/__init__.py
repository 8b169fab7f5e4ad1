"""What introduces `cache` to `pipeline`: sources of frames and features, recordings, encoders, detectors."""
