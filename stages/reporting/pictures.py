"""Pictures of cases: aligned faces at onset, apex, offset and between, from the frame shard of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cache.columns import FrameColumns
from cache.media import thumbnails
from cache.shards import frames, manifest
from cache.shards.frames import Frames
from cache.shards.shard_entry import ShardEntry
from cache.tables.intervals import NO_APEX
from cache.tables.videos import Video
from stages.page.document import Picture
from stages.reporting.material import Material
from stages.reporting.parameters import ReportParameters
from stages.shell import places


@dataclass(frozen=True)
class Moments:
    """Which frames of a case are shown.

    Attributes:
        start, stop: half-open positions.
        apex: None where nobody annotated one and there is no curve.
    """

    start: int
    stop: int
    apex: int | None

    def roles(self, between: int) -> dict[int, str]:
        """Return positions in order, and what each shows.

        Args:
            between: how many more than onset, apex and offset, evenly; one that all but shows the apex is left out.
        """
        last = self.stop - 1
        named = {last: "offset", self.start: "onset"}
        if self.apex is not None and self.apex not in named:
            named[self.apex] = "apex"
        spread = np.linspace(self.start, last, between + 2).round().astype(np.int64)[1:-1].tolist()
        nearest = (last - self.start) / (between + 1) / 2
        others = [each for each in spread if self.apex is None or abs(each - self.apex) > nearest]
        return dict(sorted({**dict.fromkeys(others, "between"), **named}.items()))


def apex_of(start: int, stop: int, annotated: int, curve: npt.NDArray[np.float16]) -> int | None:
    """Return the strongest frame: as annotated, else where the curve is highest; None where nothing tells.

    Args:
        annotated: a position, or NO_APEX; one outside the interval does not count.
        curve: ``(T, K)`` scores, or ``(0, K)``.
    """
    if annotated != NO_APEX and start <= annotated < stop:
        return annotated
    return start + int(curve[start:stop].max(axis=1).argmax()) if len(curve) else None


def entries_of(material: Material) -> dict[str, ShardEntry]:
    """Return what the manifest of the aligned frames states, by video; nothing where they are not here.

    Raises:
        ShardError: the manifest is damaged.
    """
    folder = places.find(material.places.frames)
    held = manifest.read(folder) if (folder / manifest.NAME).is_file() else None
    return dict(held.shards) if held is not None and held.kind == "frames" else {}


def take(
    material: Material,
    video: Video,
    entry: ShardEntry,
    cases: Sequence[Moments],
    parameters: ReportParameters,
) -> list[list[Picture]]:
    """Return the pictures of each case of a video.

    Raises:
        InputError: the shard is missing.
        ShardError: it is damaged, or its frames have other numbers than those that features were made from; else they
            are not compared.
    """
    folder = places.find(material.places.frames)
    with frames.open(folder / entry.file, key=entry.key, size=entry.bytes) as opened:
        _check_same(opened, material.columns[video.video])
        return [_of_case(opened, case, parameters) for case in cases]


def _of_case(opened: Frames, case: Moments, parameters: ReportParameters) -> list[Picture]:
    roles = case.roles(parameters.pictures_between)
    return [_picture(opened, position, role, parameters) for position, role in roles.items()]


def _check_same(opened: Frames, columns: FrameColumns) -> None:
    if not np.array_equal(opened.columns.frame_label, columns.frame_label):
        raise opened.refuse("other frames than its features", "those that the features were made from")


def _picture(opened: Frames, position: int, role: str, parameters: ReportParameters) -> Picture:
    columns = opened.columns
    has_face = bool(columns.face_found[position])
    image = b""
    if has_face:
        [face] = opened.decode(position, position + 1)
        image = thumbnails.encode(face, parameters.picture_size, parameters.picture_quality)
    return Picture(role, int(columns.frame_label[position]), float(columns.pts_seconds[position]), has_face, image)
