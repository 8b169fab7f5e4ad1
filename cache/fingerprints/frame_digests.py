"""The digests of aligned frames where the frames themselves are not: they stand in the features' manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cache.errors import InputError
from cache.fingerprints import stated_frames
from cache.shards import manifest

# In the manifest's facts of the run: what was said of the frames, and the digest of those of each video.
FRAMES = "frames"


def are_here(folder: Path, stated_path: Path) -> bool:
    """Return whether a folder holds the frames that `align` told of, all of them and no others."""
    present = stated_frames.present(folder)
    return bool(present) and stated_frames.state(present) == stated_frames.read(stated_path)


def facts(digests: Mapping[str, str], stated_path: Path | None) -> dict[str, Any]:
    """Return what the features' manifest says of the frames, for whoever has them not."""
    if stated_path is None:
        return {}
    return {FRAMES: {"stated": stated_frames.read(stated_path).digest, "videos": dict(digests)}}


def of_features(features: Path, stated_path: Path, corpus: str) -> dict[str, str]:
    """Return from each video to the digest of the frames that its features were made from.

    Raises:
        InputError: there are no features, or of other frames than `align` told of.
        ShardError: their manifest is damaged.
    """
    absent = f"the frames that {stated_path} tells of are not here"
    if not (features / manifest.NAME).exists():
        raise InputError(f"{absent}, nor are features in {features}. {remedy(corpus)}")
    told = manifest.read(features).run.get(FRAMES)
    videos = told.get("videos") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(videos, dict):
        raise InputError(
            f"{absent}, and the features in {features} do not say what they were made from. {remedy(corpus)}"
        )
    if told.get("stated") != stated_frames.read(stated_path).digest:
        raise InputError(f"{absent}, and the features in {features} were made from others. {remedy(corpus)}")
    return {str(video): str(digest) for video, digest in videos.items()}


def remedy(corpus: str) -> str:
    """Return what can be done where frames are needed."""
    return (
        f"Fetch the features that belong to this commit (facespan cache pull {corpus}) or the frames (facespan cache "
        f"pull {corpus} --frames); where the corpus is: dvc repro --single-item --force align@{corpus}"
    )
