"""The build backend: setuptools for `pip install --editable .`, and no wheel, whose parts would hide other packages."""

from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "prepare_metadata_for_build_editable",
]
REASON = (
    "error: facespan is installed from a checkout alone: pip install --editable . (or: make environment). A wheel "
    "would put packages named `cache`, `pipeline` and `stages` before everybody else's of these names, and would lack "
    "dvc.yaml and configs/, without which there is nothing to run."
)


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """Refuse."""
    raise SystemExit(REASON)


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Refuse: a wheel would be made of it."""
    raise SystemExit(REASON)
