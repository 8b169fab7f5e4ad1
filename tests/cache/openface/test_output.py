"""OpenFace output: every frame of the video is there, marked when it shows no face, and partial output is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cache.errors import InputError
from cache.media import video_files
from cache.openface import output as openface

HEADER = ["frame", "face_id", "timestamp", "confidence", "success"]


def write_image(path: Path, value: int, size: int = 224) -> None:
    image = np.full((size, size, 3), value, np.uint8)
    if value:
        noise = np.random.default_rng(value).integers(0, 100, image.shape, dtype=np.uint8)
        image = cv2.add(image, noise)
    cv2.imwrite(str(path), image)


def write_output(
    folder: Path,
    frame_count: int = 6,
    without_face: tuple[int, ...] = (),
    separator: str = ", ",
    stem: str = "clip",
    suffix: str = "jpg",
    size: int = 224,
) -> Path:
    """Write what FeatureExtraction writes, at 10 frames a second."""
    aligned = folder / f"{stem}_aligned"
    aligned.mkdir(parents=True)
    lines = [separator.join(HEADER)]
    for frame in range(1, frame_count + 1):
        found = frame not in without_face
        cells = [str(frame), "0", f"{(frame - 1) / 10:.3f}", "0.98" if found else "0.00", str(int(found))]
        lines.append(separator.join(cells))
        write_image(aligned / f"frame_det_00_{frame:06d}.{suffix}", 50 + frame if found else 0, size)
    (folder / f"{stem}.csv").write_text("\n".join(lines) + "\n")
    return folder


def replace_line(folder: Path, number: int, line: str) -> None:
    lines = (folder / "clip.csv").read_text().splitlines()
    lines[number] = line
    (folder / "clip.csv").write_text("\n".join(lines) + "\n")


def image(folder: Path, frame: int, face: int = 0) -> Path:
    return folder / "clip_aligned" / f"frame_det_{face:02d}_{frame:06d}.jpg"


@pytest.mark.parametrize("separator", [", ", ",  ", ",", " , \t"])
def test_the_spacing_of_the_csv_does_not_matter(tmp_path: Path, separator: str) -> None:
    output = openface.read_folder(write_output(tmp_path, separator=separator))
    assert output.columns.frame_label.tolist() == [1, 2, 3, 4, 5, 6]
    assert output.columns.pts_seconds.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert output.columns.face_found.all()
    assert output.columns.face_confidence.tolist() == pytest.approx([0.98] * 6)
    assert (len(output), output.stem, output.face, output.frame_rate) == (6, "clip", 0, 10.0)
    assert (output.width, output.height, output.warnings) == (224, 224, ())


def test_images_are_passed_on_byte_for_byte(tmp_path: Path) -> None:
    write_output(tmp_path)
    images = list(openface.read_folder(tmp_path).images())
    assert images == [image(tmp_path, frame).read_bytes() for frame in range(1, 7)]


def test_black_frames_are_marked(tmp_path: Path) -> None:
    columns = openface.read_folder(write_output(tmp_path, without_face=(1, 4))).columns
    assert columns.face_found.tolist() == [False, True, True, False, True, True]
    assert columns.face_confidence.tolist() == pytest.approx([0, 0.98, 0.98, 0, 0.98, 0.98])


def test_a_black_image_shows_no_face_whatever_the_csv_says(tmp_path: Path) -> None:
    write_output(tmp_path)
    write_image(image(tmp_path, 3), 0)
    assert openface.read_folder(tmp_path).columns.face_found.tolist() == [True, True, False, True, True, True]


def test_images_left_out_by_nobadaligned_are_filled_with_black(tmp_path: Path) -> None:
    write_output(tmp_path, without_face=(1, 4))
    for frame in (1, 4):
        image(tmp_path, frame).unlink()
    output = openface.read_folder(tmp_path)
    images = list(output.images())
    assert len(output) == len(images) == 6
    assert output.columns.face_found.tolist() == [False, True, True, False, True, True]
    black = cv2.imdecode(np.frombuffer(images[3], np.uint8), cv2.IMREAD_COLOR)
    assert black is not None
    assert black.shape == (224, 224, 3)
    assert black.max() == 0


def test_an_image_lost_from_a_frame_with_a_face_is_missed(tmp_path: Path) -> None:
    write_output(tmp_path)
    for frame in (3, 5):
        image(tmp_path, frame).unlink()
    with pytest.raises(InputError, match="6 rows and 4 images; 2 frames with success 1 have no image, the first is 3"):
        openface.read_folder(tmp_path)


def test_an_image_lost_from_a_frame_without_a_face_is_missed(tmp_path: Path) -> None:
    write_output(tmp_path, without_face=(1, 4))
    image(tmp_path, 4).unlink()
    with pytest.raises(InputError, match="of 2 frames with success 0, 1 have no image, the first is 4"):
        openface.read_folder(tmp_path)


def test_a_csv_that_ends_before_the_images_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    lines = (tmp_path / "clip.csv").read_text().splitlines(keepends=True)
    (tmp_path / "clip.csv").write_text("".join(lines[:-2]))
    with pytest.raises(InputError, match="4 rows and 6 images; frame 5 has an image and no row"):
        openface.read_folder(tmp_path)


def test_output_that_ends_before_the_video_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    assert len(openface.read_folder(tmp_path, frame_count=6)) == 6
    for frame_count in (5, 7):
        with pytest.raises(InputError, match=f"6 frames up to frame 6, but the video decodes to {frame_count} frames"):
            openface.read_folder(tmp_path, frame_count=frame_count)


def test_a_folder_without_csv_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    (tmp_path / "clip.csv").unlink()
    with pytest.raises(InputError, match=r"clip\.csv is missing. Run FeatureExtraction again"):
        openface.read_folder(tmp_path)


def test_a_csv_without_images_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    for path in (tmp_path / "clip_aligned").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="holds no images"):
        openface.read_folder(tmp_path)
    (tmp_path / "clip_aligned").rmdir()
    with pytest.raises(InputError, match=r"no images beside it.*-simalign -simsize 224 -nomask"):
        openface.read_folder(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        openface.read_folder(tmp_path)


def test_a_folder_may_hold_the_output_of_several_videos(tmp_path: Path) -> None:
    for stem in ("b", "a"):
        write_output(tmp_path, stem=stem, frame_count=3)
    (tmp_path / "labels.csv").write_text("subject,video,onset,offset,emotion\n")
    assert openface.stems(tmp_path) == ["a", "b"]
    assert openface.read_folder(tmp_path / "b.csv").stem == "b"
    with pytest.raises(InputError, match=r"output of 2 videos \(a, b\): give the CSV of one"):
        openface.read_folder(tmp_path)


@pytest.mark.parametrize("column", ["success", "confidence", "timestamp"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    write_output(tmp_path)
    text = (tmp_path / "clip.csv").read_text()
    (tmp_path / "clip.csv").write_text(text.replace(column, column[:-1], 1))
    with pytest.raises(InputError, match=rf"no column '{column}' \(did you mean '{column[:-1]}'\?\)"):
        openface.read_folder(tmp_path / "clip.csv")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3, 0, 0.200", "row 4 has 3 cells, the header has 5"),
        ("3, 0, 0.200, high, 1", "row 4: column 'confidence' holds 'high'"),
        ("3, 0, nan, 0.98, 1", "row 4: column 'timestamp' holds 'nan'"),
        ("3, 0, 0.200, 0.98, 2", "success 2.0, expected 0 or 1"),
        ("3, 0, 0.200, 1.98, 1", "confidence 1.98"),
        ("0, 0, 0.200, 0.98, 1", "frame 0.0, expected whole numbers from 1"),
        ("2.5, 0, 0.200, 0.98, 1", "frame 2.5, expected whole numbers"),
        ("1e300, 0, 0.200, 0.98, 1", "frame 1e\\+300, expected whole numbers"),
        ("2, 0, 0.200, 0.98, 1", "face 0 twice in frame 2"),
        ("3, 0, 0.100, 0.98, 1", "timestamps are not increasing. Give frame_rate"),
    ],
)
def test_a_damaged_row_is_refused(tmp_path: Path, line: str, message: str) -> None:
    write_output(tmp_path)
    replace_line(tmp_path, 3, line)
    with pytest.raises(InputError, match=message):
        openface.read_folder(tmp_path)


def test_a_csv_without_rows_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    (tmp_path / "clip.csv").write_text(", ".join(HEADER) + "\n")
    with pytest.raises(InputError, match="no rows: OpenFace read no frame"):
        openface.read_folder(tmp_path)


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_output(tmp_path)
    write_image(image(tmp_path, 2), 80, size=112)
    with pytest.raises(InputError, match=r"is 112 x 112, .* is 224 x 224"):
        openface.read_folder(tmp_path)


def test_timestamps_of_an_image_folder_come_from_the_frame_rate(tmp_path: Path) -> None:
    write_output(tmp_path)
    text = (tmp_path / "clip.csv").read_text()
    for frame in range(1, 7):
        text = text.replace(f"{(frame - 1) / 10:.3f}", "0.000")
    (tmp_path / "clip.csv").write_text(text)
    with pytest.raises(InputError, match=r"timestamps are 0 throughout \(-fdir writes no others\). Give frame_rate"):
        openface.read_folder(tmp_path)
    output = openface.read_folder(tmp_path, frame_rate=20.0)
    assert output.columns.pts_seconds.tolist() == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.25])
    assert output.frame_rate == 20.0
    assert "leading zeros" in output.warnings[0]


def several_faces(folder: Path, header: list[str], rows: list[tuple[object, ...]]) -> Path:
    """Write what FaceLandmarkVidMulti writes; a row is frame, face, success and the further columns."""
    (folder / "clip_aligned").mkdir()
    lines = [", ".join(header)]
    for frame, face, success, *others in rows:
        cells = [frame, face, f"{(int(str(frame)) - 1) / 10:.3f}", 0.9, success, *others]
        lines.append(", ".join(str(cell) for cell in cells))
        write_image(image(folder, int(str(frame)), int(str(face))), 60)
    (folder / "clip.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_frames_without_a_row_are_frames_without_a_face(tmp_path: Path) -> None:
    several_faces(tmp_path, HEADER, [(2, 0, 1), (3, 0, 1), (6, 0, 1)])
    output = openface.read_folder(tmp_path)
    assert output.columns.face_found.tolist() == [False, True, True, False, False, True]
    assert output.columns.pts_seconds.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5], abs=1e-6)
    assert "no row for 3 of 6 frames" in output.warnings[0]
    longer = openface.read_folder(tmp_path, frame_count=8)
    assert longer.columns.pts_seconds.tolist() == pytest.approx(np.arange(8) / 10, abs=1e-6)
    assert not longer.columns.face_found[6:].any()


def test_the_face_with_most_frames_is_taken(tmp_path: Path) -> None:
    several_faces(tmp_path, HEADER, [(1, 0, 1), (1, 1, 1), (2, 0, 0), (2, 1, 1), (3, 1, 1)])
    output = openface.read_folder(tmp_path)
    assert output.face == 1
    assert "face 0 in 1 frames, face 1 in 3 frames): took face 1" in output.warnings[0]
    assert list(output.images()) == [image(tmp_path, frame, 1).read_bytes() for frame in (1, 2, 3)]


def test_the_largest_face_over_time_is_taken_where_sizes_are_known(tmp_path: Path) -> None:
    """Face 0: 3 frames of 2.0 are 6; face 1: 4 frames of 1.0 are 4."""
    rows = [(frame, face, 1, 2.0 - face) for frame in (1, 2, 3, 4) for face in (0, 1) if (frame, face) != (4, 0)]
    several_faces(tmp_path, [*HEADER, "p_scale"], rows)
    assert openface.read_folder(tmp_path).face == 0


def test_landmarks_give_the_size_and_their_case_is_kept(tmp_path: Path) -> None:
    """Face 1 is 67 px wide, face 0 only 6.7 px; the capital X_ columns say the opposite and are something else."""
    header = [*HEADER, *(f"x_{point}" for point in range(68)), *(f"X_{point}" for point in range(68))]
    rows = []
    for frame in (1, 2):
        for face in (0, 1):
            wide, narrow = [float(point) for point in range(68)], [point / 10 for point in range(68)]
            rows.append((frame, face, 1, *(wide + narrow if face else narrow + wide)))
    several_faces(tmp_path, header, rows)
    assert openface.read_folder(tmp_path).face == 1


def test_a_face_can_be_asked_for(tmp_path: Path) -> None:
    several_faces(tmp_path, HEADER, [(1, 0, 1), (1, 1, 1), (2, 1, 1)])
    output = openface.read_folder(tmp_path, face=0)
    assert (output.face, output.columns.face_found.tolist()) == (0, [True, False])
    with pytest.raises(InputError, match="no face 7; found: face 0 in 1 frames, face 1 in 2 frames"):
        openface.read_folder(tmp_path, face=7)


def test_the_digest_depends_on_the_csv_and_on_every_image(tmp_path: Path) -> None:
    digests = []
    write_output(tmp_path)
    digests.append(openface.read_folder(tmp_path).source_digest)
    assert openface.read_folder(tmp_path).source_digest == digests[0]
    write_image(image(tmp_path, 2), 90)
    digests.append(openface.read_folder(tmp_path).source_digest)
    replace_line(tmp_path, 2, "2, 0, 0.100, 0.97, 1")
    digests.append(openface.read_folder(tmp_path).source_digest)
    assert len(set(digests)) == 3


def test_small_or_masked_images_are_accepted_with_a_warning(tmp_path: Path) -> None:
    write_output(tmp_path, size=112)
    assert "112 px wide, not 224. Better" in openface.read_folder(tmp_path).warnings[0]
    mask = np.zeros((112, 112, 3), np.uint8)
    cv2.circle(mask, (56, 56), 50, (255, 255, 255), -1)
    for frame in range(1, 7):
        path = str(image(tmp_path, frame))
        cv2.imwrite(path, cv2.bitwise_and(np.full_like(mask, 90 + frame), mask))
    warning = openface.read_folder(tmp_path).warnings[0]
    assert "112 px wide, not 224 and masked (black outside the face)" in warning
    assert "-simalign -simsize 224 -nomask -format_aligned png" in warning


REAL = [
    # folder, frames, frames with a face, width, warnings
    ("default_10s_224_nomask_png", 151, 151, 224, 0),
    ("default_10s_112_mask_png", 151, 151, 112, 1),
    ("gap_224_nomask_jpg", 140, 76, 224, 0),
    ("gap_224_nobadaligned_jpg", 140, 76, 224, 0),
    ("all_outputs_10frames", 10, 10, 112, 1),
    ("multi_face_2s_224_nomask_jpg", 60, 58, 224, 1),
]


@pytest.mark.parametrize(("name", "frames", "faces", "width", "warnings"), REAL)
def test_real_output_is_read(shared: Path, name: str, frames: int, faces: int, width: int, warnings: int) -> None:
    output = openface.read_folder(shared / "openface" / name)
    assert len(output) == sum(1 for _ in output.images()) == frames
    assert int(output.columns.face_found.sum()) == faces
    assert (output.width, output.height, len(output.warnings)) == (width, width, warnings)
    assert output.frame_rate in (15.0, 30.0)
    assert (np.diff(output.columns.pts_seconds) > 0).all()


def test_real_masks_are_noticed(shared: Path) -> None:
    (warning,) = openface.read_folder(shared / "openface" / "default_10s_112_mask_png").warnings
    assert "masked" in warning


def test_nobadaligned_marks_the_frames_that_are_black_without_it(shared: Path) -> None:
    black = openface.read_folder(shared / "openface" / "gap_224_nomask_jpg")
    left_out = openface.read_folder(shared / "openface" / "gap_224_nobadaligned_jpg")
    assert (black.columns.face_found == left_out.columns.face_found).all()


def test_a_real_image_folder_needs_a_frame_rate(shared: Path) -> None:
    folder = shared / "openface" / "image_sequence_224_nomask_jpg"
    with pytest.raises(InputError, match="Give frame_rate"):
        openface.read_folder(folder)
    assert openface.read_folder(folder, frame_rate=15.0).columns.pts_seconds[-1] == pytest.approx(29 / 15)


def test_real_output_agrees_with_the_decoded_video(shared: Path) -> None:
    inputs, outputs = shared / "openface" / "inputs", shared / "openface"
    for video, name in (
        ("gap.mp4", "gap_224_nomask_jpg"),
        ("default_10s.wmv", "default_10s_224_nomask_png"),
        ("multi_face_2s.avi", "multi_face_2s_224_nomask_jpg"),
    ):
        frame_count = video_files.count_frames(inputs / video).frame_count
        assert len(openface.read_folder(outputs / name, frame_count=frame_count)) == frame_count


def test_real_output_that_lost_its_end_is_refused(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gap"
    shutil.copytree(shared / "openface" / "gap_224_nomask_jpg", folder, copy_function=shutil.copyfile)
    for path in (folder, folder / "gap_aligned"):
        path.chmod(0o755)
    (folder / "gap_aligned" / "frame_det_00_000140.jpg").unlink()
    with pytest.raises(InputError, match="140 rows and 139 images"):
        openface.read_folder(folder)
