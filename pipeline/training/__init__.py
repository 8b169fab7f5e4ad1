"""Training: folds, one fold, its memory."""
