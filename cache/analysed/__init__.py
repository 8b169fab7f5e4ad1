"""Videos analysed without a corpus: known by content, aligned and encoded in parts, with what was found in them."""
