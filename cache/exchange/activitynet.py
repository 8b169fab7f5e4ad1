"""ActivityNet's JSON, out only, as the evaluation code of temporal action detection reads it: truth, and results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cache.exchange import clocks, tiers
from cache.exchange.tiers import TRUTH, Exported, TieredVideo, TierInterval

SUBSET, VERSION = "validation", "facespan"


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the truth and of the results, those below the threshold among them if asked for."""
    times = {video.video: clocks.edges(video.columns) for video in videos}
    database = {
        video.video: {
            "duration": float(times[video.video][-1]),
            "subset": SUBSET,
            "url": "",
            "annotations": [_row(times[video.video], one) for one in video.tiers[TRUTH]],
        }
        for video in videos
    }
    taxonomy = [{"nodeId": 0, "nodeName": "Root", "parentId": None, "parentName": None}]
    taxonomy += [{"nodeId": number, "nodeName": name, "parentId": 0, "parentName": "Root"}
                 for number, name in enumerate(exported.classes, start=1)]  # fmt: skip
    yield "truth.json", _json({"version": VERSION, "taxonomy": taxonomy, "database": database})
    results = {
        video.video: [
            {**_row(times[video.video], one), "score": one.confidence}
            for tier in (tiers.DETECTIONS, tiers.BELOW)
            for one in video.tiers.get(tier, ())
        ]
        for video in videos
    }
    yield "detections.json", _json({"version": VERSION, "external_data": {}, "results": results})


def _row(times: NDArray[np.float64], one: TierInterval) -> dict[str, Any]:
    return {"segment": [float(times[one.start]), float(times[one.stop])], "label": one.emotion}


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
