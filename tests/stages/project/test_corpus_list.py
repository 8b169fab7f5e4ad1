"""A corpus is added to the list in params.yaml, and not one other character of the file changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.project import corpus_list
from stages.shell.params import ParameterError

ROOT = Path(__file__).resolve().parents[3]
PATH = Path("params.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("corpora: [demo]  # ours\nx: 1\n", "corpora: [demo, mine]  # ours\nx: 1\n"),
        ("corpora: []\n", "corpora: [mine]\n"),
        ("corpora: [ demo, ]\n", "corpora: [ demo, mine, ]\n"),
        ("corpora: [demo,\n  samm_lv  # long\n  ]\n", "corpora: [demo,\n  samm_lv, mine  # long\n  ]\n"),
        ("corpora:\n- demo  # drawn\nx: 1\n", "corpora:\n- demo  # drawn\n- mine\nx: 1\n"),
        ("corpora:\n  - demo\n  # the last\n  - casme2", "corpora:\n  - demo\n  # the last\n  - casme2\n  - mine"),
        ("a: 1\r\ncorpora:\r\n  - demo\r\nb: 2\r\n", "a: 1\r\ncorpora:\r\n  - demo\r\n  - mine\r\nb: 2\r\n"),
    ],
)
def test_a_name_is_added_where_a_reader_would_write_it(before: str, after: str) -> None:
    assert corpus_list.with_name(before, "mine", PATH) == after


def test_the_file_of_the_repository_keeps_every_other_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    before = (ROOT / "configs/params.yaml").read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")
    corpus_list.add(path, "mine")
    assert path.read_text(encoding="utf-8") == before.replace("corpora: [demo]\n", "corpora: [demo, mine]\n")
    assert corpus_list.read(path) == ["demo", "mine"]


@pytest.mark.parametrize("text", ["x: 1\n", "corpora:\nx: 1\n", "a: &a [demo]\ncorpora: *a\n", "corpora: demo\n"])
def test_a_list_that_is_written_otherwise_is_left_to_people(text: str) -> None:
    with pytest.raises(ParameterError, match=r"params.yaml: the list corpora .* Add mine to it yourself"):
        corpus_list.with_name(text, "mine", PATH)
