"""Nested thresholds: each subject's chosen on detections by detectors that saw neither it nor who is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cache.errors import InputError
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video
from cache.weights.detector_card import DetectorCard
from pipeline.scoring.results import VideoResult
from stages.parts.pairs import complete_pairs
from stages.results.video_results import by_video, pair


def searched_by_pairs(
    corpus: str,
    table: Sequence[Video],
    known: Sequence[Expression],
    found: Sequence[Detection],
    search: Search,
    cards: Mapping[Path, DetectorCard],
    classes: Sequence[str],
) -> dict[str, list[VideoResult]]:
    """Return for each subject the videos of all others, searched without either; empty for a run that is not nested.

    Args:
        found: in each video, of the detectors that left out its subject and one more.
        search: of each of these detectors, by the name of its fold, its key.

    Raises:
        InputError: these are not the detections of the detectors that are there, one of each two subjects.
    """
    if not search.searched:
        return {}
    subjects = sorted({video.subject for video in table})
    pairs = complete_pairs(corpus, subjects, cards)
    by_fold = {cards[path].fold: (two, cards[path]) for two, path in pairs.items()}
    if dict(search.searched) != {fold: card.key for fold, (_, card) in by_fold.items()}:
        raise InputError(
            f"the nested detections are not of the {len(by_fold)} detectors there that leave two subjects out. "
            "Run: dvc repro, which searches again"
        )
    own: dict[str, list[Detection]] = {fold: [] for fold in by_fold}
    subject_of = {video.video: video.subject for video in table}
    for row in found:
        if row.detector not in by_fold or subject_of.get(row.video) not in by_fold[row.detector][0]:
            raise InputError(f"nested {row} is of {row.detector}, which may not search it. Run: dvc repro")
        own[row.detector].append(row)
    of_known = by_video(known)
    others: dict[str, list[VideoResult]] = {subject: [] for subject in subjects}
    for fold, (two, _) in by_fold.items():
        for subject, other in (two, two[::-1]):
            theirs = [video for video in table if video.subject == other]
            truths = [row for video in theirs for row in of_known[video.video]]
            rows = [row for row in own[fold] if subject_of[row.video] == other]
            others[subject] += pair(theirs, truths, rows, classes)
    return others
