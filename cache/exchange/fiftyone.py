"""FiftyOne's temporal detections, out only: labels of videos in the layout `FiftyOneTemporalDetectionDataset` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from cache.exchange import tiers
from cache.exchange.tiers import Exported, TieredVideo, TierInterval


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a file for each tier; videos by their paths in the corpus folder, without suffix."""
    for tier in tiers.REFERENCE:
        if not any(tier in video.tiers for video in videos):
            continue
        labels = {
            PurePosixPath(video.path).with_suffix("").as_posix(): [
                _row(video, one) for one in video.tiers.get(tier, ())
            ]
            for video in videos
        }
        document = {"classes": list(exported.classes), "labels": labels}
        yield f"{tier.replace(' ', '-')}.json", (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _row(video: TieredVideo, one: TierInterval) -> dict[str, Any]:
    # Frames of the file, counted from 1, the last one included.
    support = [one.start * video.frame_step + 1, (one.stop - 1) * video.frame_step + 1]
    surely = {} if one.confidence is None else {"confidence": one.confidence}
    return {"label": one.emotion, "support": support, "attributes": {"kind": one.kind}, **surely}
