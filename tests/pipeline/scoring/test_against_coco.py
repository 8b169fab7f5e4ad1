"""Average precision, and who finds whom, equal COCO's own program on random cases, its boxes made one frame high.

COCO samples the interpolated precision at given recalls. At the recalls 1/M, 2/M, ..., 1 the mean of its samples is the
area at every point, which is what ActivityNet and we report. Of detections that are equally confident COCO takes the
first first, and we both at once, so the cases have none.
"""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.intervals import Floats
from pipeline.scoring.average_precision import IOU_PERCENT, detection_precisions, spotting_precisions
from pipeline.scoring.matching import pool
from pipeline.scoring.results import VideoResult

CLASSES = 3


def random_corpus(generator: np.random.Generator, videos: int = 6) -> list[VideoResult]:
    """Return videos with up to six truths, which may overlap, jittered detections of each, and some of nothing."""
    results = []
    order = generator.permutation(10_000)
    for number in range(videos):
        starts = generator.uniform(0, 300, generator.integers(0, 7))
        truths = np.stack([starts, starts + generator.uniform(5, 80, len(starts))], axis=1)
        classes = generator.integers(0, CLASSES, len(truths))
        repeated = np.repeat(np.arange(len(truths)), generator.integers(0, 4, len(truths)))
        noise = generator.uniform(0, 300, (generator.integers(1, 6), 1)) + np.array([0, 30])
        found = np.concatenate([truths[repeated] + generator.normal(0, 6, (len(repeated), 2)), noise])
        found[:, 1] = np.maximum(found[:, 1], found[:, 0] + 1)
        told = np.concatenate([classes[repeated], generator.integers(0, CLASSES, len(noise))])
        told = np.where(generator.random(len(told)) < 0.2, generator.integers(0, CLASSES, len(told)), told)
        confidence = order[number * 100 : number * 100 + len(found)] / 10_000
        results.append(VideoResult(f"v{number}", "s", 400, truths, classes, found, told, confidence))
    return results


def coco_precisions(videos: list[VideoResult], emotion: int | None) -> Floats:
    """Return COCO's average precision at each of IOU_PERCENT, ``(10,)``, of one class or, for None, of all as one."""
    truths, found = [], []
    for image, result in enumerate(videos, start=1):
        for rows, (start, stop), told in (
            *((truths, *row) for row in zip(result.truth_intervals, result.truth_classes, strict=True)),
            *((found, *row) for row in zip(result.intervals, result.classes, strict=True)),
        ):
            if emotion is None or told == emotion:
                box = {"bbox": [float(start), 0.0, float(stop - start), 1.0], "area": float(stop - start)}
                rows.append({"id": len(rows) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, **box})
        of_video = [row for row in found if row["image_id"] == image]
        kept = result.confidence if emotion is None else result.confidence[result.classes == emotion]
        for row, confidence in zip(of_video, kept, strict=True):
            row["score"] = float(confidence)
    images = [{"id": image} for image in range(1, len(videos) + 1)]
    known = COCO()
    known.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1}]}
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        told_by_us = COCO()
        told_by_us.dataset = {"images": images, "annotations": found, "categories": [{"id": 1}]}
        told_by_us.createIndex()
        program = COCOeval(known, told_by_us, "bbox")
        program.params.iouThrs = np.array(IOU_PERCENT) / 100
        program.params.recThrs = np.arange(1, len(truths) + 1) / len(truths)
        program.params.maxDets = [10_000]
        program.params.areaRng, program.params.areaRngLbl = [[0, 1e9]], ["all"]
        program.evaluate()
        program.accumulate()
    precisions: Floats = program.eval["precision"][:, :, 0, 0, 0].mean(axis=1)
    return precisions


@pytest.mark.parametrize("seed", range(20))
def test_average_precisions_equal_coco_s(seed: int) -> None:
    videos = random_corpus(np.random.default_rng(seed))
    pooled = pool(videos)
    assert spotting_precisions(pooled) == pytest.approx(coco_precisions(videos, None))
    ours = detection_precisions(pooled, CLASSES)
    for emotion in np.unique(pooled.truth_classes):
        assert ours[:, emotion] == pytest.approx(coco_precisions(videos, int(emotion)))
