"""`facespan doctor`: what this machine has, and what facespan would do with it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from typing import Annotated, Any

import torch
import typer

from cache.errors import InputError
from cache.weights import face_networks
from pipeline.encoder import resnet
from stages.shell import console, devices

PACKAGES = ("torch", "torchvision", "h5py", "numpy", "opencv-python-headless", "pyarrow", "safetensors", "dvc")
OPENFACE = "FeatureExtraction"


def main(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """Say versions, devices, the precision chosen, DVC's link type and which aligners can run."""
    found = examine()
    console.result(json.dumps(found, indent=2) if as_json else _as_text(found))


def examine() -> dict[str, Any]:
    """Return the facts `main` prints, JSON-ready; what is absent is None."""
    device = devices.choose("auto")
    return {
        "facespan": importlib.metadata.version("facespan"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": _device_names(),
        "device": str(device),
        "precision": resnet.choose_precision(device),
        "threads": torch.get_num_threads(),
        "dvc_link_types": _dvc_link_types(),
        "openface": shutil.which(OPENFACE) or os.environ.get("OPENFACE"),
        "builtin_aligner": _builtin_aligner(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _builtin_aligner() -> str | None:
    """Return the versions of what `align.method builtin` needs; None where it cannot run."""
    try:
        face_networks.read()
    except InputError:
        return None
    return ", ".join(f"{name} {_version(name)}" for name in (face_networks.RUNNER, face_networks.PACKAGE))


def _device_names() -> dict[str, str]:
    gpus = {f"cuda:{i}": torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
    return {"cpu": f"{platform.machine()}, {os.cpu_count()} cores", **gpus}


def _dvc_link_types() -> str | None:
    """Return the line in which DVC says how it links its cache into the workspace; None outside a DVC repository."""
    if shutil.which("dvc") is None:
        return None
    doctor = subprocess.run(["dvc", "doctor"], capture_output=True, text=True, check=False)
    lines = [line for line in doctor.stdout.splitlines() if line.startswith("Cache types:")]
    told = lines[0].removeprefix("Cache types:").strip() if lines else ""
    return told if told and "error.dvc.org" not in told else None  # it cannot know before its cache exists


def _as_text(found: dict[str, Any]) -> str:
    rows = [
        ("facespan", found["facespan"]),
        ("python", found["python"]),
        *((name, version or "not installed") for name, version in found["packages"].items()),
        *found["devices"].items(),
        ("would run on", f"{found['device']}, precision {found['precision']}, {found['threads']} threads"),
        ("DVC links", found["dvc_link_types"] or "not known before the first `dvc repro`"),
        ("OpenFace", found["openface"] or f"not found ({OPENFACE} is not on PATH); only needed to align with it"),
        ("builtin aligner", found["builtin_aligner"] or "not installed; only needed to align without OpenFace"),
    ]
    return "\n".join(f"{name:<24} {value}" for name, value in rows)
