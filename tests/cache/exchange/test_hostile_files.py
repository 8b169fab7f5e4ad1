"""Files that somebody damaged on the way: they are read, or refused in words, and nothing else happens."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.corpora.rows import Problems
from cache.errors import InputError
from cache.exchange import returned
from cache.exchange.tiers import Exported, TierInterval
from stages.results import formats
from tests.cache.exchange.invented import CLASSES, columns_of, video_of

TRUTH = [TierInterval(3, 9, "surprise"), TierInterval(5, 12, "happiness", "micro")]
FOUND = [TierInterval(20, 30, "happiness", confidence=0.5)]
PLAIN = [*TRUTH, TierInterval(20, 30, "happiness")]
VIDEO = video_of(columns_of([n / 30 for n in range(40)]), truth=TRUTH, detections=FOUND, corrections=PLAIN)
WORDS = {name: name for name in CLASSES}
ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}))


def content_of(name: str) -> bytes:
    [(_, content), *_] = formats.WRITERS[name]([VIDEO], Exported("mine", CLASSES, Path()))
    return content


def take(name: str, content: bytes) -> None:
    """Take a file; whatever it is, an `InputError` is all that may come of it."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "v1"
        path.write_bytes(content)
        try:
            problems = Problems("v1")
            for one in formats.READERS[name](path):
                video = returned.find_video(one, {"v1": VIDEO}, {}, "mine")
                returned.settle(one, video, "corrections", WORDS, True, problems)
            problems.stop()
        except InputError:
            pass


@pytest.mark.parametrize("name", formats.READERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_bytes_that_were_changed_cut_or_doubled(name: str, data: st.DataObject) -> None:
    content = content_of(name)
    place, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 40))
    take(name, content[:place] + data.draw(st.binary(max_size=8)) + content[place + length :])


def test_an_elan_file_with_a_prefix_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    content = content_of("elan")
    assert b"xmlns:xsi=" in content
    path = tmp_path / "v1.eaf"
    path.write_bytes(content.replace(b"xmlns:xsi=", b"xmlns:other="))
    with pytest.raises(InputError, match="is no XML"):
        formats.READERS["elan"](path)


@pytest.mark.parametrize("name", ["boris", "labelstudio"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_values_of_another_type(name: str, data: st.DataObject) -> None:
    document: Any = json.loads(content_of(name))
    here = document
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        inner = here[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 5)) == 0:
            here[key] = data.draw(ODD)
            break
        here = inner
    take(name, json.dumps(document).encode())
