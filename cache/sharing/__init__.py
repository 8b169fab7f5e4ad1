"""What a team does with folders of shards: look, verify, compare, merge, clear, hand on."""
