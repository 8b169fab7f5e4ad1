"""Device selection: `auto`, `cpu` or a GPU."""

from __future__ import annotations

import torch

from stages.shell.params import ParameterError


def choose(name: str) -> torch.device:
    """Return the device called `auto`, `cpu`, `cuda` or `cuda:N`; `auto` is the first GPU when there is one."""
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"--device {name}: expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ParameterError(f"--device {name}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ParameterError(f"--device {name}: found {torch.cuda.device_count()} GPUs. Run: facespan doctor")
    return device


def name_of(device: torch.device) -> str:
    """Return what the device is called: of a GPU its model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
