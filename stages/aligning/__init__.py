"""Alignment methods by name: what each reads, how it is made ready, and videos aligned several at once."""
