"""The tables: what is written comes back, the same rows give the same bytes, and what is not a table is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cache.errors import InputError
from cache.tables import audit, intervals, schema, searches, videos
from cache.tables.audit import AuditRow
from cache.tables.intervals import Detection, Expression
from cache.tables.searches import Search
from cache.tables.videos import Video

VIDEO = Video("a1", "s1", "videos/a1.mp4", "video", 90, 30.0, 0, 640, 480, "ab" * 32)
EXPRESSION = Expression("a1", "s1", 10, 25, 12, "macro", "positive", 2)
DETECTION = Detection("a1", "s1", 11, 24, "positive", 0.5, "without-s1")
TABLES: list[tuple[type[Any], Any]] = [(Video, VIDEO), (Expression, EXPRESSION), (Detection, DETECTION)]
every_table = pytest.mark.parametrize(("kind", "record"), TABLES, ids=["videos", "expressions", "detections"])


def write(path: Path, kind: type[Any], records: list[Any]) -> None:
    if kind is Video:
        videos.write(path, records)
    else:
        intervals.write(path, kind, records)


def read(path: Path, kind: type[Any]) -> list[Any]:
    return videos.read(path) if kind is Video else intervals.read(path, kind)


@every_table
def test_what_is_written_comes_back_in_its_order(tmp_path: Path, kind: type[Any], record: Any) -> None:
    records = [dataclasses.replace(record, video=name) for name in ("b", "c", "a")]
    write(tmp_path / "t.parquet", kind, records)
    assert read(tmp_path / "t.parquet", kind) == records


@every_table
def test_a_table_may_be_empty(tmp_path: Path, kind: type[Any], record: Any) -> None:
    write(tmp_path / "t.parquet", kind, [])
    assert read(tmp_path / "t.parquet", kind) == []


@every_table
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, kind: type[Any], record: Any) -> None:
    for name in ("first", "second"):
        write(tmp_path / name, kind, [record])
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (Expression, "video subject start stop apex kind emotion row onset offset"),
        (Detection, "video subject start stop emotion confidence detector"),
    ],
)
def test_columns_stand_in_the_order_of_the_tables_made_before(tmp_path: Path, kind: type[Any], columns: str) -> None:
    write(tmp_path / "t.parquet", kind, [])
    assert pq.read_schema(tmp_path / "t.parquet").names == columns.split()


@every_table
def test_the_table_has_the_fields_of_the_record(tmp_path: Path, kind: type[Any], record: Any) -> None:
    write(tmp_path / "t.parquet", kind, [])
    assert pq.read_schema(tmp_path / "t.parquet").names == [field.name for field in dataclasses.fields(record)]


@every_table
def test_a_missing_column_is_named(tmp_path: Path, kind: type[Any], record: Any) -> None:
    write(tmp_path / "t.parquet", kind, [record])
    table = pq.read_table(tmp_path / "t.parquet").replace_schema_metadata()
    pq.write_table(table.drop_columns(["subject"]), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="no column 'subject'"):
        read(tmp_path / "t.parquet", kind)


def test_one_table_is_not_the_other(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", Detection, [DETECTION])
    with pytest.raises(InputError, match="no column 'apex'"):
        read(tmp_path / "t.parquet", Expression)


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    intervals.write(tmp_path / "t.parquet", Expression, [EXPRESSION])
    table = pq.read_table(tmp_path / "t.parquet").replace_schema_metadata()
    place = table.schema.get_field_index("start")
    column = pa.field("start", pa.float64(), nullable=False)
    pq.write_table(table.set_column(place, column, pa.array([10.0])), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="column 'start' holds double; expected int64"):
        intervals.read(tmp_path / "t.parquet", Expression)


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    intervals.write(tmp_path / "t.parquet", Expression, [EXPRESSION])
    table = pq.read_table(tmp_path / "t.parquet").replace_schema_metadata()
    pq.write_table(table.append_column("mood", pa.array(["good"])), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="unknown columns: mood"):
        intervals.read(tmp_path / "t.parquet", Expression)


def test_a_table_that_claims_too_many_rows_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intervals.write(tmp_path / "t.parquet", Expression, [EXPRESSION] * 3)
    monkeypatch.setattr(schema, "MAX_ROWS", 2)
    with pytest.raises(InputError, match="claims 3 rows; at most 2"):
        intervals.read(tmp_path / "t.parquet", Expression)


@pytest.mark.parametrize("content", [b"", b"junk", b"PAR1junkPAR1"])
def test_what_is_not_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(InputError, match="not a whole parquet table"):
        videos.read(tmp_path / "t.parquet")


def test_a_table_cut_anywhere_is_refused(tmp_path: Path) -> None:
    videos.write(tmp_path / "t.parquet", [VIDEO])
    whole = (tmp_path / "t.parquet").read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "t.parquet").write_bytes(whole[:length])
        with pytest.raises(InputError):
            videos.read(tmp_path / "t.parquet")


def test_a_bit_changed_anywhere_in_a_table_is_noticed(tmp_path: Path) -> None:
    path, generator = tmp_path / "t.parquet", np.random.default_rng(0)
    searches.write(path, [DETECTION] * 40, Search({"name": "ferplus"}, {"a1": "1" * 64}))
    whole = path.read_bytes()
    for place in [*generator.integers(0, len(whole), 40), whole.index(b"own_digest"), whole.index(b"sha256 with")]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(changed)
        with pytest.raises(InputError, match=r"t\.parquet is not as it was written: .*Remove it and run dvc repro"):
            intervals.read(path, Detection)
        with pytest.raises(InputError, match=r"t\.parquet is not as it was written"):
            searches.read(path)


def test_a_table_of_an_earlier_version_carries_no_digest_and_is_read(tmp_path: Path) -> None:
    intervals.write(tmp_path / "t.parquet", Expression, [EXPRESSION])
    pq.write_table(
        pq.read_table(tmp_path / "t.parquet").replace_schema_metadata(), tmp_path / "t.parquet", compression="none"
    )
    assert intervals.read(tmp_path / "t.parquet", Expression) == [EXPRESSION]


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.parquet is missing"):
        videos.read(tmp_path / "absent.parquet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video": "../a"}, "cannot name a video"),
        ({"path": "../a.mp4"}, "not inside the corpus folder"),
        ({"path": "/a.mp4"}, "not inside the corpus folder"),
        ({"source": "film"}, "none of video, images, openface"),
        ({"frame_count": 0}, "0 frames"),
        ({"frame_rate": float("nan")}, "frame rate nan"),
        ({"subject": ""}, "no subject"),
    ],
)
def test_an_impossible_video_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        videos.write(tmp_path / "t.parquet", [dataclasses.replace(VIDEO, **change)])
    assert not (tmp_path / "t.parquet").exists()


def test_two_videos_with_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="would be one file"):
        videos.write(tmp_path / "t.parquet", [VIDEO, dataclasses.replace(VIDEO, video="A1")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stop": 10}, r"\[10, 10\) in a1 is empty"),
        ({"start": -1}, "starts before the video"),
        ({"apex": 25}, "apex outside, at 25"),
        ({"kind": "mini"}, "none of macro, micro"),
        ({"emotion": ""}, "expression .* lacks its video, subject or emotion"),
    ],
)
def test_an_impossible_expression_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        intervals.write(tmp_path / "t.parquet", Expression, [dataclasses.replace(EXPRESSION, **change)])


def test_a_detection_names_its_detector(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"detection .* lacks its video, subject, emotion or detector"):
        intervals.write(tmp_path / "t.parquet", Detection, [dataclasses.replace(DETECTION, detector="")])


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_lies_between_0_and_1(tmp_path: Path, confidence: float) -> None:
    with pytest.raises(InputError, match="not between 0 and 1"):
        intervals.write(tmp_path / "t.parquet", Detection, [dataclasses.replace(DETECTION, confidence=confidence)])


def test_confidence_is_kept_as_float32(tmp_path: Path) -> None:
    intervals.write(tmp_path / "t.parquet", Detection, [dataclasses.replace(DETECTION, confidence=0.1)])
    assert intervals.read(tmp_path / "t.parquet", Detection)[0].confidence == float(np.float32(0.1))


def test_a_table_of_detections_carries_how_it_came_about_even_when_nothing_was_found(tmp_path: Path) -> None:
    search = Search({"name": "ferplus", "digest": "0f"}, {"b": "1" * 64, "a": "2" * 64})
    searches.write(tmp_path / "one.parquet", [], search)
    searches.write(tmp_path / "two.parquet", [], Search(search.encoder, dict(reversed(search.searched.items()))))
    assert searches.read(tmp_path / "one.parquet") == search
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize("told", [None, "[" * 200_000, "null", '{"encoder": 3, "searched": {}}', '{"searched": []}'])
def test_a_table_of_detections_that_does_not_say_how_it_came_about_is_refused(tmp_path: Path, told: str | None) -> None:
    schema.write(
        tmp_path / "t.parquet",
        intervals.SCHEMAS[Detection],
        [],
        lambda _: None,
        None if told is None else {"search": told},
    )
    with pytest.raises(InputError, match="does not say which detector searched which video"):
        searches.read(tmp_path / "t.parquet")


def test_intervals_are_half_open_pairs() -> None:
    assert intervals.of([EXPRESSION]).tolist() == [[10, 25]]
    assert intervals.of([]).shape == (0, 2)


def test_an_audit_comes_back_whatever_is_in_its_cells(tmp_path: Path) -> None:
    rows = [
        AuditRow("nearest_frame", "a1", "s1", 7, "onset", "17", "18", 'a comma, a "quote"'),
        AuditRow("no_row", "ä", ""),
    ]
    audit.write(tmp_path / "audit.csv", rows)
    assert audit.read(tmp_path / "audit.csv") == rows
    assert (
        (tmp_path / "audit.csv")
        .read_text(encoding="utf-8")
        .startswith("rule,video,subject,row,field,before,after,note\n")
    )


def test_an_audit_without_rows_is_a_header(tmp_path: Path) -> None:
    audit.write(tmp_path / "audit.csv", [])
    assert audit.read(tmp_path / "audit.csv") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'video'.*an empty file"),
        (b"vidoe,onset\n", r"no column 'video' \(did you mean 'vidoe'\?\)"),
        (b"video;onset\n", "separated by semicolons"),
        (b"video,onset,video\n", "'video' 2 times"),
        (b"video,onset\na,1,2\n", "row 2 has 3 cells, the header has 2"),
        (b"video,onset\n\xff,1\n", "not CSV in UTF-8"),
    ],
)
def test_a_csv_of_another_shape_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(schema.read_csv(tmp_path / "t.csv", ["video", "onset"]))


def test_a_csv_from_a_spreadsheet_is_read_with_its_row_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf video , onset,mood\r\n a ,1,x\r\n,,\r\nb, 2 ,y\r\n")
    assert list(schema.read_csv(tmp_path / "t.csv", ["video", "onset"], ["apex"])) == [
        (2, {"video": "a", "onset": "1", "apex": ""}),
        (4, {"video": "b", "onset": "2", "apex": ""}),
    ]
