"""WebVTT, out only: a track of captions for each tier of a video, so that any player shows what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from cache.exchange import clocks
from cache.exchange.tiers import CORRECTIONS, Exported, TieredVideo
from cache.printing import printable


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a track for each tier of each video."""
    for video in videos:
        for tier in video.tiers:
            if tier != CORRECTIONS:
                yield f"{video.video}.{tier.replace(' ', '-')}.vtt", _track(video, tier)


def _track(video: TieredVideo, tier: str) -> bytes:
    clock = clocks.in_milliseconds(video.columns)
    blocks = ["WEBVTT", f"NOTE {tier} of {video.video}"]
    for number, one in enumerate(video.tiers[tier], start=1):
        begin, end = clock.say(one.start, one.stop)
        surely = "" if one.confidence is None else f" {one.confidence:.2f}"
        kind = " micro" if one.kind == "micro" else ""
        text = escape(printable(one.emotion), quote=False) + kind + surely
        blocks.append(f"{number}\n{_time(begin)} --> {_time(end)}\n{text}")
    return ("\n\n".join(blocks) + "\n").encode()


def _time(milliseconds: int) -> str:
    seconds, left = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{left:03d}"
