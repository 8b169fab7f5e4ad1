"""FEDN (Fang et al., arXiv 2504.07660): attention over segments and windows, a pyramid, two-branch heads."""
