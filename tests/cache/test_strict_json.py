"""JSON from anybody: a key twice, lists without end and millions of values are refused before they cost memory."""

from __future__ import annotations

import json

import pytest

from cache import strict_json


def test_what_json_writes_is_read_as_json_reads_it() -> None:
    content = {"a": [1, 2.5, None, True, {"a": "ä, [{"}], "b": {}}
    assert strict_json.parse(json.dumps(content)) == content
    assert strict_json.parse(json.dumps(content, ensure_ascii=False).encode()) == content


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "b": {"c": 1, "d": 2, "c": 3}}', "the key 'c' stands twice in one object"),
        ("[" * 200_000, "it is nested too deeply"),
        ('{"":' * 200_000, "it is nested too deeply"),
        ("[" + ",".join(["[]"] * 1_000_000) + "]", "it has more than 625000 values"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": -Infinity}', "-Infinity is no JSON"),
        ('{"a": ' + "1" * 5000 + "}", "Exceeds the limit"),
        ("{", "Expecting property name"),
        (b'"\xff"', "can't decode byte"),
    ],
)
def test_what_no_program_of_ours_writes_is_refused(text: str | bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        strict_json.parse(text)


def test_many_numbers_in_a_file_of_their_size_are_read() -> None:
    numbers = list(range(400_000))
    assert strict_json.parse(json.dumps(numbers)) == numbers


def test_true_is_no_version_of_a_format() -> None:
    assert strict_json.is_format(1, 1)
    assert not any(strict_json.is_format(other, 1) for other in (True, 1.0, "1", None, 2))
