"""A user's OpenFace folder: its mean shape is read wherever it lies in it, and anything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cache.errors import InputError
from cache.openface import model as openface_model
from cache.openface import rows as openface_rows
from cache.openface.model import MEAN_SHAPE


def write_model(folder: Path, numbers: int = 204, header: str = "204\n1\n6\n") -> Path:
    path = folder / MEAN_SHAPE
    path.parent.mkdir(parents=True)
    path.write_text("# a comment\n" + header + "".join(f"{n}.5 \n" for n in range(numbers)), encoding="ascii")
    return path


def test_the_mean_shape_is_all_x_then_all_y_then_all_z(tmp_path: Path) -> None:
    shape = openface_model.read_mean_shape(write_model(tmp_path))
    assert shape.shape == (68, 3)
    assert shape[0].tolist() == [0.5, 68.5, 136.5]
    assert shape[67].tolist() == [67.5, 135.5, 203.5]


def test_what_follows_the_mean_shape_is_not_read(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    with path.open("a", encoding="ascii") as file:
        file.write("# The principal components\n204\n34\n6\n0.1 0.2 nonsense\n")
    assert openface_model.read_mean_shape(path)[67, 2] == 203.5


@pytest.mark.parametrize(
    ("numbers", "header", "told"),
    [(204, "136\n1\n6\n", "136 x 1, expected 204 x 1"), (203, "204\n1\n6\n", "203 numbers"), (0, "", "none x none")],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, numbers: int, header: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        openface_model.read_mean_shape(write_model(tmp_path, numbers, header))


def test_words_among_the_numbers_are_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    path.write_text(path.read_text("ascii").replace("7.5 ", "seven ", 1), "ascii")
    with pytest.raises(InputError, match="something else than numbers"):
        openface_model.read_mean_shape(path)


@pytest.mark.parametrize("inner", ["", "bin", "build/bin", "lib/local/LandmarkDetector"])
def test_it_is_found_where_openface_is_built_and_where_its_source_lies(tmp_path: Path, inner: str) -> None:
    path = write_model(tmp_path / inner)
    assert openface_model.find_mean_shape(str(tmp_path)) == path


def test_a_folder_given_is_the_only_one_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_model(tmp_path / "of_variable")
    monkeypatch.setenv("OPENFACE", str(tmp_path / "of_variable"))
    assert openface_model.find_mean_shape(None) == path
    with pytest.raises(InputError, match="given holds no"):
        openface_model.find_mean_shape(str(tmp_path / "given"))


def test_no_folder_at_all_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENFACE", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"no OpenFace folder is known.*align\.openface_folder.*OPENFACE"):
        openface_model.find_mean_shape(None)


def test_a_build_folder_gives_both_the_command_and_the_mean_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "bin")
    command = tmp_path / "bin/FeatureExtraction"
    command.touch(mode=0o755)
    monkeypatch.setenv("OPENFACE", str(tmp_path))
    assert openface_model.find_command(None) == command
    assert openface_model.find_mean_shape(None) == path


def test_a_command_that_is_nowhere_is_told_by_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENFACE", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"is not on PATH, and neither align\.openface_folder nor OPENFACE names a"):
        openface_model.find_command(None)
    with pytest.raises(InputError, match=f"is not in {tmp_path}, nor in bin or build/bin there"):
        openface_model.find_command(str(tmp_path))


def test_a_real_mean_face_stands_upright_and_is_centred(shared: Path) -> None:
    shape = openface_model.read_mean_shape(openface_model.find_mean_shape(str(shared / "openface")))
    assert np.abs(shape.mean(axis=0)).max() < 0.001
    assert shape[8, 1] > shape[27, 1]  # the chin lies below the bridge of the nose
    assert shape[36:42, 0].mean() < 0 < shape[42:48, 0].mean()


def test_real_landmarks_lie_in_the_frame(shared: Path) -> None:
    rows, points = openface_rows.read_landmarks(shared / "openface/default_10s_224_nomask_png/default_10s.csv")
    assert points.shape == (151, 68, 2)
    assert (points[rows.success] > 0).all()
    assert (points[rows.success] < (640, 480)).all()
