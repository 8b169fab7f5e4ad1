"""The corpora: their files as they come -> videos, expressions and an audit."""
