"""What a report says: a run gathered from tables, figures, curves and frames into the values that a page shows."""
