"""The invented corpus on the disk: whole, deterministic, resumable, and readable as any team's own corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cache.corpora import demo, readers
from cache.corpora.demo import Label
from cache.corpora.table import TableFacts

EMOTIONS = ["happiness", "surprise", "disgust", "anger", "fear", "sadness"]
FACTS = TableFacts("expressions.csv", "videos", "video", 0, None, EMOTIONS, False)


def frames(count: int, seed: int = 0) -> Iterator[npt.NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.integers(0, 255, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    demo.write_video(tmp_path, "p01_1", "p01", frames(40), 30, "a")
    demo.write_video(tmp_path, "p02_1", "p02", frames(20), 30, "b")
    demo.write_labels(tmp_path, {"p01_1": "p01", "p02_1": "p02"}, [Label("p01", "p01_1", 4, 9, 20, "fear")])
    return tmp_path


def test_the_reader_for_a_teams_own_corpus_reads_it(root: Path) -> None:
    videos, expressions, audit = readers.read(readers.READERS["table"], root, FACTS)
    assert [(v.video, v.subject, v.frame_count, v.frame_rate) for v in videos] == [
        ("p01_1", "p01", 40, 30.0),
        ("p02_1", "p02", 20, 30.0),
    ]
    assert [(e.video, e.start, e.stop, e.apex, e.emotion) for e in expressions] == [("p01_1", 4, 21, 9, "fear")]
    assert {row.rule for row in audit} == {"subject_without_expressions", "video_without_expressions"}


def test_a_video_without_expressions_has_a_row_that_says_so(root: Path) -> None:
    lines = (root / "expressions.csv").read_text().splitlines()
    assert lines == ["subject,video,onset,apex,offset,emotion", "p01,p01_1,4,9,20,fear", "p02,p02_1,,,,"]


def test_the_same_frames_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    again = demo.write_video(tmp_path / "again", "p01_1", "p01", frames(40), 30, "a")
    assert again == demo.read_record(root, "p01_1")


def test_a_video_is_current_while_it_is_what_was_written(root: Path) -> None:
    assert demo.is_current(root, "p01_1", "a")
    assert not demo.is_current(root, "p01_1", "other parameters")
    assert not demo.is_current(root, "p09_1", "a")
    path = demo.video_path(root, "p01_1")
    path.write_bytes(path.read_bytes()[:-1])
    assert not demo.is_current(root, "p01_1", "a")


@pytest.mark.parametrize("text", ["", "{", "{}", '{"video": 1, "more": 2}', "[1]", "\ufffd"])
def test_a_damaged_record_means_that_the_video_is_written_anew(root: Path, text: str) -> None:
    (root / "records" / "p01_1.json").write_text(text)
    assert not demo.is_current(root, "p01_1", "a")


def test_a_writer_that_fails_leaves_neither_video_nor_record(tmp_path: Path) -> None:
    def breaking() -> Iterator[npt.NDArray[np.uint8]]:
        yield from frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.write_video(tmp_path, "p01_1", "p01", breaking(), 30, "a")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_videos_of_earlier_parameters_go_and_foreign_files_stay(root: Path) -> None:
    (root / "videos" / "mine.avi").write_bytes(b"kept")
    assert demo.remove_others(root, ["p01_1"]) == ["p02_1"]
    assert sorted(path.name for path in (root / "videos").iterdir()) == ["mine.avi", "p01_1.avi"]


def test_the_card_says_how_each_video_was_made(root: Path) -> None:
    records = [record for video in ("p02_1", "p01_1") if (record := demo.read_record(root, video))]
    demo.write_card(root, records, {"seed": 7})
    card = json.loads((root / "corpus.json").read_text())
    assert card["parameters"] == {"seed": 7}
    assert list(card["videos"]) == ["p01_1", "p02_1"]
    assert card["videos"]["p01_1"]["frames"] == 40
    demo.withdraw_card(root)
    assert not (root / "corpus.json").exists()


def test_the_key_depends_on_every_fact_and_on_no_order() -> None:
    assert demo.key({"a": 1, "b": 2}) == demo.key({"b": 2, "a": 1})
    assert demo.key({"a": 1, "b": 2}) != demo.key({"a": 1, "b": 3})


def test_a_contact_sheet_is_one_picture(tmp_path: Path) -> None:
    picture = np.full((8, 8, 3), 128, np.uint8)
    demo.write_sheet(tmp_path / "sheet.jpg", [[picture] * 3] * 2)
    assert (tmp_path / "sheet.jpg").read_bytes()[:2] == b"\xff\xd8"
