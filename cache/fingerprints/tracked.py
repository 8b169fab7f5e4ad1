"""Small JSON files that git tracks: written only where they say something else, with a digest of themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cache import files, own_digest, strict_json


def write(path: Path, told: Mapping[str, Any]) -> bool:
    """Write the file and return True, or leave it alone where it says the same."""
    text = own_digest.filled(json.dumps({**told, own_digest.KEY: own_digest.BLANK}, indent=1) + "\n")
    if path.is_file() and path.stat().st_size == len(text) and path.read_bytes() == text.encode("ascii"):
        return False
    with files.write_atomically(path) as temporary:
        temporary.write_text(text, encoding="ascii")
    return True


def read(path: Path, maximum_bytes: int) -> Any:
    """Return what a file, which may come from anybody, says.

    Raises:
        FileNotFoundError: there is none.
        InputError, ValueError: it is too large, no JSON, or not as it was written.
    """
    if path.stat().st_size > maximum_bytes:
        raise ValueError(f"larger than {maximum_bytes} bytes")
    told = strict_json.parse(path.read_bytes())
    own_digest.check(path, remedy="")
    return told
