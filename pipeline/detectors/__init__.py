"""Detectors: what any network answers, decoding, suppression, operations; one folder a network."""
