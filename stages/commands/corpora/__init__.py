"""Commands about corpora themselves."""
