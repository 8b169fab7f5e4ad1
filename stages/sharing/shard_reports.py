"""What `facespan cache` prints for people, of the same facts that a script gets as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cache.sharing.inventory import told

Facts = Mapping[str, Any]
MOST_SHOWN = 10


def of_summaries(found: Sequence[Facts]) -> str:
    """Return a line for each folder."""
    titles = ("folder", "kind", "corpus", "encoder", "videos", "frames", "MB", "missing")
    return table(titles, [[*(one[name] for name in titles[:6]), one["bytes"] / 1e6, one["missing"]] for one in found])


def of_facts(found: Facts, per_video: bool) -> str:
    """Return what a folder holds, and a line for each video when asked."""
    summary, videos = found["summary"], found["videos"]
    rates = sorted({round(one["rate"], 2) for one in videos.values() if one["rate"] is not None})
    frames = sum(one["frames"] for one in videos.values())
    missing = f", {summary['missing']} of the corpus missing" if summary["missing"] else ""
    lines = [
        ("kind", summary["kind"] + (f" of the corpus {summary['corpus']}" if summary["corpus"] else "")),
        ("videos", f"{summary['videos']:,}{missing}"),
        ("frames", f"{summary['frames']:,}"),
        ("size", f"{summary['bytes'] / 1e6:,.1f} MB"),
        ("rates", " to ".join(f"{rate:g}" for rate in dict.fromkeys(rates[:1] + rates[-1:])) + " frames/s"),
        ("without a face", f"{100 * found['without_face'] / max(frames, 1):.2f} % of the frames{_most(videos)}"),
        ("alignment", _counted(found["alignment"]) or "not told: the frames are not here"),
        ("layer", _counted(found["layers"])),
        ("encoder", ", ".join(f"{told(name)} {told(value)}" for name, value in found["encoder"].items())),
        ("key", ", ".join(f"{told(name)} {told(value)}" for name, value in found["key_fields"].items())),
    ]
    text = "\n".join([summary["folder"], *(f"  {name:<16}{value}" for name, value in lines if value)])
    if not per_video:
        return text
    titles = ("video", "frames", "MB", "frames/s", "without face, %", "from")
    rows = [
        [
            video,
            one["frames"],
            one["bytes"] / 1e6,
            one["rate"],
            100 * one["without_face"] / one["frames"],
            one["source"],
        ]
        for video, one in videos.items()
    ]
    return f"{text}\n{table(titles, rows)}"


def of_verified(found: Facts) -> str:
    """Return what verification found in a folder: its faults, each on a line, and what to run."""
    if "files" in found:
        return _of_others(found)
    faults, against = found["faults"], " and ".join(found["beside"]) or "the manifest alone"
    lines = [f"{told(one['video']) or '-'}: {one['problem']}: {one['detail']}" for one in faults]
    named = len({one["video"] for one in faults})
    verdict = f"{several(len(faults), 'fault')} in {named} of" if faults else "sound:"
    lines.append(
        f"verify: {found['folder']}: {verdict} {several(found['videos'], 'video')}, {found['frames']:,} frames, "
        f"{found['bytes'] / 1e6:,.1f} MB, beside {against}"
        f"{'; its manifest is of an earlier version without a digest' if found['without_digest'] else ''}"
    )
    if faults:
        stage = "extract" if found["kind"] == "features" else "align"
        corpus = found["corpus"] or "CORPUS"
        lines.append(
            f"repair: dvc repro --single-item --force {stage}@{corpus} makes anew what differs and keeps the rest; "
            "without what it is made from, fetch or import the folder again; orphans: facespan cache gc"
        )
    if "sample" in found:
        lines.append(_of_sample(found["sample"]))
    return "\n".join(lines)


def _of_others(found: Facts) -> str:
    """Return what verification found in the tables, detectors and encoders of a corpus."""
    lines = [f"{one['problem']}: {one['detail']}" for one in found["faults"]]
    verdict = f"{several(len(found['faults']), 'fault')} in" if found["faults"] else "sound:"
    without = f", {len(found['without_digest'])} of an earlier version without a digest" * bool(found["without_digest"])
    lines.append(f"verify: {found['folder']}: {verdict} {several(len(found['files']), 'other file')}{without}")
    return "\n".join(lines)


def of_differences(found: Facts) -> str:
    """Return in what two folders differ."""
    lines = [f"A {found['first']}", f"B {found['second']}"]
    lines += [f"key: {told(name)} {told(one)} / {told(other)}" for name, (one, other) in found["key_fields"].items()]
    if found["key_fields_of_one"]:
        lines.append(f"key: only one manifest states {', '.join(map(told, found['key_fields_of_one']))}")
    for side, name in (("A", "only_first"), ("B", "only_second")):
        if found[name]:
            lines.append(f"only {side}: {several(len(found[name]), 'video')}: {_some(found[name])}")
    lines += [f"{video}: {one['reason']}; {_distance(one)}" for video, one in found["videos"].items()]
    lines.append(
        f"diff: {several(found['same'], 'video')} the same and {len(found['videos'])} different, by what the manifests "
        "state; whether the files are that, verify tells"
    )
    return "\n".join(lines)


def several(count: int, noun: str) -> str:
    """Return how many of what there are."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows under their titles, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    is_number = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(titles))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in (titles, *cells)
    )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else told(value)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def _most(videos: Mapping[str, Facts]) -> str:
    """Return which video has the largest share of frames without a face, where any has one."""
    shares = {video: one["without_face"] / one["frames"] for video, one in videos.items()}
    worst = max(shares, key=lambda video: shares[video], default="")
    return f" (at most {100 * shares[worst]:.2f} %, {worst})" if worst and shares[worst] else ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def _distance(one: Facts) -> str:
    if "largest_difference" not in one:
        return str(one.get("unread") or one.get("unlike") or "images are not compared")
    alone = f"; {one['face_in_one_alone']} frames with a face in one alone" if one["face_in_one_alone"] else ""
    return _agreement(one) + alone


def _agreement(one: Facts) -> str:
    return (
        f"{one['frames']:,} frames with a face: largest difference {one['largest_difference']:.3g} (of values up to "
        f"{one['largest_value']:.3g}), cosine at least {one['smallest_cosine']:.6f}, mean {one['mean_cosine']:.6f}"
    )


def _of_sample(one: Facts) -> str:
    stale = f"; made from other frames, weights or settings: {_some(one['stale'])}" if one["stale"] else ""
    verdict = "within" if one["within"] else "NOT WITHIN"
    return (
        f"sample: encoded again by {one['encoder']} on {one['device']}, {_agreement(one['agreement'])}: "
        f"{verdict} tolerance {one['tolerance']:g}{stale}"
    )
