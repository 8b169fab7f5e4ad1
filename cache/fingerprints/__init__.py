"""Fingerprints: small files that stand in DVC's graph for what is large and need not be there."""
