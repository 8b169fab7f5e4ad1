"""One path for every corpus: a new one is one small module, and its rows take the same steps as those of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from cache.corpora import footage, readers, repairs, rows
from cache.corpora.annotations import Annotation, CorpusFacts, Labels
from cache.corpora.footage import Location, ReadContext
from cache.corpora.readers import Reader
from cache.corpora.rows import Line, Problems
from cache.tables import audit, intervals, videos
from cache.tables.audit import AuditRow
from cache.tables.intervals import Expression
from stages.commands import app
from stages.shell.command import ExitCode

ROOT = Path(__file__).resolve().parents[3]


# A new corpus, all of it: a CSV of texts with its own headings, and one folder of images a video.


@dataclass(frozen=True, kw_only=True)
class NewFacts(CorpusFacts):
    label_set: Literal["felt"]


def new_labels(path: Path, facts: NewFacts, problems: Problems) -> Labels:
    notes: list[AuditRow] = []
    lines = rows.of_csv(path, ("who", "clip", "begin", "peak", "end", "type", "felt"), (), problems)
    found = [one for line in lines for one in [new_annotation(line, facts, notes)] if one is not None]
    return repairs.settle(found, facts, notes)


def new_annotation(line: Line, facts: NewFacts, notes: list[AuditRow]) -> Annotation | None:
    subject, video, kind = line.text("who"), line.text("clip"), line.kind("type")
    onset, apex, offset = line.frame("begin"), line.apex("peak"), line.frame("end")
    if subject is None or video is None or kind is None or onset is None or apex is None or offset is None:
        return None
    emotion = rows.emotion(line, "felt", facts, (video, subject), notes)
    return Annotation(video, subject, onset, apex, offset, kind, emotion, line.number)


def new_locations(context: ReadContext[NewFacts]) -> Iterator[Location]:
    for path in sorted(footage.frames_folder(context).iterdir()):
        yield Location(path.name, path.name.split("_")[0], path)


def new_locate(labels: Labels, context: ReadContext[NewFacts]) -> dict[str, Location]:
    return footage.by_video(new_locations(context), labels.found, context)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a corpus file and a corpus for the reader above: one video of 60 frames, numbered from 1."""
    monkeypatch.setitem(readers.READERS, "new", Reader(NewFacts, new_labels, new_locate))
    monkeypatch.chdir(tmp_path)
    described = yaml.safe_load((ROOT / "configs/corpora/casme2.yaml").read_text(encoding="utf-8"))
    described |= {"reader": "new", "classes": ["joy"]}
    described["facts"] |= {"labels": "new.csv", "frames": "clips", "label_set": "felt", "class_map": "felt"}
    described["facts"] |= {"class_maps": {"felt": {"glad": "joy"}}, "expected": {"macro": 2, "micro": 1, "subjects": 1}}
    described["facts"]["unlabelled_videos"] = 0
    Path("configs/corpora").mkdir(parents=True)
    Path("configs/corpora/new.yaml").write_text(yaml.safe_dump(described), encoding="utf-8")
    folder = tmp_path / "disk/clips/ann_1"
    folder.mkdir(parents=True)
    image = cv2.imencode(".jpg", np.full((12, 16, 3), 90, np.uint8))[1].tobytes()
    for number in range(1, 61):
        (folder / f"{number}.jpg").write_bytes(image)
    lines = ["who,clip,begin,peak,end,type,felt", "ann,ann_1,10,15,20,Macro,glad", "ann,ann_1,30,40,0,macro,Glad"]
    (tmp_path / "disk/new.csv").write_text("\n".join([*lines, "ann,ann_1,50,,55,micro,glad"]) + "\n", encoding="utf-8")
    return tmp_path


def type_index() -> Any:
    return CliRunner().invoke(app.build(), ["index", "new", "--root", "disk", "--output", "data"])


def test_a_new_corpus_is_one_small_module_on_the_path(project: Path) -> None:
    told = type_index()
    assert told.exit_code == ExitCode.DONE, told.stderr
    assert [(one.video, one.subject, one.frame_count) for one in videos.read(project / "data/videos.parquet")] == [
        ("ann_1", "ann", 60)
    ]
    found = intervals.read(project / "data/expressions.parquet", Expression)
    # Frame 10 is at position 9; an offset of 0 ends at the apex, 40, at position 39.
    assert [(one.start, one.stop, one.apex, one.emotion, one.row) for one in found] == [
        (9, 20, 14, "joy", 2),
        (29, 40, 39, "joy", 3),
    ]
    assert {row.rule for row in audit.read(project / "data/audit.csv")} == {
        "emotion_mapped",
        "kind_not_selected",
        "offset_zero",
    }


def test_a_bad_cell_of_a_csv_is_named_by_row_and_column(project: Path) -> None:
    with Path("disk/new.csv").open("a", encoding="utf-8") as file:
        file.write("ann,ann_1,ten,,20,macro,\n")
    told = type_index()
    assert told.exit_code == ExitCode.INPUT
    assert "new.csv, row 5 (begin): found 'ten', expected a frame number from 0. Correct it." in told.stderr


@pytest.mark.parametrize("words", [["index", "new", "--root", "disk"], ["labels", "audit", "new", "--labels", "x"]])
def test_a_reader_that_does_not_exist_is_refused_with_those_there_are(project: Path, words: list[str]) -> None:
    path = Path("configs/corpora/new.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("reader: new", "reader: old"), encoding="utf-8")
    told = CliRunner().invoke(app.build(), words)
    assert told.exit_code == ExitCode.USAGE
    assert "configs/corpora/new.yaml: reader 'old' is none of casme2, casme3, samm_lv, table, new" in told.stderr


def test_an_image_that_is_a_link_to_nothing_fails_its_video_and_is_not_left_out_in_silence(project: Path) -> None:
    shutil.copytree(project / "disk/clips/ann_1", project / "disk/clips/ann_2")
    image = project / "disk/clips/ann_1/7.jpg"
    image.unlink()
    image.symlink_to("not fetched yet")
    path = Path("configs/corpora/new.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("unlabelled_videos: 0", "unlabelled_videos: 1"), "utf-8")
    told = type_index()
    assert told.exit_code == ExitCode.PARTIAL
    assert "ann_1 failed, its 2 expressions are left out" in told.stderr
    assert "7.jpg" in told.stderr


def test_a_reader_says_which_facts_are_paths_of_the_corpus_folder(project: Path) -> None:
    path = Path("configs/corpora/new.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("frames: clips", "frames: ../clips"), encoding="utf-8")
    told = type_index()
    assert told.exit_code == ExitCode.INPUT
    assert "facts.frames is ../clips, which lies outside the corpus folder disk" in told.stderr
