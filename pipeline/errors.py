"""The error that `pipeline` raises: data or a choice of the caller's that nothing can be made of."""


class DataError(ValueError):
    """What was given cannot be worked with (exit code 4): the message says what was found and what to do.

    A plain `ValueError` is something else: a function of ours was called in a way in which nobody may call it.
    """
