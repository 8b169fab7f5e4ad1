"""The errors that `cache` raises; `stages` turns each into its exit code."""


class InputError(ValueError):
    """Input is missing or invalid (exit code 4). The message says what to do."""


class DiskError(InputError):
    """The disk takes no file at all: it is full, its quota is used up, or it is read-only. Other files fail alike."""


class ShardError(RuntimeError):
    """A shard is corrupt or not of this format (exit code 5). The message says what to do."""


class StaleShardError(ShardError):
    """A shard is whole, but was made from something else than what is asked for."""
