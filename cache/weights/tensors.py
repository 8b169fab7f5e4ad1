"""Weights on disk: safetensors, which hold numbers and no code, with a card that says what they are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cache import own_digest, strict_json
from cache.errors import InputError
from cache.files import write_atomically

Tensors = dict[str, npt.NDArray[Any]]
CARD = "card"
MAXIMUM_BYTES = 1 << 32
# Of safetensors: the size of the header, which is JSON, in so many bytes at the start of the file.
HEADER_SIZE_BYTES = 8
MAXIMUM_HEADER_BYTES = 100_000_000
# The curve of a thousand epochs takes a hundredth of it.
MAXIMUM_CARD_CHARACTERS = 10_000_000
REMEDY = "Take an encoder from git again, or import it again; remove a detector and run: dvc repro"
TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


def write(path: Path, tensors: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> None:
    """Write tensors, their card and, in it, the file's own digest; the same input gives the same bytes.

    Raises:
        InputError: the disk refuses.
    """
    # Not beside the card: of several texts safetensors keeps no order.
    text = json.dumps({**card, own_digest.KEY: own_digest.BLANK}, sort_keys=True, allow_nan=False)
    content = save({name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}, {CARD: text})
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)
        own_digest.put(temporary)


def read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors and the card of a file, which may come from anybody.

    Raises:
        InputError: no such file, not safetensors, truncated, changed since it was written, larger than 4 GiB, or
            without a card.
    """
    card = _read_card(path)
    return read_tensors(path), card


def read_tensors(path: Path) -> Tensors:
    """Return the tensors alone, of a file without a card too; other errors as in `read`."""
    _check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise _damaged(path, error) from error
    except TypeError as error:
        raise InputError(f"{path} holds a kind of number that numpy lacks ({error}). Save it as float32.") from error
    own_digest.check(path, REMEDY)
    return found


def read_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return shape and type, as numpy names it where it has it, of every tensor; none is read. Errors as in `read`."""
    _check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            return {
                name: (tuple(part.get_shape()), TYPES.get(part.get_dtype(), part.get_dtype()))
                for name, part in parts.items()
            }
    except SafetensorError as error:
        raise _damaged(path, error) from error


def read_card(path: Path) -> dict[str, Any]:
    """Return the card alone, of a file that is whole; errors as in `read`."""
    card = _read_card(path)
    own_digest.check(path, REMEDY)
    return card


def carries_digest(path: Path) -> bool:
    """Return whether the card of a file that `read` accepts holds the file's digest; earlier versions wrote none."""
    return own_digest.KEY in told_card(path)


def told_card(path: Path) -> dict[str, Any]:
    """Return the card that a file begins with, even of one that was cut short; empty when there is none.

    It says who made a file, not that the file is whole.
    """
    with contextlib.suppress(InputError, OSError, ValueError):
        _check_file(path)
        with path.open("rb") as file:
            size = int.from_bytes(file.read(HEADER_SIZE_BYTES), "little")
            header = strict_json.parse(file.read(min(size, MAXIMUM_HEADER_BYTES)))
        card = strict_json.parse(header["__metadata__"][CARD]) if _holds_card(header) else None
        return card if isinstance(card, dict) else {}
    return {}


def _read_card(path: Path) -> dict[str, Any]:
    _check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(CARD, "null")
    except SafetensorError as error:
        raise _damaged(path, error) from error
    if len(text) > MAXIMUM_CARD_CHARACTERS:
        raise InputError(f"{path} has a card of {len(text)} characters; at most {MAXIMUM_CARD_CHARACTERS} are read.")
    try:
        card = strict_json.parse(text)
    except ValueError as error:
        raise _damaged(path, error) from error
    if not isinstance(card, dict):
        raise InputError(
            f"{path} holds tensors but no card that says what they are. Run: facespan weights import {path}"
        )
    card.pop(own_digest.KEY, None)
    return card


def _holds_card(header: object) -> bool:
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return isinstance(metadata, dict) and isinstance(metadata.get(CARD), str)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} does not exist or is no file.")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes; weights of at most {MAXIMUM_BYTES} are read.")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is not a whole safetensors file ({error}). Fetch or make it again.")
