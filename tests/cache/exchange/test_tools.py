"""Files of ours, checked by what the tools' own makers publish, where that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cache.exchange import label_studio
from cache.exchange.tiers import Exported, TierInterval
from tests.cache.exchange.invented import CLASSES, columns_of, video_of


def test_label_studio_accepts_tasks_and_interface() -> None:
    interfaces = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    truth = [TierInterval(3, 9, CLASSES[2]), TierInterval(5, 12, CLASSES[3], "micro")]
    found = [TierInterval(20, 30, CLASSES[0], confidence=0.5)]
    video = video_of(columns_of([n / 30 for n in range(40)]), truth=truth, detections=found, corrections=truth)
    (_, tasks), (_, config) = label_studio.write([video], Exported("mine", CLASSES, Path()))
    interface = interfaces.LabelInterface(config.decode())
    interface.validate()
    [task] = json.loads(tasks)
    assert interface.validate_task({"data": task["data"]})
    [annotation] = task["annotations"]
    assert interface.validate_annotation(annotation)
    annotation["result"][0]["value"]["timelinelabels"] = ["of no control"]
    assert not interface.validate_annotation(annotation)
