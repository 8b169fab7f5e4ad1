"""Training: folds, schedules, one fold."""
