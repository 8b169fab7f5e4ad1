"""Label Studio's tasks of a video's timeline, out and back: a control for each tier, all but corrections read-only.

Its timeline counts frames from 1, the last one included, at the rate that it is told: `$frame_rate` of the task.
Detections are no prediction of Label Studio's: taken over, it becomes a new annotation, without the truth beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

from cache import strict_json
from cache.errors import InputError
from cache.exchange import clocks, returned, tiers
from cache.exchange.clocks import Clock
from cache.exchange.returned import Mark, Returned
from cache.exchange.tiers import CORRECTIONS, DETECTIONS, TRUTH, Exported, TieredVideo, TierInterval

TASKS, CONFIG = "tasks.json", "labels.xml"
# Served from a folder of the machine that Label Studio runs on: its documents' root, here the corpus folder.
SERVED = "/data/local-files/?d="
KIND = "timelinelabels"


def write(videos: Sequence[TieredVideo], exported: Exported) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the tasks and of the labelling interface."""
    shown = {(tier, one.kind) for video in videos for tier, marked in video.tiers.items() for one in marked}
    kinds = {kind for _, kind in shown} | {"macro"}
    always = {(CORRECTIONS, kind) for kind in kinds} | {(TRUTH, "macro"), (DETECTIONS, "macro")}
    controls = [_control(tier, kind) for tier in (CORRECTIONS, *tiers.REFERENCE) for kind in ("macro", "micro")
                if (tier, kind) in shown | always]  # fmt: skip
    tasks = [_task(video) for video in videos]
    yield TASKS, (json.dumps(tasks, indent=1, ensure_ascii=False) + "\n").encode()
    yield CONFIG, _interface(exported.classes, controls).encode()


def read(path: Path) -> list[Returned]:
    """Return the marks of each task of an export in JSON.

    Raises:
        InputError: it is no such export, or two annotators say different things of one video.
    """
    try:
        tasks = strict_json.parse(returned.read_bytes(path))
        return [_returned(path, task) for task in tasks]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is no export of Label Studio in its format JSON ({error!r}). Export again, as JSON"
        ) from error


def _task(video: TieredVideo) -> dict[str, Any]:
    rate = clocks.rate_for(video.columns, video.frame_rate)
    clock = clocks.at_rate(video.columns, rate)
    marks = {tier: [_region(one, tier, number, clock) for number, one in enumerate(marked)]
             for tier, marked in video.tiers.items()}  # fmt: skip
    reference = {
        tier: [[*clock.say(one.start, one.stop), one.emotion, one.kind] for one in video.tiers[tier]]
        for tier in tiers.REFERENCE
        if tier in video.tiers
    }
    return {
        "data": {
            "video": SERVED + quote(video.path),
            "frame_rate": rate,
            "facespan": {"video": video.video, "subject": video.subject, "reference": reference},
        },
        "annotations": [{"result": [region for tier in tiers.TIERS for region in marks.get(tier, ())]}],
    }


def _region(one: TierInterval, tier: str, number: int, clock: Clock) -> dict[str, Any]:
    begin, end = clock.say(one.start, one.stop)
    return {
        "id": f"{_control(tier, 'macro')}_{number}",
        "from_name": _control(tier, one.kind),
        "to_name": "video",
        "type": KIND,
        "origin": "manual" if one.confidence is None else "prediction",
        "readonly": tier != CORRECTIONS,
        "value": {"ranges": [{"start": begin + 1, "end": end}], KIND: [one.emotion]},
        **({} if one.confidence is None else {"score": round(one.confidence, 6)}),
    }


def _interface(classes: Sequence[str], controls: Sequence[str]) -> str:
    """Return the labelling interface: the video, and under its timeline the labels of each control."""
    lines = ["<View>", '  <Video name="video" value="$video" frameRate="$frame_rate" timelineHeight="160"/>']
    for name in controls:
        lines += [f'  <Header value="{name}"/>', f'  <TimelineLabels name="{name}" toName="video">']
        lines += [f"    <Label value={quoteattr(emotion)}/>" for emotion in classes]
        lines += ["  </TimelineLabels>"]
    return "\n".join([*lines, "</View>", ""])


def _control(tier: str, kind: str) -> str:
    return tier.replace(" ", "_") + ("_micro" if kind == "micro" else "")


def _returned(path: Path, task: Mapping[str, Any]) -> Returned:
    data = task["data"]
    told = f"{path.name}, task {task.get('id', data['video'])}"
    ours = data.get("facespan")
    names = (*((str(ours["video"]),) if ours else ()), _stem(str(data["video"])))
    rate = float(data.get("frame_rate") or 0)
    if not math.isfinite(rate) or rate <= 0:
        raise InputError(
            f"{told} has no frame_rate beside its video: what its numbers of frames mean in seconds is not known. Add "
            '"frame_rate": 25 or the like to its data, as <Video frameRate=...> of the project says'
        )
    marks: dict[str, tuple[Mark, ...]] = {}
    for name, tier in (ours["reference"] if ours else {}).items():
        marks[name] = tuple(Mark(float(a), float(b), str(c), str(d), f"{told}, {name}") for a, b, c, d in tier)
    reference = returned.digest(marks) if ours else None  # in the task's data, which nobody edits
    marks |= _corrected(task, told, marks)
    return Returned(told, names, rate, marks, reference)


def _corrected(
    task: Mapping[str, Any], told: str, reference: Mapping[str, Sequence[Mark]]
) -> dict[str, tuple[Mark, ...]]:
    """Return the marks of the one annotation that says anything else than what we proposed, by tier."""
    versions: list[dict[str, tuple[Mark, ...]]] = []
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        found: dict[str, list[Mark]] = {CORRECTIONS: []} if reference else {}
        for region in annotation["result"]:
            if region["type"] != KIND:
                continue  # a relation between two regions, which is of no control, or what others asked for besides
            tier, kind = _tier(str(region["from_name"]), is_ours=bool(reference))
            if tier not in reference:
                found.setdefault(tier, []).extend(_marks_of(region, kind, told))
        if not any(_keys(found) == _keys(other) for other in versions):
            versions.append({tier: tuple(marks) for tier, marks in found.items()})
    proposed = _keys({CORRECTIONS: _proposed(reference)})
    touched = [one for one in versions if not reference or _keys(one) != proposed]
    if len(touched) > 1:
        raise InputError(f"{told} has {len(touched)} annotations that differ: keep the right one, and export again")
    return (touched or versions or [{}])[0]


def _tier(control: str, *, is_ours: bool) -> tuple[str, str]:
    ours = (
        {_control(tier, kind): (tier, kind) for tier in tiers.TIERS for kind in ("macro", "micro")} if is_ours else {}
    )
    return ours.get(control, (control, "macro"))


def _proposed(reference: Mapping[str, Sequence[Mark]]) -> list[Mark]:
    truth, found = reference.get(TRUTH, ()), reference.get(DETECTIONS, ())
    beside = [one for one in found if not any(min(one.end, other.end) > max(one.begin, other.begin) for other in truth)]
    return [*truth, *beside]


def _marks_of(region: Mapping[str, Any], kind: str, told: str) -> Iterator[Mark]:
    value = region["value"]
    emotions = [str(name) for name in value[KIND]]
    if len(emotions) != 1:
        raise InputError(f"{told}, region {region.get('id')}: it has {len(emotions)} labels; expected one emotion")
    for frames in value["ranges"]:
        where = f"{told}, frames {frames['start']} to {frames['end']}"
        yield Mark(float(frames["start"]) - 1, float(frames["end"]), emotions[0], kind, where)


def _keys(marks: Mapping[str, Sequence[Mark]]) -> dict[str, set[tuple[float, float, str, str]]]:
    return {tier: {(one.begin, one.end, one.emotion, one.kind) for one in found} for tier, found in marks.items()}


def _stem(address: str) -> str:
    """Return the name of the video behind an address, also where a folder serves it (`?d=`)."""
    parts = urlsplit(address)
    served = parse_qs(parts.query).get("d")
    return PurePosixPath(served[0] if served else unquote(parts.path)).stem
