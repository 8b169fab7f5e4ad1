"""BORIS' project, out and back: an observation for each tier of each video, an emotion a state with start and stop.

Observations are called after video and tier. States of one emotion that share frames are told apart by subject, for
BORIS pairs starts and stops of one subject.
"""

from __future__ import annotations

import json
import math
import os
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cache import strict_json
from cache.errors import InputError
from cache.exchange import clocks, returned, tiers
from cache.exchange.returned import UNNAMED, Mark, Returned
from cache.exchange.tiers import CORRECTIONS, Exported, TieredVideo

FORMAT, NO_DATE = "7.0", "1970-01-01T00:00:00"
STATE, PLAYERS = "State event", 8
# What stands in the description of our observations, before what the tiers of reference were.
MADE = "facespan reference "
_NO_MODIFIER = ("", "None")


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the project."""
    subjects: dict[str, None] = {}
    observations = {}
    for video in videos:
        marks = {tier: _events(video, tier) for tier in tiers.TIERS if tier in video.tiers}
        clock = clocks.in_milliseconds(video.columns)
        for tier, events in marks.items():
            subjects |= dict.fromkeys(str(event[1]) for event in events)
            observations[f"{video.video} {tier}"] = _observation(
                video, events, returned.digest_of(video, clock), exported
            )
    has_micro = any("micro" in video.kinds for video in videos)
    project = {
        "time_format": "hh:mm:ss",
        "project_date": NO_DATE,
        "project_name": exported.corpus,
        "project_description": "made by facespan export; the observations called corrections are taken back",
        "project_format_version": FORMAT,
        "subjects_conf": {str(number): {"key": "", "name": name, "description": ""}
                          for number, name in enumerate(subjects)},
        "behaviors_conf": _ethogram(exported.classes, has_micro),
        "observations": observations,
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }  # fmt: skip
    yield f"{exported.corpus}.boris", (json.dumps(project, indent=1, ensure_ascii=False) + "\n").encode()


def read(path: Path) -> list[Returned]:
    """Return the marks of each video of a project.

    Raises:
        InputError: it is no project of BORIS, or an observation is not of one video from its beginning.
    """
    try:
        project = strict_json.parse(returned.read_bytes(path))
        return _returned(path, project)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is no project as BORIS writes it ({error!r}). Save it again in BORIS") from error


def _ethogram(classes: Sequence[str], has_micro: bool) -> dict[str, Any]:
    free = [*string.ascii_lowercase, *string.digits]
    keys = []
    for name in classes:
        wanted = [letter for letter in name.lower() if letter in free] + free
        keys.append(wanted[0] if wanted else "")
        free = [letter for letter in free if letter != keys[-1]]
    modifiers = {"0": {"name": "kind", "type": 0, "values": ["micro"], "description": "", "ask at stop": False}}
    return {
        str(number): {
            "type": STATE, "key": key, "code": name, "description": "", "color": "", "category": "",
            "modifiers": modifiers if has_micro else {}, "excluded": "", "coding map": "",
        }
        for number, (name, key) in enumerate(zip(classes, keys, strict=True))
    }  # fmt: skip


def _events(video: TieredVideo, tier: str) -> list[list[Any]]:
    """Return starts and stops in the order of time: seconds, subject, emotion, modifier, comment, frame of the file."""
    clock, events = clocks.in_milliseconds(video.columns), []
    for emotion in sorted({one.emotion for one in video.tiers[tier]}):
        for number, lane in enumerate(tiers.in_lanes([one for one in video.tiers[tier] if one.emotion == emotion])):
            subject = video.subject if number == 0 else f"{video.subject} ({number + 1})"
            for one in lane:
                comment = "" if one.confidence is None else f"confidence {one.confidence:.3f}"
                modifier = "micro" if one.kind == "micro" else ""
                frames = (one.start * video.frame_step, one.stop * video.frame_step)
                for time, frame in zip(clock.say(one.start, one.stop), frames, strict=True):
                    events.append([time / clocks.MILLISECONDS, subject, emotion, modifier, comment, frame])
    return sorted(events, key=lambda event: event[:3])


def _observation(video: TieredVideo, events: list[list[Any]], reference: str, exported: Exported) -> dict[str, Any]:
    folder = exported.folder.absolute()
    place = "" if video.media is None else Path(os.path.relpath(video.media.absolute(), folder)).as_posix()
    media = place or video.path
    seconds = float(clocks.edges(video.columns)[-1])
    return {
        "file": {str(player + 1): [media] if player == 0 else [] for player in range(PLAYERS)},
        "type": "MEDIA",
        "date": NO_DATE,
        "description": MADE + reference,
        "time offset": 0.0,
        "events": events,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: seconds},
            "fps": {media: video.frame_rate},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
            "offset": {"1": 0.0},
            "display": {media: "Nothing"},
        },
    }


def _returned(path: Path, project: dict[str, Any]) -> list[Returned]:
    states = {row["code"] for row in project["behaviors_conf"].values() if row["type"].startswith("State")}
    by_video: dict[tuple[str, ...], dict[str, Any]] = {}
    for name, observation in project["observations"].items():
        told = f"{path.name}, observation {name!r}"
        _check(observation, told)
        video, _, tier = next(
            ((name.removesuffix(f" {tier}"), "", tier) for tier in tiers.TIERS if name.endswith(f" {tier}")),
            (name, "", UNNAMED),
        )
        media = [returned.stem(str(file)) for file in observation["file"].get("1", ())]
        found = by_video.setdefault((video, *media), {"marks": {}, "digest": None, "notes": []})
        found["marks"][tier] = _paired(observation["events"], states, told)
        description = str(observation.get("description", ""))
        if tier == CORRECTIONS and description.startswith(MADE):
            found["digest"] = description.removeprefix(MADE).split()[0]
    return [
        Returned(
            f"{path.name}, observations of {names[0]!r}", names, clocks.MILLISECONDS, found["marks"], found["digest"]
        )
        for names, found in by_video.items()
    ]


def _check(observation: Mapping[str, Any], told: str) -> None:
    if observation["type"] != "MEDIA":
        raise InputError(f"{told} is of type {observation['type']}; expected MEDIA, coded on a video")
    files = [file for player in observation["file"].values() for file in player]
    if len(files) != 1:
        raise InputError(f"{told} has {len(files)} media files; expected one, the video")
    if float(observation.get("time offset") or 0) != 0:
        raise InputError(f"{told} has a time offset of {observation['time offset']} s: set it to 0, and times anew")


def _paired(events: Sequence[Sequence[Any]], states: set[str], told: str) -> tuple[Mark, ...]:
    """Return a mark for each start and stop of one subject, behaviour and modifier, as BORIS pairs them."""
    open_: dict[tuple[str, str, str], float] = {}
    marks = []
    for event in sorted(events, key=lambda event: (float(event[0]), str(event[1]), str(event[2]))):
        seconds, subject, code, modifier = float(event[0]), str(event[1]), str(event[2]), str(event[3])
        if code not in states:
            raise InputError(f"{told}: {code!r} at {seconds} s is no state event of the ethogram, so it has no end")
        if modifier not in (*_NO_MODIFIER, "micro"):
            raise InputError(f"{told}: {code!r} at {seconds} s has the modifier {modifier!r}; expected none, or micro")
        key = (subject, code, "" if modifier in _NO_MODIFIER else modifier)
        if key not in open_:
            open_[key] = seconds
            continue
        begin = open_.pop(key)
        where = f"{told}, {code!r} at {begin:.3f} s"
        kind = "micro" if key[2] else "macro"
        marks.append(Mark(_milliseconds(begin), _milliseconds(seconds), code, kind, where))
    if open_:
        left = ", ".join(f"{code!r} at {begin:.3f} s" for (_, code, _), begin in open_.items())
        raise InputError(f"{told}: {left} has a start and no stop. Fix unpaired events in BORIS")
    return tuple(marks)


def _milliseconds(seconds: float) -> float:
    return math.floor(seconds * clocks.MILLISECONDS + 0.5) if math.isfinite(seconds) else math.nan
