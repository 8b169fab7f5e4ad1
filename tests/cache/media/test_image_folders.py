"""Folders of numbered images: the number in a name is the label, in the order of numbers, and gaps stay."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cache.errors import InputError
from cache.media import image_folders


def write_image(path: Path, value: int = 120, size: int = 32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((size, size, 3), value, np.uint8)
    image[::2, ::3] = value // 2
    cv2.imwrite(str(path), image)


@pytest.mark.parametrize("pattern", ["img_{}.jpg", "img{:03d}.jpg", "{:04d}.png", "006_1_{:04d}.bmp", "{}.JPG"])
def test_images_come_in_the_order_of_their_numbers(tmp_path: Path, pattern: str) -> None:
    for label in (10, 2, 1, 9):
        write_image(tmp_path / pattern.format(label), value=10 * label)
    folder = image_folders.read_folder(tmp_path)
    assert folder.labels.tolist() == [1, 2, 9, 10]
    assert [path.name for path in folder.files] == [pattern.format(label) for label in (1, 2, 9, 10)]
    assert list(folder.images()) == [path.read_bytes() for path in folder.files]
    assert (len(folder), folder.width, folder.height, folder.ignored) == (4, 32, 32, ())


def test_a_gap_takes_time_and_keeps_the_labels(tmp_path: Path) -> None:
    for label in (151, 152, 155):
        write_image(tmp_path / f"{label}.png")
    columns = image_folders.read_folder(tmp_path).columns(frame_rate=10.0)
    assert columns.frame_label.tolist() == [151, 152, 155]
    assert columns.pts_seconds.tolist() == pytest.approx([0.0, 0.1, 0.4])


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_black_image_with_much_behind_its_end_has_no_face_either(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"1.{suffix}", value=0)
    with (tmp_path / f"1.{suffix}").open("ab") as file:
        file.write(b"a preview" * 1000)
    assert image_folders.read_folder(tmp_path).face_found.tolist() == [False]


def test_a_black_image_has_no_face(tmp_path: Path) -> None:
    write_image(tmp_path / "1.jpg")
    write_image(tmp_path / "2.jpg", value=0)
    columns = image_folders.read_folder(tmp_path).columns(frame_rate=30.0)
    assert columns.face_found.tolist() == [True, False]
    assert columns.face_confidence.tolist() == [1.0, 0.0]


def test_other_files_are_named_for_the_audit(tmp_path: Path) -> None:
    write_image(tmp_path / "img1.jpg")
    for name in ("Thumbs.db", "._img1.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"junk")
    (tmp_path / "depth").mkdir()
    folder = image_folders.read_folder(tmp_path)
    assert folder.ignored == ("._img1.jpg", "Thumbs.db", "notes.txt")
    assert len(folder) == 1


def test_the_digest_depends_on_names_and_bytes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_image(tmp_path / name / "1.png", value=50 if name == "c" else 60)
        write_image(tmp_path / name / "2.png")
    first, same, other = (image_folders.read_folder(tmp_path / name).source_digest for name in ("a", "b", "c"))
    assert first == same != other
    (tmp_path / "b" / "2.png").rename(tmp_path / "b" / "3.png")
    assert image_folders.read_folder(tmp_path / "b").source_digest != first


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        image_folders.read_folder(tmp_path)
    with pytest.raises(InputError, match="missing or is no folder"):
        image_folders.read_folder(tmp_path / "absent")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["img1.jpg", "img01.jpg"], "frame 1 twice"),
        (["1.jpg", "1.png"], "frame 1 twice"),
        (["face.jpg"], "no frame number"),
        (["left_1.jpg", "right_2.jpg"], "mixes images of different names"),
    ],
)
def test_names_that_do_not_number_one_video_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        write_image(tmp_path / name)
    with pytest.raises(InputError, match=message):
        image_folders.read_folder(tmp_path)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "1.png", size=32)
    write_image(tmp_path / "2.png", size=16)
    with pytest.raises(InputError, match=r"2\.png is 16 x 16, 1\.png is 32 x 32"):
        image_folders.read_folder(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_an_image_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"1.{suffix}")
    whole = (tmp_path / f"1.{suffix}").read_bytes()
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 5):
        (tmp_path / f"1.{suffix}").write_bytes(whole[:length])
        with pytest.raises(InputError, match=f"1.{suffix}"):
            image_folders.read_folder(tmp_path)
