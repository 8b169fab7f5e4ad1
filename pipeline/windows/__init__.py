"""Recordings in memory and the windows cut from them: normalisation, where they lie, sampling, augmentation."""
