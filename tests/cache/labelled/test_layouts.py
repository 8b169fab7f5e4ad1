"""Labelled images: every layout gives the same arrays, and what is wrong is named with its file and row."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cache.errors import InputError
from cache.labelled import layouts as labelled_images
from cache.labelled.arrays import TEST, TRAIN, VALIDATION, LabelledImages
from cache.labelled.sets import RUNS_AHEAD

VOTE_NAMES = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF",
)  # fmt: skip


def pixels(found: LabelledImages) -> NDArray[np.uint8]:
    """Return all images of a set in one array."""
    return np.concatenate(list(found.images.read([np.arange(len(found.images))])))


def write_image(path: Path, level: int, side: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side, 3), level, np.uint8))


def write_ferplus(root: Path, votes: NDArray[np.uint8], usage: list[int]) -> None:
    """Write one mosaic of 2 x 2 tiles of 4 px; tile k has the grey level 10 k."""
    tiles = np.repeat(np.repeat(np.array([[0, 10], [20, 30]], np.uint8), 4, axis=0), 4, axis=1)
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(tiles, cv2.COLOR_GRAY2BGR), [cv2.IMWRITE_WEBP_QUALITY, 101])
    (root / "ferplus48_000.webp").write_bytes(encoded.tobytes())
    np.savez(
        root / "ferplus48_index.npz",
        y=votes,
        vote_names=np.array(VOTE_NAMES),
        usage=np.array(usage, np.uint8),
        tile=np.array(4),
        files=np.array(["ferplus48_000.webp"]),
    )


def votes(*rows: dict[str, int]) -> NDArray[np.uint8]:
    return np.array([[row.get(name, 0) for name in VOTE_NAMES] for row in rows], np.uint8)


def test_votes_become_shares_of_the_emotions_and_faces_without_any_are_left_out(tmp_path: Path) -> None:
    found = votes(
        {"happiness": 6, "neutral": 2, "unknown": 2},
        {"unknown": 6, "anger": 4},
        {"fear": 5, "surprise": 5},
    )
    write_ferplus(tmp_path, found, [0, 1, 2])
    read = labelled_images.read(tmp_path, "ferplus", 96)
    assert read.classes == VOTE_NAMES[:8]
    # 6 of 8 votes for an emotion; more than half of all ten, so clear. Five of ten is not more than half.
    assert read.targets[0].tolist() == [0.25, 0.75, 0, 0, 0, 0, 0, 0]
    assert read.is_clear.tolist() == [True, False]
    assert read.split.tolist() == [TRAIN, TEST]
    assert [int(image[0, 0]) for image in pixels(read)] == [0, 20]
    assert pixels(read).shape == (2, 4, 4)


def test_an_index_with_other_rows_than_tiles_is_refused(tmp_path: Path) -> None:
    write_ferplus(tmp_path, votes(*[{"fear": 9}] * 5), [0] * 5)
    with pytest.raises(InputError, match="4 tiles in its mosaics, its index has 5 rows"):
        labelled_images.read(tmp_path, "ferplus", 96)


def test_a_damaged_index_or_mosaic_is_refused(tmp_path: Path) -> None:
    write_ferplus(tmp_path, votes({"fear": 9}), [0])
    (tmp_path / "ferplus48_000.webp").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"ferplus48_000.webp is damaged"):
        labelled_images.read(tmp_path, "ferplus", 96)
    (tmp_path / "ferplus48_index.npz").write_bytes(b"PK no index")
    with pytest.raises(InputError, match="no archive of the arrays y, vote_names"):
        labelled_images.read(tmp_path, "ferplus", 96)


def test_an_index_that_would_run_code_is_refused(tmp_path: Path) -> None:
    write_ferplus(tmp_path, votes({"fear": 9}), [0])
    content = dict(np.load(tmp_path / "ferplus48_index.npz"))
    np.savez(tmp_path / "ferplus48_index.npz", **content | {"files": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(InputError, match="no archive of the arrays"):
        labelled_images.read(tmp_path, "ferplus", 96)


CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "votes that are words": ({"y": np.array([["many"] * len(VOTE_NAMES)])}, "expected votes, a row a face"),
    "one usage": ({"usage": np.array(0)}, "expected 0, 1 or 2 a face"),
    "no size of tiles": ({"tile": np.array(np.nan)}, "expected the side of a face in pixels"),
    "a mosaic elsewhere": ({"files": np.array(["../ferplus48_000.webp"])}, "not the names of mosaics beside it"),
    "a mosaic twice": ({"files": np.array(["ferplus48_000.webp"] * 2)}, "each once"),
    "many zeros": ({"usage": np.zeros(1 << 25, np.uint8)}, "they unpack to 33,5.* bytes, expected at most 16,777,216"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_an_index_that_is_not_of_mosaics_or_unpacks_to_far_more_than_it_is_is_refused(
    tmp_path: Path, name: str
) -> None:
    changed, message = CHANGED[name]
    write_ferplus(tmp_path, votes({"fear": 9}), [0])
    index = tmp_path / "ferplus48_index.npz"
    np.savez_compressed(index, **dict(np.load(index)) | changed)
    assert index.stat().st_size < 1 << 17
    with pytest.raises(InputError, match=f"ferplus48_index.npz.*{message}"):
        labelled_images.read(tmp_path, "ferplus", 96)


def test_a_folder_per_class_is_read_in_order(tmp_path: Path) -> None:
    for part, level in (("train", 10), ("val", 20), ("test", 30)):
        write_image(tmp_path / part / "joy" / "a.png", level)
        write_image(tmp_path / part / "anger" / "a.png", level + 1)
    read = labelled_images.read(tmp_path, "folder", 6)
    assert read.classes == ("anger", "joy")
    assert sorted(read.split.tolist()) == [TRAIN, TRAIN, VALIDATION, VALIDATION, TEST, TEST]
    levels = {int(part): int(image[0, 0, 0]) for part, image, joy in zip(read.split, pixels(read), read.targets[:, 1], strict=True) if joy}  # fmt: skip  # noqa: E501
    assert levels == {TRAIN: 10, VALIDATION: 20, TEST: 30}
    assert pixels(read).shape == (6, 6, 6, 3)


def test_images_without_a_split_are_split_by_subject(tmp_path: Path) -> None:
    lines = ["path,label,subject"]
    for subject in range(40):
        for label in ("joy", "anger"):
            write_image(tmp_path / f"{subject}_{label}.png", subject)
            lines.append(f"{subject}_{label}.png,{label},s{subject}")
    (tmp_path / "faces.csv").write_text("\n".join(lines), encoding="utf-8")
    read = labelled_images.read(tmp_path / "faces.csv", "csv", 8)
    parts = {subject: {int(p) for p, s in zip(read.split, read.subjects, strict=True) if s == subject} for subject in read.subjects}  # fmt: skip  # noqa: E501
    assert all(len(found) == 1 for found in parts.values())
    assert set(read.split.tolist()) == {TRAIN, VALIDATION, TEST}
    assert read.counts()["train"] > 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,emotion\na.png,joy", "no column label"),
        ("path,label\na.png,", "faces.csv:2: label is empty"),
        ("path,label,split\na.png,joy,later", "faces.csv:2: split is 'later'"),
        ("path,label\n../a.png,joy", "lies outside"),
        ("path,label\na.png,joy\nb.png,anger", "b.png is missing, though it is listed"),
        ("path,label\na.png,joy", "1 classes, expected at least 2"),
    ],
)
def test_a_faulty_csv_is_refused_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    write_image(tmp_path / "a.png", 5)
    (tmp_path / "faces.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        labelled_images.read(tmp_path / "faces.csv", "csv", 8)


def test_a_damaged_image_is_refused_by_name(tmp_path: Path) -> None:
    write_image(tmp_path / "joy" / "a.png", 5)
    write_image(tmp_path / "anger" / "b.png", 5)
    (tmp_path / "anger" / "b.png").write_bytes((tmp_path / "anger" / "b.png").read_bytes()[:-20])
    found = labelled_images.read(tmp_path, "folder", 8)
    for look in (found.images.contents(), found.images.read([np.array([0, 1])])):
        with pytest.raises(InputError, match=r"b\.png"):
            list(look)


def test_images_are_read_as_they_are_asked_for_and_never_lie_in_memory_together(tmp_path: Path) -> None:
    side, count, together = 128, 300, 10
    for number in range(count):
        write_image(tmp_path / ("joy" if number % 2 else "anger") / f"{number:03d}.png", number % 250, side)
    tracemalloc.start()
    found = labelled_images.read(tmp_path, "folder", side)
    order = np.random.default_rng(0).permutation(count)
    runs = [order[first : first + together] for first in range(0, count, together)]
    levels = [int(image[0, 0, 0]) for batch in found.images.read(runs) for image in batch]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    names = [int(Path(found.subjects[row]).stem) for row in order]
    assert levels == [number % 250 for number in names]
    image = side * side * 3
    # The runs begun, the one handed out, its images before they were stacked, and as much again for paths and threads.
    assert peak < 2 * (RUNS_AHEAD + 3) * together * image < count * image / 2


def test_files_are_told_apart_by_what_they_show_and_not_by_their_names(tmp_path: Path) -> None:
    for name, level in (("a", 5), ("b", 6), ("c", 5)):
        write_image(tmp_path / name / "joy/1.png", level)
        write_image(tmp_path / name / "anger/1.png", 9)
    first, other, same = (
        list(labelled_images.read(tmp_path / name, "folder", 8).images.contents()) for name in ("a", "b", "c")
    )
    assert first == same != other
    assert sum(count for count, _ in first) == 2


def test_affectnet_is_cut_to_its_faces_and_its_validation_part_is_the_test(tmp_path: Path) -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[5:15, 8:18] = 200
    (tmp_path / "1").mkdir()
    cv2.imwrite(str(tmp_path / "1" / "a.png"), image)
    head = "subDirectory_filePath,face_x,face_y,face_width,face_height,expression\n"
    (tmp_path / "training.csv").write_text(head + "1/a.png,8,5,10,10,1\n1/a.png,8,5,10,10,9\n", encoding="utf-8")
    (tmp_path / "validation.csv").write_text(head + "1/a.png,8,5,10,10,6\n", encoding="utf-8")
    read = labelled_images.read(tmp_path, "affectnet", 10)
    assert [read.classes[k] for k in read.targets.argmax(axis=1)] == ["happiness", "anger"]
    assert int(read.split[1]) == TEST
    assert int(pixels(read).min()) == 200


def write_label(root: Path, part: str, name: str, label: str) -> None:
    write_image(root / part / "images" / f"{name}.jpg", 90)
    (root / part / "annotations").mkdir(exist_ok=True)
    np.save(root / part / "annotations" / f"{name}_exp.npy", np.array(label))


def test_the_later_affectnet_is_read_from_a_file_a_label(tmp_path: Path) -> None:
    for part, name, label in (("train_set", "7", "1"), ("train_set", "8", "9"), ("val_set", "2", "6")):
        write_label(tmp_path, part, name, label)
    read = labelled_images.read(tmp_path, "affectnet", 8)
    assert [read.classes[k] for k in read.targets.argmax(axis=1)] == ["happiness", "anger"]
    assert int(read.split[1]) == TEST
    np.save(tmp_path / "val_set/annotations/2_exp.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"2_exp.npy is no array of numbers"):
        labelled_images.read(tmp_path, "affectnet", 8)
    (tmp_path / "val_set/annotations/2_exp.npy").unlink()
    with pytest.raises(InputError, match=r"val_set/annotations holds no labels"):
        labelled_images.read(tmp_path, "affectnet", 8)


def write_ferplus_tables(root: Path, rows: list[tuple[str, int, dict[str, int]]]) -> None:
    """Write FER+'s two published tables: usage, grey level and votes of each face."""
    faces = ["emotion,pixels,Usage", *(f"0,{' '.join([str(level)] * 48 * 48)},{usage}" for usage, level, _ in rows)]
    names = [*VOTE_NAMES]
    told = [f"{usage},fer.png," + ",".join(str(found.get(name, 0)) for name in names) for usage, _, found in rows]
    (root / "fer2013.csv").write_text("\n".join(faces) + "\n", encoding="utf-8")
    (root / "fer2013new.csv").write_text("\n".join([f"Usage,Image name,{','.join(names)}", *told]), encoding="utf-8")


def test_the_published_tables_of_ferplus_give_the_same_as_mosaics(tmp_path: Path) -> None:
    happy = {"happiness": 6, "neutral": 2, "unknown": 2}
    rows = [("Training", 3, happy), ("PublicTest", 4, {"NF": 10}), ("PrivateTest", 5, {"fear": 10})]
    write_ferplus_tables(tmp_path, rows)
    read = labelled_images.read(tmp_path, "ferplus", 96)
    assert pixels(read).shape == (2, 48, 48)
    assert [int(image[0, 0]) for image in pixels(read)] == [3, 5]
    assert read.targets[0].tolist() == [0.25, 0.75, 0, 0, 0, 0, 0, 0]
    assert read.split.tolist() == [TRAIN, TEST]
    assert read.is_clear.tolist() == [True, True]


def test_faulty_tables_of_ferplus_are_refused_with_the_row(tmp_path: Path) -> None:
    rows = [("Training", 3, {"fear": 9}), ("Training", 4, {"fear": 9})]
    write_ferplus_tables(tmp_path, rows)
    faces = tmp_path / "fer2013.csv"
    whole = faces.read_text(encoding="utf-8")
    faces.write_text(whole.replace("4 4 4", "4 999 4", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"fer2013.csv:3: pixels are 2304 values, expected 2304 from 0 to 255"):
        labelled_images.read(tmp_path, "ferplus", 96)
    faces.write_text("\n".join(whole.splitlines()[:2]), encoding="utf-8")
    with pytest.raises(InputError, match=r"fer2013.csv has fewer rows than the other table"):
        labelled_images.read(tmp_path, "ferplus", 96)


def test_rafdb_is_read_from_its_list(tmp_path: Path) -> None:
    (tmp_path / "list_partition_label.txt").write_text("train_00001.jpg 5\ntest_0001.jpg 4\n", encoding="utf-8")
    write_image(tmp_path / "Image" / "aligned" / "train_00001_aligned.jpg", 90)
    write_image(tmp_path / "Image" / "aligned" / "test_0001_aligned.jpg", 90)
    read = labelled_images.read(tmp_path, "rafdb", 8)
    assert [read.classes[k] for k in read.targets.argmax(axis=1)] == ["sadness", "happiness"]
    assert int(read.split[1]) == TEST
    (tmp_path / "list_partition_label.txt").write_text("train_00001.jpg 8\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"label.txt:1: found 'train_00001.jpg 8'"):
        labelled_images.read(tmp_path, "rafdb", 8)


def test_the_first_images_of_each_part_can_be_taken(tmp_path: Path) -> None:
    write_ferplus(tmp_path, votes(*[{"fear": 9}] * 4), [0, 1, 0, 2])
    read = labelled_images.read(tmp_path, "ferplus", 96).first(1)
    assert read.split.tolist() == [TRAIN, VALIDATION, TEST]
    assert read.subjects == ("0", "1", "3")


def test_an_unknown_layout_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of ferplus, folder, csv, affectnet, rafdb"):
        labelled_images.read(tmp_path, "fer", 8)
    with pytest.raises(InputError, match="does not exist"):
        labelled_images.read(tmp_path / "nowhere", "folder", 8)
