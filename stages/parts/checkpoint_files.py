"""Checkpoint files of encoders, loaded and saved without running code from them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor

from cache.errors import InputError
from cache.weights import tensors as weights
from pipeline.encoder.pretraining import Epoch, Progress
from stages.shell import console

PROGRESS = ("network", "moments", "best")  # the tensors of a `Progress`
# What torch raises for anything but tensors, numbers, texts and lists.
Refused: type[Exception] = torch.serialization.pickle.UnpicklingError  # type: ignore[attr-defined]


def load_checkpoint(file: Path) -> object:
    """Return what a checkpoint holds: tensors, numbers and texts; anything else is refused and not run."""
    if file.suffix.lower() == ".safetensors":
        return {name: torch.from_numpy(value) for name, value in weights.read_tensors(file).items()}
    if not file.is_file():
        raise InputError(f"{file} does not exist or is no file.")
    if file.stat().st_size > weights.MAXIMUM_BYTES:
        raise InputError(
            f"{file} has {file.stat().st_size} bytes; weights of at most {weights.MAXIMUM_BYTES} are read."
        )
    _refuse_compression(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Refused as error:
        raise InputError(
            f"{file} holds code or objects besides tensors, or is no checkpoint; nothing in it was run. "
            f"Where it was made, save only the weights: torch.save(model.state_dict(), path). ({first_line(error)})"
        ) from error
    except Exception as error:  # torch lets through whatever its readers of three formats stumble over
        raise InputError(f"{file} is no whole checkpoint ({first_line(error)}). Fetch it again.") from error


def _refuse_compression(file: Path) -> None:
    """Raise InputError for an archive that holds more than its file: torch, which writes none, would unpack it."""
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{file} is no whole checkpoint ({first_line(error)}). Fetch it again.") from error
    is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    total, size = sum(member.file_size for member in members), file.stat().st_size
    if not is_stored or total > size:
        raise InputError(f"{file} holds {total} bytes in {size}, expected no compression. Save it with torch.save.")


def first_line(error: Exception) -> str:
    """Return the part of torch's message that fits in a line: the rest advises to run the code."""
    return str(error).strip().partition("\n")[0][:200]


def write_progress(path: Path, key: str, progress: Progress) -> None:
    """Write what training needs to go on."""
    tensors = {f"{part}/{name}": value.numpy() for part in PROGRESS for name, value in getattr(progress, part).items()}
    weights.write(path, tensors, {"key": key, "curve": progress.curve})


def read_progress(path: Path, key: str) -> Progress | None:
    """Return what was kept at a path, or None when nothing was or it belongs to another training.

    Raises:
        InputError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        tensors, card = weights.read(path)
    except InputError as error:
        raise InputError(f"{error} It keeps an unfinished training: begin anew with --force.") from error
    if card.get("key") != key:
        console.say(f"weights: {path} is of other images or parameters and is made anew")
        return None
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PROGRESS}
    for name, value in tensors.items():
        part, _, own = name.partition("/")
        parts[part][own] = torch.from_numpy(value)
    return Progress(**parts, curve=[Epoch(*row) for row in card["curve"]])


def remove_progress(path: Path, key: str) -> None:
    """Remove what was kept of a training; that of another one stays."""
    if weights.told_card(path).get("key") == key:
        path.unlink()
