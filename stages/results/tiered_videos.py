"""Annotated expressions and detections of a corpus -> its videos with what is marked in them, tier by tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cache.columns import FrameColumns
from cache.errors import InputError
from cache.exchange.tiers import BELOW, CORRECTIONS, DETECTIONS, TRUTH, TieredVideo, TierInterval, proposed
from cache.tables import intervals
from cache.tables.intervals import Detection, Expression
from cache.tables.videos import Video
from stages.results.figures_file import read_figures
from stages.results.video_results import by_video


def without_marks(video: Video, columns: FrameColumns, root: Path) -> TieredVideo:
    """Return a video with nothing marked in it; its file where it lies below the corpus folder."""
    file = root / video.path
    return TieredVideo(
        video=video.video,
        subject=video.subject,
        columns=columns,
        media=file if video.source == "video" and file.is_file() else None,
        path=video.path,
        frame_rate=video.frame_rate * video.frame_step,
        frame_step=video.frame_step,
        tiers={},
    )


def marked(
    videos: Sequence[TieredVideo],
    known: Sequence[Expression],
    found: Sequence[Detection],
    thresholds: Mapping[str, float],
    *,
    with_all: bool,
) -> list[TieredVideo]:
    """Return the videos with truth, detections and what is proposed to correct; with `with_all` those below, too.

    Args:
        thresholds: by subject; what is at least as confident is a detection.
    """
    of_known, of_found = by_video(known), by_video(found)
    done = []
    for video in videos:
        truth = [
            TierInterval(one.start, one.stop, one.emotion, one.kind, apex=one.apex, onset=one.onset, offset=one.offset)
            for one in of_known[video.video]
        ]
        detections, below = list[TierInterval](), list[TierInterval]()
        for one in of_found[video.video]:
            tier = detections if one.confidence >= thresholds[one.subject] else below
            tier.append(TierInterval(one.start, one.stop, one.emotion, confidence=one.confidence))
        tiers = {TRUTH: tuple(sorted(truth)), DETECTIONS: tuple(sorted(detections))}
        tiers |= {BELOW: tuple(sorted(below))} if with_all else {}
        done.append(replace(video, tiers=tiers | {CORRECTIONS: proposed(truth, detections)}))
    return done


def read_detections(results: Path) -> list[Detection] | None:
    """Return the detections of a corpus; None where nothing was searched yet."""
    path = results / "detections.parquet"
    return intervals.read(path, Detection) if path.is_file() else None


def thresholds_of(results: Path, corpus: str, found: Sequence[Detection], stated: float | None) -> dict[str, float]:
    """Return the threshold of each subject that has detections: the stated one, or that of the last evaluation.

    Raises:
        InputError: none is stated, and the corpus, or one of its subjects, was not evaluated.
    """
    subjects = sorted({one.subject for one in found})
    if stated is not None or not subjects:
        return dict.fromkeys(subjects, stated or 0.0)
    try:
        rows = read_figures(results, corpus)["per_subject"]
    except InputError as error:
        raise InputError(f"{error}, or say how confident a detection has to be: --threshold 0.5") from error
    if missing := [subject for subject in subjects if subject not in rows]:
        raise InputError(
            f"{results} has no threshold of {', '.join(missing)}. Run: dvc repro evaluate@{corpus}, or give --threshold"
        )
    return {subject: float(rows[subject]["threshold"]) for subject in subjects}
