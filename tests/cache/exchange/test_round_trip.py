"""Out to every format that comes back, and back: the same frames, at any rate, and what nobody touched is known."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.corpora.rows import Problems
from cache.exchange import returned
from cache.exchange.returned import Corrected
from cache.exchange.tiers import Exported, TieredVideo, TierInterval
from stages.results import formats
from tests.cache.exchange.invented import CLASSES, columns_of, video_of, videos

WORDS = {name: name for name in CLASSES}


def there_and_back(name: str, video: TieredVideo, confirm: bool = True) -> tuple[TieredVideo, Corrected | None]:
    """Write a video in a format, read the file, and return what a coder who changed nothing says."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        [(file, content), *_] = formats.WRITERS[name]([video], Exported("mine", CLASSES, folder))
        (folder / file).write_bytes(content)
        found = formats.READERS[name](folder / file)
    problems, known = Problems(file), {"v1": video}
    told = [
        returned.settle(one, returned.find_video(one, known, {}, "mine"), "corrections", WORDS, confirm, problems)
        for one in found
    ]
    problems.stop()
    return video, told[0] if told else None


@pytest.mark.parametrize("name", formats.READERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_intervals_come_back_to_the_frame(name: str, data: st.DataObject) -> None:
    video, told = there_and_back(name, data.draw(videos()))
    if told is None:  # a CSV without a row
        assert not any(video.tiers.values())
        return
    assert set(told.expressions) == set(video.tiers["corrections"])
    assert told.audit == ()  # nothing had to be moved
    if told.truth is not None:
        assert told.truth == set(video.tiers["truth"])
    assert told.is_untouched


@pytest.mark.parametrize("name", formats.READERS)
def test_what_nobody_touched_is_taken_only_where_it_was_confirmed(name: str) -> None:
    marked = [TierInterval(3, 9, "surprise"), TierInterval(9, 12, "surprise")]
    found = [TierInterval(20, 30, "happiness", confidence=0.5)]
    plain = [*marked, TierInterval(20, 30, "happiness")]
    video = video_of(columns_of([n / 30 for n in range(40)]), truth=marked, detections=found, corrections=plain)
    _, told = there_and_back(name, video, confirm=False)
    assert told is not None
    assert told.is_untouched
    assert told.expressions == {}
    _, told = there_and_back(name, video, confirm=True)
    assert told is not None
    assert set(told.expressions) == set(plain)


def test_frames_a_tenth_of_a_millisecond_apart_keep_times_of_their_own_in_elan() -> None:
    columns = columns_of([0.0, 0.0001, 0.0002, 0.5])
    each = [TierInterval(frame, frame + 1, "surprise") for frame in range(4)]
    _, told = there_and_back("elan", video_of(columns, truth=each, detections=[], corrections=each))
    assert told is not None
    assert set(told.expressions) == set(each)


@pytest.mark.parametrize("frames", [25, 30, 200])
def test_label_studio_counts_frames_from_1_the_last_one_included(frames: int, tmp_path: Path) -> None:
    columns = columns_of([n / frames for n in range(1000)])
    video = video_of(columns, float(frames), truth=[TierInterval(500, 503, "surprise")], detections=[], corrections=[])
    tasks, _ = formats.WRITERS["labelstudio"]([video], Exported("mine", CLASSES, tmp_path))
    [task] = json.loads(tasks[1])
    assert task["data"]["frame_rate"] == frames
    # Positions 500, 501 and 502 are the 501st to the 503rd frame.
    assert task["annotations"][0]["result"][0]["value"]["ranges"] == [{"start": 501, "end": 503}]
