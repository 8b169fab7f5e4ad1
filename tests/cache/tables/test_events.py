"""Detections and expressions from anywhere: what is read, and what is refused by file, row and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cache.errors import InputError
from cache.tables import declared, events
from cache.tables.events import HALF_OPEN, INCLUSIVE

FOUND = "video,onset,offset,confidence,emotion\n"


def written(tmp_path: Path, text: str | bytes, name: str = "found.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        events.read_detections(path, events.frame_columns(path, path)[0])
    return str(caught.value)


def test_inclusive_frames_become_half_open(tmp_path: Path) -> None:
    read = events.read_detections(written(tmp_path, FOUND + "a,3,7,0.5,joy\na,4,4,1,joy\n"), INCLUSIVE)
    assert (read.start.tolist(), read.stop.tolist()) == ([3, 4], [8, 5])
    assert read.texts["emotion"].names == ("joy",)


def test_half_open_frames_stay_what_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, "start,stop,video,confidence\n3,7,a,0.5\n")
    read = events.read_detections(path, events.frame_columns(path, path)[0])
    assert (read.start.tolist(), read.stop.tolist()) == ([3], [7])


def test_of_two_files_the_same_columns_are_compared(tmp_path: Path) -> None:
    both = written(tmp_path, "video,start,stop,onset,offset\n", "both.csv")
    inclusive = written(tmp_path, "video,onset,offset,confidence\n")
    assert events.frame_columns(both, both) == (HALF_OPEN, HALF_OPEN)
    assert events.frame_columns(inclusive, both) == (INCLUSIVE, INCLUSIVE)


def test_spaces_marks_and_blank_lines_are_no_trouble(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf video , onset,offset,confidence , note\n\n a , 3,7.0, 0.5,x\n\na,8,9,0.25,y\n"
    read = events.read_detections(written(tmp_path, text), INCLUSIVE)
    assert read.texts["video"].names == ("a",)
    assert read.start.tolist() == [3, 8]
    assert read.confidence is not None
    assert read.confidence.tolist() == [0.5, 0.25]


def test_fractions_of_frames_are_kept(tmp_path: Path) -> None:
    read = events.read_detections(written(tmp_path, FOUND + "a,3.5,7.25,0.5,joy\n"), INCLUSIVE)
    assert (read.start.tolist(), read.stop.tolist()) == ([3.5], [8.25])


def test_a_row_without_frames_declares_a_video(tmp_path: Path) -> None:
    read = events.read_expressions(written(tmp_path, "video,onset,offset,emotion\na,3,7,joy\nb,,,\n"), INCLUSIVE)
    assert read.texts["video"].names == ("a", "b")
    assert read.start.tolist() == [3]


@pytest.mark.parametrize("name", ["video", "kind"])
def test_parquet_and_csv_say_the_same(tmp_path: Path, name: str) -> None:
    table = pa.table({"video": ["a", "a"], "onset": [3, 4], "offset": [7, 8], "confidence": [0.5, 0.25]})
    table = table.append_column("kind", pa.array(["macro", "micro"]).dictionary_encode())
    pq.write_table(table, tmp_path / "found.parquet")
    text = "video,onset,offset,confidence,kind\na,3,7,0.5,macro\na,4,8,0.25,micro\n"
    one = events.read_detections(tmp_path / "found.parquet", INCLUSIVE)
    other = events.read_detections(written(tmp_path, text), INCLUSIVE)
    assert one.texts[name].names == other.texts[name].names
    assert one.stop.tolist() == other.stop.tolist()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,3,7,1.5,joy", "row 4, column confidence: found 1.5, expected 0 to 1"),
        ("a,3,7,-0.1,joy", "row 4, column confidence: found -0.1, expected 0 to 1"),
        ("a,3,7,nan,joy", "row 4, column confidence: found nan, expected 0 to 1"),
        ("a,3,7,,joy", "row 4, column confidence: found nan, expected 0 to 1"),
        ("a,3,7,high,joy", "row 4, column confidence: found 'high', expected a number"),
        ("a,8,7,0.5,joy", "row 4, column offset: found 7, expected at least the onset"),
        ("a,8,,0.5,joy", "row 4, column offset: found nothing, expected the number of a frame"),
        ("a,x,7,0.5,joy", "row 4, column onset: found 'x', expected a number"),
        (",3,7,0.5,joy", "row 4, column video: found nothing, expected a text"),
        ("a,3,7,0.5,", "row 4, column emotion: found nothing, expected a text"),
        ("a,3,7,0.5", "row 4: found 4 cells, expected 5 as in the header"),
        ("a,1,2,0.5,joy", "row 4, column video: found 'a', expected each row once"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(tmp_path: Path, row: str, told: str) -> None:
    path = written(tmp_path, f"{FOUND}a,1,2,0.5,joy\n\n{row}\n")
    assert str(path) in refused(path)
    assert told in refused(path)


def test_of_many_bad_rows_the_first_is_shown_and_all_are_counted(tmp_path: Path) -> None:
    told = refused(written(tmp_path, FOUND + "a,1,2,0.5,joy\n" + "".join(f"a,{n},9,7,joy\n" for n in range(5))))
    assert "row 3, column confidence: found 7" in told
    assert "(5 such rows)" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column 'onset'. Found: an empty file"),
        ("video,onset,offset\n", "no column 'confidence'"),
        ("video,onset,ofset,confidence\n", "no column 'offset' (did you mean 'ofset'?)"),
        ("video,onset,offset,video,confidence\n", "the column 'video' 2 times"),
        ("video;onset;offset;confidence\n", "semicolons"),
        (FOUND.encode() + b"\xff,1,2,0.5,joy\n", "row 2: found bytes that are not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert told in refused(written(tmp_path, text))


def test_a_parquet_of_other_types_is_refused(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"video": ["a"], "onset": ["x"], "offset": [2], "confidence": [0.5]}), tmp_path / "x.parquet"
    )
    assert "column onset: found string, expected numbers" in refused(tmp_path / "x.parquet")
    assert "not a whole parquet table" in refused(written(tmp_path, "no", "y.parquet"))


def test_one_interval_found_twice_with_other_confidence_is_no_repeated_row(tmp_path: Path) -> None:
    assert len(events.read_detections(written(tmp_path, FOUND + "a,1,2,0.5,joy\na,1,2,0.4,joy\n"), INCLUSIVE)) == 2


def test_declared_frames_bound_what_may_be_found(tmp_path: Path) -> None:
    text = "video,first_frame,frame_count\na,1,100\nb,,\n"
    first, stop = declared.read(written(tmp_path, text)).bounds(INCLUSIVE)
    assert (first.tolist(), stop.tolist()) == ([1, -np.inf], [101, np.inf])
    # A length alone allows frames 0 to 99 and 1 to 100.
    first, stop = declared.read(written(tmp_path, "video,frame_count\na,100\n")).bounds(INCLUSIVE)
    assert (first.tolist(), stop.tolist()) == ([0], [101])
    # Our own table: positions count from 0; labels from the first, with gaps.
    ours = declared.read(written(tmp_path, "video,first_label,frame_count\na,40,100\n"))
    assert [bound.tolist() for bound in ours.bounds(HALF_OPEN)] == [[0], [100]]
    assert [bound.tolist() for bound in ours.bounds(INCLUSIVE)] == [[40], [np.inf]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a,0,9\na,0,9\n", "row 3, column video: found 'a', expected each video once"),
        ("a,0,0\n", "row 2, column frame_count: found 0, expected at least 1"),
        ("a,-1,9\n", "row 2, column first_frame: found -1, expected at least 0"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_named(tmp_path: Path, rows: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        declared.read(written(tmp_path, "video,first_frame,frame_count\n" + rows))
    assert told in str(caught.value)
