"""Scoring: matching, protocols, average precision, recognition, thresholds, statistics, the random baseline."""
