"""The strict reader: nothing unknown, nothing of the wrong type, and every message says what to write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from stages.shell import params


@dataclass(frozen=True)
class Sample:
    learning_rate: float
    epochs: int
    head: Literal["decoupled", "coupled"]
    widths: tuple[int, ...]
    weights: str
    shuffle: bool = True
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, found {self.epochs}")


@dataclass(frozen=True)
class Maps:
    class_maps: dict[str, tuple[str, ...]]


GOOD = "train:\n  learning_rate: 1.0e-3\n  epochs: 3\n  head: coupled\n  widths: [1, 2]\n  weights: random\n"
GOOD += "  shuffle: true\n  seed: null\n"


def write(folder: Path, text: str, name: str = "params.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_section_becomes_its_dataclass(tmp_path: Path) -> None:
    found = params.read(write(tmp_path, GOOD), "train", Sample)
    assert found == Sample(0.001, 3, "coupled", (1, 2), "random")


@pytest.mark.parametrize(
    ("line", "instead", "expected"),
    [
        ("epochs: 3", "epoch: 3", "unknown key 'epoch'. Did you mean 'epochs'?"),
        ("learning_rate: 1.0e-3", "learning_rate: 1e-3", "YAML reads 1e-3 as a text; write 0.001"),
        ("epochs: 3", "epochs: 3.5", "expected a whole number, found 3.5"),
        ("epochs: 3", "epochs: 1e1", "expected a whole number, found '1e1'. YAML reads 1e1 as a text; write 10"),
        ("epochs: 3", "epochs: 10.0", "expected a whole number, found 10.0; write 10"),
        ("epochs: 3", 'epochs: "3"', "expected a whole number, found '3'. Remove the quotes"),
        ("shuffle: true", "shuffle: nope", "expected true or false, found 'nope'"),
        (
            "seed: null",
            "seed: 1e2",
            "expected a whole number or null, found '1e2'. YAML reads 1e2 as a text; write 100",
        ),
        ("epochs: 3", "epochs: true", "expected a whole number, found True"),
        ("epochs: 3", "epochs: 0", "epochs must be at least 1, found 0"),
        ("head: coupled", "head: couple", "Did you mean 'coupled'?"),
        ("weights: random", "weights: no", "put the word in quotes"),
        ("widths: [1, 2]", "widths: [1, x]", "widths[1]: expected a whole number, found 'x'"),
        ("  epochs: 3\n", "", "missing epochs"),
    ],
)
def test_a_wrong_value_is_refused_with_its_remedy(tmp_path: Path, line: str, instead: str, expected: str) -> None:
    path = write(tmp_path, GOOD.replace(line, instead))
    with pytest.raises(params.ParameterError) as caught:
        params.read(path, "train", Sample)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    assert "write 10.0" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("head: couple", "train.head: 'couple'. Did you mean 'coupled'?"),
        ("epochs: 1e1", "train.epochs: expected a whole number, found '1e1'. YAML reads 1e1 as a text; write 10"),
        ("widths: [1, x]", "train.widths[1]: expected a whole number, found 'x'"),
        ("epochs: 0", "train: epochs must be at least 1, found 0"),
    ],
)
def test_a_wrong_override_is_told_of_the_file_that_holds_it(tmp_path: Path, override: str, expected: str) -> None:
    path = write(tmp_path, GOOD)
    corpus = write(tmp_path, f"overrides:\n  train: {{{override}}}\n", "mine.yaml")
    with pytest.raises(params.ParameterError) as caught:
        params.read(path, "train", Sample, corpus)
    assert str(caught.value).startswith(f"{corpus}: overrides.{expected}")
    assert str(path) not in str(caught.value)


def test_a_wrong_value_beside_an_override_is_told_of_its_own_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("epochs: 3", "epochs: 0"))
    corpus = write(tmp_path, "overrides:\n  train: {head: coupled, seed: 4}\n", "mine.yaml")
    with pytest.raises(params.ParameterError) as caught:
        params.read(path, "train", Sample, corpus)
    assert str(caught.value) == f"{path}: train: epochs must be at least 1, found 0"


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("configs/params.yaml: train", "as configs/params.yaml of the repository does"),
        ("configs/corpora/mine.yaml: facts", "as another file of configs/corpora/ of the repository does"),
    ],
)
def test_a_missing_key_is_told_with_the_files_that_show_it(where: str, shown: str) -> None:
    with pytest.raises(params.ParameterError) as caught:
        params.build({"epochs": 3, "head": "coupled", "widths": [1], "weights": "x"}, Sample, where)
    assert str(caught.value) == f"{where}: missing learning_rate. Write it there, {shown}"


def test_a_value_where_keys_are_expected_is_told_so() -> None:
    with pytest.raises(params.ParameterError) as caught:
        params.build({"class_maps": ["joy"]}, Maps, "mine.yaml: facts")
    assert str(caught.value) == (
        "mine.yaml: facts.class_maps: expected `key: value` lines, each value a list, each a text, found ['joy']"
    )


def test_a_corpus_override_wins_and_is_said_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write(tmp_path, "overrides:\n  train: {epochs: 9}\n", "corpus.yaml")
    assert params.read(write(tmp_path, GOOD), "train", Sample, corpus).epochs == 9
    assert "epochs = 9" in capsys.readouterr().err


def test_an_override_of_an_unknown_key_is_refused(tmp_path: Path) -> None:
    corpus = write(tmp_path, "overrides:\n  train: {epoch: 9}\n", "corpus.yaml")
    with pytest.raises(params.ParameterError, match="Did you mean 'epochs'"):
        params.read(write(tmp_path, GOOD), "train", Sample, corpus)


def test_a_missing_section_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(params.ParameterError, match="Did you mean 'train'"):
        params.read(write(tmp_path, GOOD), "trian", Sample)


def test_one_section_splits_over_the_parts_of_the_code(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Other:
        momentum: float

    path = write(tmp_path, GOOD + "  momentum: 1\n")
    globals()["Other"] = Other
    sample, other = params.read_parts(path, "train", (Sample, Other))
    assert sample.epochs == 3
    assert other == Other(1.0)
