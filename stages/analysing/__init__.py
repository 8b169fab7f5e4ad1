"""Analysis of single videos, without a corpus: from the file to a table, kept by content in the user's cache folder."""
