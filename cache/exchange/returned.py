"""What came back from a coder's tool: marks in a format's own numbers -> intervals of frames; repairs are noted."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from cache.corpora.rows import Problems
from cache.errors import InputError
from cache.exchange import clocks, tiers
from cache.exchange.clocks import Clock
from cache.exchange.tiers import CORRECTIONS, DETECTIONS, TRUTH, TieredVideo, TierInterval
from cache.files import open_regular
from cache.tables.audit import AuditRow
from cache.tables.intervals import UNRECOGNISED
from cache.tables.schema import nearest

# Everything is read into memory; a hundred thousand annotations of ELAN take a third of it.
MOST_BYTES = 1 << 26
# What Label Studio puts before the name of a file that was uploaded.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")
# Seconds are written to the millisecond; where one of two columns alone was edited, they differ by more.
SECONDS_DIFFER = 0.0006
# Of a tool that has one unnamed list of marks a video.
UNNAMED = ""
# What corrections are compared with.
_COMPARED = frozenset((TRUTH, DETECTIONS))


@dataclass(frozen=True)
class Mark:
    """One interval as a file says it.

    Attributes:
        begin: in the file's numbers; the first number of the interval.
        end: likewise; where it is over.
        told: where it stands in the file.
        seconds: of the first and of the last frame, where a file says them beside numbers of frames.
    """

    begin: float
    end: float
    emotion: str
    kind: str
    told: str
    seconds: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Returned:
    """The marks of one video, as they came back.

    Attributes:
        names: of the video, the surest first: as we wrote it, or the stems of files.
        per_second: how many of the file's numbers a second has; None where they are the corpus' numbers of frames.
        marks: by tier.
        digest: what the tiers of reference were when they went out; None where the file does not say.
        notes: what was repaired while it was read, in words, by rule.
    """

    told: str
    names: tuple[str, ...]
    per_second: float | None
    marks: Mapping[str, tuple[Mark, ...]]
    digest: str | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def is_ours(self) -> bool:
        """Return whether we wrote the file: it says what its tiers of reference were, or has them and corrections."""
        return self.digest is not None or (CORRECTIONS in self.marks and not _COMPARED.isdisjoint(self.marks))


@dataclass(frozen=True)
class Corrected:
    """What a coder says of a video.

    Attributes:
        truth: what was annotated when it went out; None where the file does not come from us.
        expressions: what the video holds as the coder says, by interval; where each stands in the file.
        is_untouched: nobody changed what we proposed.
    """

    video: TieredVideo
    truth: frozenset[TierInterval] | None
    expressions: Mapping[TierInterval, str]
    is_untouched: bool
    audit: tuple[AuditRow, ...]


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        InputError: it is missing, no regular file, or too large.
    """
    with os.fdopen(open_regular(path, follow_links=True), "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES >> 20} MB. Is it a file of annotations?")
    return content


def stem(name: str) -> str:
    """Return the name of a video behind a path or an address of any system."""
    return PurePath(re.split(r"[/\\]", name)[-1]).stem


def find_video(
    back: Returned, videos: Mapping[str, TieredVideo], unknown: Mapping[str, str], corpus: str
) -> TieredVideo:
    """Return the video that the marks are of.

    Args:
        unknown: what is wrong with the videos whose frames are not known.

    Raises:
        InputError: no video has one of the names, or the frames of the one that has are not known.
    """
    plain = [found["name"] if (found := _UPLOADED.fullmatch(name)) else name for name in back.names]
    for name in (*back.names, *plain):
        if name in videos:
            return videos[name]
        if name in unknown:
            raise InputError(f"{back.told} is of {name!r}, whose frames have no known times: {unknown[name]}")
    said = " or ".join(repr(name) for name in dict.fromkeys(back.names)) or "no name"
    guess = nearest(plain[0], videos) if plain else ""
    raise InputError(
        f"{back.told} is of {said}, which is no video of {corpus}{guess}: name the file after its video, "
        f"one of {', '.join(list(videos)[:5])}{', ...' if len(videos) > 5 else ''}"
    )


def settle(
    back: Returned, video: TieredVideo, tier: str, words: Mapping[str, str], confirm: bool, problems: Problems
) -> Corrected | None:
    """Return what a coder says of a video; None after a problem.

    Args:
        tier: which holds the coder's word, `CORRECTIONS` if it is ours.
        words: class of each word for an emotion.
        confirm: what came back untouched was looked at and found right.
        problems: where everything that is wrong is told.
    """
    if back.is_ours and tier in tiers.REFERENCE:
        problems.tell(
            f"{back.told}: the tier {tier} shows what went out, and what is corrected is compared with it. Make the "
            f"change in {CORRECTIONS}, and leave out --tier {tier}"
        )
        return None
    if back.digest is not None and digest(back.marks) != back.digest:
        problems.tell(
            f"{back.told}: {' or '.join(tiers.REFERENCE)} was edited, and only the tier {tier} is taken. Make the "
            "change there, and take the other back"
        )
    if (chosen := _chosen(back, tier)) is None:
        known = ", ".join(repr(name) for name in back.marks) or "none"
        problems.tell(f"{back.told} has no tier {tier!r}. It has {known}: say which holds the expressions, --tier NAME")
        return None
    clock, ours = _clock(back, video), back.is_ours
    mine = _in(clock, chosen, back.per_second)
    shown = {name: _as_they_are(_in(clock, marks, back.per_second), clock, words) for name, marks in back.marks.items()}
    truth = shown.get(TRUTH, [])
    proposed = set(tiers.proposed(truth, shown.get(DETECTIONS, [])))
    for mark in mine:
        _check_seconds(mark, clock, video, problems)
    if ours:
        _check_others(back, tier, set(shown.get(CORRECTIONS, ())) == proposed, problems)
    untouched = ours and tier == CORRECTIONS and set(_as_they_are(mine, clock, words)) == proposed
    audit = [AuditRow(rule, video.video, video.subject, note=said) for rule, said in back.notes]
    expressions = {
        found: mark.told
        for mark in (() if untouched and not confirm else mine)
        if (found := _interval(mark, clock, video, words, problems, audit)) is not None
    }
    return Corrected(video, frozenset(truth) if ours else None, expressions, untouched, tuple(audit))


def digest(marks: Mapping[str, Sequence[Mark]]) -> str:
    """Return what stands for the tiers of reference, which nobody is to edit."""
    told = [
        (tier, sorted((float(one.begin), float(one.end), one.emotion, one.kind) for one in marks.get(tier, ())))
        for tier in tiers.REFERENCE
    ]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def digest_of(video: TieredVideo, clock: Clock) -> str:
    """Return the same of a video that goes out."""
    return digest(
        {
            tier: [Mark(*clock.say(one.start, one.stop), one.emotion, one.kind, "") for one in marked]
            for tier, marked in video.tiers.items()
        }
    )


def _chosen(back: Returned, tier: str) -> tuple[Mark, ...] | None:
    if tier in back.marks:
        return back.marks[tier]
    return back.marks[UNNAMED] if tier == CORRECTIONS and set(back.marks) == {UNNAMED} else None


def _check_others(back: Returned, tier: str, is_as_proposed: bool, problems: Problems) -> None:
    """Tell of annotations in tiers that are not taken, of a file in which a coder had one to correct."""
    for name, left in back.marks.items():
        if not left or name in (tier, *tiers.REFERENCE) or (name == CORRECTIONS and is_as_proposed):
            continue
        problems.tell(
            f"{back.told}: {len(left)} annotations in the tier {name!r} would be lost, for only {tier} is taken. "
            f"Move them to {tier}, or delete them"
        )


def _clock(back: Returned, video: TieredVideo) -> Clock:
    """Return the numbers that the file has, or milliseconds where its own do not tell every frame from the next."""
    if back.per_second is None:
        return clocks.in_labels(video)
    if clocks.rate_for(video.columns, back.per_second) == back.per_second:
        return clocks.at_rate(video.columns, back.per_second)
    return clocks.in_milliseconds(video.columns)


def _in(clock: Clock, marks: Iterable[Mark], per_second: float | None) -> list[Mark]:
    """Return marks in the numbers of a clock."""
    if clock.per_second is None or per_second is None or clock.per_second == per_second:
        return list(marks)
    scale = clock.per_second / per_second
    return [replace(mark, begin=mark.begin * scale, end=mark.end * scale) for mark in marks]


def _as_they_are(marks: Iterable[Mark], clock: Clock, words: Mapping[str, str]) -> list[TierInterval]:
    """Return the intervals of marks; what names no frames becomes one that is of no video."""
    found = []
    for mark in marks:
        try:
            found.append(
                TierInterval(*clock.hear(mark.begin, mark.end), words.get(mark.emotion, mark.emotion), mark.kind)
            )
        except InputError:
            found.append(TierInterval(-1, 0, mark.emotion, mark.kind))
    return found


def _interval(
    mark: Mark,
    clock: Clock,
    video: TieredVideo,
    words: Mapping[str, str],
    problems: Problems,
    audit: list[AuditRow],
) -> TierInterval | None:
    emotion = _emotion(mark, words, problems, audit, video)
    try:
        start, stop = clock.hear(mark.begin, mark.end)
    except InputError as error:
        between = f"{clock.told(mark.begin)} to {clock.told(mark.end)}"
        problems.tell(f"{mark.told}: {between} cannot be in video {video.video}: {error}. Correct it")
        return None
    if clock.step > 1:  # numbers of frames that were not taken stand as they are
        onset, offset = int(mark.begin), int(mark.end) - 1
        return None if emotion is None else TierInterval(start, stop, emotion, mark.kind, onset=onset, offset=offset)
    if (before := (mark.begin, mark.end)) != (after := clock.say(start, stop)):
        was, now = (f"{clock.told(begin)} to {clock.told(end)}" for begin, end in (before, after))
        about = (video.video, video.subject)
        audit.append(AuditRow("nearest_frame", *about, before=was, after=now, note=mark.told))
    return None if emotion is None else TierInterval(start, stop, emotion, mark.kind)


def _check_seconds(mark: Mark, clock: Clock, video: TieredVideo, problems: Problems) -> None:
    """Tell where seconds beside numbers of frames say something else: one of the two was edited alone."""
    try:
        start, stop = clock.hear(mark.begin, mark.end)
    except InputError:
        return  # said where the interval is taken
    for name, frame, said in zip(("onset", "offset"), (start, stop - 1), mark.seconds, strict=False):
        shown = float(video.columns.pts_seconds[frame])
        if said is not None and not abs(said - shown) <= SECONDS_DIFFER:
            problems.tell(f"{mark.told}: {name} is shown at {shown:.3f} s, but {name}_seconds is {said:g}: correct one")


def _emotion(
    mark: Mark, words: Mapping[str, str], problems: Problems, audit: list[AuditRow], video: TieredVideo
) -> str | None:
    if mark.emotion in words:
        return words[mark.emotion]
    close = {name.casefold(): name for name in words}.get(mark.emotion.strip().casefold())
    if close is not None:
        about = (video.video, video.subject, 0, "emotion")
        audit.append(AuditRow("emotion_spelling", *about, before=mark.emotion, after=words[close], note=mark.told))
        return words[close]
    found = (
        f"emotion {mark.emotion!r} is unknown{nearest(mark.emotion, words)}" if mark.emotion else "it has no emotion"
    )
    if mark.emotion == UNRECOGNISED:
        found = f"emotion {UNRECOGNISED!r} is what a detector says that only spots"
    problems.tell(f"{mark.told}: {found}: choose one of {', '.join(words)}")
    return None
