"""An invented report: seeded, with pictures drawn by arithmetic, of any number of videos and as hostile as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stages.page import render
from stages.page.document import (
    Attention,
    Case,
    Changed,
    Document,
    Figure,
    Origin,
    Picture,
    StageRun,
    Timeline,
    TrueExpression,
)

SEVEN = ("happiness", "surprise", "disgust", "anger", "fear", "sadness", "others")
FALSE = ("wrong_emotion", "double", "face_lost", "wrong_place", "background")
PACE = 1 / 30


def document(
    videos: int = 3,
    frames: int = 1200,
    expressions: int = 8,
    classes: Sequence[str] = SEVEN[:6],
    pictures: bool = True,
    curves: bool = True,
    seed: int = 0,
) -> Document:
    """Return an invented report; the same arguments, the same report."""
    random = np.random.default_rng(seed)
    timelines = [
        timeline(random, number, frames, expressions, classes, pictures=pictures, curves=curves)
        for number in range(videos)
    ]
    return Document(
        origin=origin(timelines),
        classes=classes,
        headline=(
            Figure("spotting F1", 0.9286, 0.8775, 0.9736, 0.1227, 0.9340),
            Figure("spotting mAP", 0.6192, 0.5730, 0.6832, 0.0063, None),
            Figure("recognition UF1", 0.9666, 0.9142, 1.0, 0.1337, 0.9546),
            Figure("detection mAP", 0.6329, None, None, 0.0015, None),
        ),
        figures=figures(timelines, classes),
        gains=gains(random),
        tallies={
            "by length": [("0-15", 3, 4), ("15-30", 11, 5), ("30-60", 20, 2), ("60-", 7, 0)],
            "by emotion": [(name, 9 - index, index) for index, name in enumerate(classes)],
        },
        precision_recall={"spotting": falling(random), "detection": falling(random)},
        losses={f"without-p{fold:02d}": losses(random) for fold in range(1, 5)},
        timelines=timelines,
    )


def write(folder: Path, *runs: Document | tuple[str, Document]) -> Path:
    """Write one report, or several named ones side by side, as a page into a folder, and return its path."""
    path = folder / "index.html"
    named = [run if isinstance(run, tuple) else ("", run) for run in runs]
    path.write_text(render.rendered(named), encoding="utf-8", newline="\n")
    return path


def origin(timelines: Sequence[Timeline]) -> Origin:
    commit = "363683eb3b9a8afbf44f2bdce92a1f4eb038364d"
    machine = "CPU, torch 2.7.1, numpy 2.2.6, Python 3.11.2"
    return Origin(
        corpus="demo",
        encoder="ferplus, 96 px",
        warnings=("The faces of this corpus are invented: its numbers say nothing about real faces.",),
        protocol=(
            "Spotting: a detection is true where it overlaps an expression at an IoU of 0.5 or more, one to one.",
            "Recognition: of the expressions that were spotted, the emotion named.",
            "mAP: mean of average precision at IoU 0.50 to 0.95.",
        ),
        confidence_level=0.95,
        subjects=len({video.subject for video in timelines}),
        videos=len(timelines),
        expressions=sum(len(video.expressions) for video in timelines),
        runs=(
            StageRun("index", commit, False, "2026-11-24T17:01:12+00:00", machine),
            StageRun("align", commit, False, "2026-11-24T17:02:40+00:00", machine),
            StageRun("extract", None, False, "", ""),
            StageRun("train", commit, True, "2026-11-24T17:20:05+00:00", machine),
        ),
        changed=(Changed("train.epochs", 25, 40), Changed("detect.stride", 32, 64)),
    )


def timeline(
    random: np.random.Generator,
    number: int,
    frames: int,
    expressions: int,
    classes: Sequence[str],
    *,
    pictures: bool,
    curves: bool,
) -> Timeline:
    """Return a video with an expression in each of its parts: most found, some missed, some false detections."""
    part = frames // max(expressions, 1)
    truths, cases = [], []
    curve = np.clip(random.normal(0.04, 0.02, (frames, len(classes))), 0, 1)
    for index in range(expressions):
        start = index * part + int(random.integers(2, part // 3))
        stop = start + int(random.integers(8, part // 3))
        emotion = int(random.integers(len(classes)))
        found = bool(random.random() < 0.8)
        truths.append(TrueExpression(*places(start, stop), classes[emotion], "macro", found))
        if found:
            kind = "correct" if random.random() < 0.9 or len(classes) == 1 else "wrong_emotion"
            named = emotion if kind == "correct" else (emotion + 1) % len(classes)
            begin, end = start + int(random.integers(-3, 3)), stop + int(random.integers(-3, 3))
            cases.append(case(random, kind, max(begin, 0), end, classes, named, index, pictures=pictures))
            bump(curve, begin, end, named, 0.8 + 0.19 * random.random())
        else:
            cases.append(case(random, "missed", start, stop, classes, None, index, pictures=pictures))
            bump(curve, start, stop, emotion, 0.3 + 0.3 * random.random())
        if random.random() < 0.35:
            kind = FALSE[1 + int(random.integers(4))]
            begin = index * part + part - part // 4
            truth = index if kind in ("double", "wrong_place") else None
            named = emotion if kind == "double" else int(random.integers(len(classes)))
            cases.append(case(random, kind, begin, begin + part // 5, classes, named, truth, pictures=pictures))
            bump(curve, begin, begin + part // 5, named, 0.7 + 0.2 * random.random())
    return Timeline(
        video=f"p{number // 2 + 1:02d}_{number % 2 + 1}",
        subject=f"p{number // 2 + 1:02d}",
        frame_count=frames,
        seconds_per_frame=PACE,
        first_label=1,
        threshold=0.68,
        expressions=truths,
        cases=cases,
        curve=curve.astype(np.float16) if curves else np.zeros((0, len(classes)), np.float16),
        faceless=[(frames // 3, frames // 3 + 40), (frames - 25, frames)],
        sheet=f"sheets/video-{number:03d}.html" if number % 3 == 0 else None,
    )


def places(start: int, stop: int) -> tuple[int, int, int, int, float, float]:
    return start, stop, start + 1, stop, start * PACE, (stop - 1) * PACE


def bump(curve: np.ndarray, start: int, stop: int, column: int, height: float) -> None:
    at = np.arange(len(curve))
    shape = height * np.exp(-(((at - (start + stop) / 2) / max(stop - start, 4)) ** 4) * 8)
    curve[:, column] = np.maximum(curve[:, column], shape)


def case(
    random: np.random.Generator,
    kind: str,
    start: int,
    stop: int,
    classes: Sequence[str],
    named: int | None,
    truth: int | None,
    *,
    pictures: bool,
) -> Case:
    scores = np.clip(random.normal(0.08, 0.05, len(classes)), 0.01, 1)
    if named is not None:
        scores[named] = 0.7 + 0.29 * random.random()
    iou = {"correct": 0.82, "wrong_emotion": 0.71, "double": 0.55, "wrong_place": 0.34, "missed": 0.21}.get(kind)
    return Case(
        kind,
        *places(start, stop),
        emotion=None if named is None else classes[named],
        truth=truth,
        iou=iou if truth is not None else None,
        confidence=None if named is None else float(scores[named]),
        scores=scores.tolist(),
        cut_by_window=start % 2 == 0 if kind == "missed" else None,
        pictures=shown(start, stop) if pictures else (),
        attention=(attention(random, "segment attention", start, 64), attention(random, "window attention", start, 16))
        if named is not None
        else (),
    )


def shown(start: int, stop: int) -> list[Picture]:
    chosen = np.linspace(start, stop - 1, 5).astype(int)
    roles = ("onset", "between", "apex", "between", "offset")
    blank = start % 7 == 0
    return [
        Picture(
            role,
            int(frame) + 1,
            frame * PACE,
            not (blank and role == "between"),
            b"" if blank and role == "between" else face(int(frame)),
        )
        for role, frame in zip(roles, chosen, strict=True)
    ]


def face(number: int, size: int = 96) -> bytes:
    """Return a drawn face as a JPEG."""
    image = np.full((size, size, 3), 70 + number % 60, np.uint8)
    image += np.random.default_rng(number).integers(0, 24, image.shape, dtype=np.uint8)
    cv2.ellipse(image, (48, 50), (32, 42), 0, 0, 360, (150, 180, 215), -1)
    for x in (36, 60):
        cv2.circle(image, (x, 42), 4, (40, 40, 40), -1)
    cv2.ellipse(image, (48, 68), (13, 3 + number % 9), 0, 0, 180, (60, 60, 160), 2)
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def attention(random: np.random.Generator, name: str, around: int, count: int) -> Attention:
    start = np.linspace(max(around - 60, 0), around + 120, count, endpoint=False)
    weight = random.gamma(2, 1, count)
    return Attention(name, start, start + 180 / count, weight / weight.sum(), 1 / count)


def figures(timelines: Sequence[Timeline], classes: Sequence[str]) -> dict[str, Any]:
    steps = [f"iou{iou}" for iou in range(50, 100, 5)]
    ap = {step: 0.93 - 0.01 * index**2 for index, step in enumerate(steps)}
    confusion = {true: dict.fromkeys(classes, 0) for true in classes}
    missed, false = dict.fromkeys(classes, 0), dict.fromkeys(classes, 0)
    for video in timelines:
        for row in video.cases:
            true = None if row.truth is None else video.expressions[row.truth].emotion
            if row.kind == "missed":
                missed[true] += 1
            elif row.kind in ("correct", "wrong_emotion"):
                confusion[true][row.emotion] += 1
            else:
                false[row.emotion] += 1
    subjects = sorted({video.subject for video in timelines})
    counts = {"tp": 9, "n": 11, "m": 10, "precision": 9 / 11, "recall": 0.9, "f1": 18 / 21}
    return {
        "spotting": {**counts, "map": 0.6192, "ap": ap},
        "detection": {
            **counts,
            "map": 0.6329,
            "ap": {step: value * 0.97 for step, value in ap.items()},
            "ap_by_class": {name: {"map": 0.6, "ap": ap} for name in classes},
        },
        "recognition": {
            "confusion": confusion,
            "outcomes": {"missed": missed, "false": false},
            "per_class": {
                name: {"truths": 9, "detections": 8, "correct": 8, "precision": 1.0, "recall": 0.889, "f1": 0.941}
                for name in classes
            },
        },
        "per_subject": {
            subject: {"threshold": 0.681, **counts, "f1": max(0.3, 1 - 0.07 * index)}
            for index, subject in enumerate(subjects)
        },
    }


def gains(random: np.random.Generator) -> dict[str, dict[str, float]]:
    now = {"spotting_f1": 0.9286, "detection_f1": 0.898, "spotting_map": 0.6192, "detection_map": 0.6329}
    told = {"now": now}
    for kind in (*FALSE, "missed"):
        told[kind] = {name: min(1.0, value + float(random.random()) * 0.05) for name, value in now.items()}
    return told


def falling(random: np.random.Generator, points: int = 120) -> list[tuple[float, float, float]]:
    recall = np.linspace(0.01, 0.97, points)
    precision = np.clip(1 - recall**6 * 0.6 - random.random(points) * 0.02, 0, 1)
    return [(float(r), float(p), float(1 - r)) for r, p in zip(recall, precision, strict=True)]


def losses(random: np.random.Generator, epochs: int = 25) -> list[dict[str, float]]:
    rows, scale = [], 0.8 + 0.5 * float(random.random())
    for epoch in range(1, epochs + 1):
        total = scale * (6 * float(np.exp(-epoch / 6)) + 0.4 + float(random.random()) * 0.15)
        rows.append(
            {
                "epoch": epoch,
                "windows": 333,
                "total": total,
                "interval": total * 0.1,
                "classification": total * 0.9,
            }
        )
    return rows


def empty() -> Document:
    """Return the report of a run that found nothing in one video without expressions."""
    bare = document(videos=1, expressions=0, classes=SEVEN[:1], curves=False)
    return replace(
        bare,
        headline=(),
        figures={},
        gains={},
        tallies={},
        precision_recall={},
        losses={},
        origin=replace(bare.origin, warnings=(), protocol=(), runs=(), changed=()),
        timelines=[replace(bare.timelines[0], faceless=(), sheet=None)],
    )


def hostile(text: str) -> Document:
    """Return a report whose every name is the given text."""
    plain = document(videos=2, classes=(text, "anger"))
    return replace(
        plain,
        origin=replace(plain.origin, corpus=text, encoder=text, warnings=(text,), protocol=(text,)),
        headline=tuple(replace(figure, name=text) for figure in plain.headline),
        tallies={text: [(text, 1, 2)], "by subject": [(text, 1, 2)]},
        losses={text: plain.losses["without-p01"]},
        timelines=[replace(video, video=f"{text}{index}", subject=text) for index, video in enumerate(plain.timelines)],
    )
