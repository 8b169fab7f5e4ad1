"""`docs/shard-format.md` is true: its examples run as they stand, and readers of other versions do what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cache import own_digest
from cache.corpora import rows
from cache.errors import InputError, ShardError
from cache.fingerprints import fingerprint, stated_frames
from cache.labelled import ferplus
from cache.media import images, jpeg
from cache.shards import features, manifest, shard_entry, untrusted
from cache.sharing import archive, integrity, pseudonyms
from cache.sharing.integrity import Beside
from cache.tables import schema, streams
from cache.weights import tensors
from tests.cache.sharing import invented

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = (ROOT / "docs/shard-format.md").read_text(encoding="utf-8")
OWN_DIGEST, PLAIN, OURS, PSEUDONYM = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return features where the document has them."""
    monkeypatch.chdir(tmp_path)
    return invented.write_corpus(Path("data/demo"), ["p01_1", "p01_2"])


def line_count(program: str) -> int:
    return len([line for line in program.splitlines() if line])


def run(program: str, after: str) -> None:
    subprocess.run([sys.executable, "-c", program + after], check=True, env={"PYTHONPATH": str(ROOT)})


def test_five_lines_of_h5py_and_numpy_read_features(folder: Path) -> None:
    assert line_count(PLAIN) == 5
    assert set(re.findall(r"^(?:import|from) (.*)", PLAIN, re.MULTILINE)) == {"h5py, numpy as np"}
    run(PLAIN, "np.save('found.npy', features)")
    expected = features.read(folder / "p01_1.h5").features.astype(np.float32)
    expected[2] = np.nan
    np.testing.assert_array_equal(np.load("found.npy"), expected)


def test_two_lines_of_ours_read_them_checked(folder: Path) -> None:
    assert line_count(OURS) == 2
    run(OURS, "import numpy as np; np.save('found.npy', shard.features); assert len(shard.columns) == 6")
    np.testing.assert_array_equal(np.load("found.npy"), features.read(folder / "p01_1.h5").features)
    invented.flip(folder / "p01_1.h5")
    with pytest.raises(ShardError, match="as the manifest says"):
        features.of_video(folder, "p01_1")
    with pytest.raises(InputError, match="states no features of p09_1"):
        features.of_video(folder, "p09_1")


def test_three_lines_give_a_pseudonym_by_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names, _ = pseudonyms.read_or_make_key(Path("demo.tar.key"))
    run(PSEUDONYM, f"assert pseudonym == {names.video('p01_1')!r}")


def test_lines_of_plain_python_check_a_files_own_digest(folder: Path) -> None:
    run(OWN_DIGEST, "")
    invented.flip(Path("data/demo/videos.parquet"))
    with pytest.raises(subprocess.CalledProcessError):
        run(OWN_DIGEST, "")


def limits(name: str) -> list[int]:
    """Return the whole numbers that the table of limits states of a file, powers of 2 too."""
    [row] = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {name} |")]
    told = re.sub(r"(?<=\d) (?=\d{3})", "", row.split("|")[2])
    units = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "MB": 10**6}
    found = re.findall(r"(?:(\d+)\^)?(\d+)(?: (KiB|MiB|GiB|MB))?", told)
    return [(int(base) ** int(number) if base else int(number)) * units.get(unit, 1) for base, number, unit in found]


def test_the_limits_of_the_document_are_those_of_the_code() -> None:
    assert limits("a shard") == [
        untrusted.MAXIMUM_LOADED_BYTES, untrusted.MAXIMUM_WHOLE_BYTES, shard_entry.MAXIMUM_BYTES
    ]  # fmt: skip
    assert limits("a manifest") == [manifest.MAXIMUM_BYTES]
    assert limits("an image") == [images.MAXIMUM_SIDE, jpeg.MAXIMUM_SCANS]
    assert limits("a table of the stages") == [schema.MAX_ROWS, schema.LEAST_BYTES_A_ROW, schema.MAX_TEXT_BYTES]
    assert limits("a table to be scored, of anybody") == [
        schema.MAX_TEXT_BYTES, streams.LARGE_PAGE_BYTES, streams.MANY_ROWS, streams.LEAST_BYTES_A_ROW
    ]  # fmt: skip
    assert limits("a label file") == [rows.MOST_ROWS, schema.MAX_LINE]
    assert limits("weights") == [
        tensors.MAXIMUM_BYTES, tensors.MAXIMUM_HEADER_BYTES, tensors.MAXIMUM_CARD_CHARACTERS
    ]  # fmt: skip
    assert limits("FER+'s index of mosaics") == [ferplus.MOST_INDEX_BYTES]
    both = "`configs/fingerprints/<corpus>.json`, `configs/frames/<corpus>.json`"
    assert limits(both) == [fingerprint.MAXIMUM_BYTES, stated_frames.MAXIMUM_BYTES]
    assert limits("an archive") == [
        archive.MAXIMUM_TITLE_BYTES, archive.MAXIMUM_DIGESTS_BYTES, archive.MAXIMUM_TABLE_BYTES,
        archive.MAXIMUM_SHARD_BYTES,
    ]  # fmt: skip


def test_a_reader_that_looks_at_the_format_stops_at_a_later_one(folder: Path) -> None:
    with h5py.File(folder / "p01_1.h5", "r+") as file:
        file.attrs.modify("format", np.int64(2))
    with pytest.raises(subprocess.CalledProcessError):
        run(PLAIN, "")


def add_attribute(file: Any) -> None:
    file.attrs["also"] = np.int64(1)


def add_dataset(file: Any) -> None:
    file["also"] = np.zeros(6)


def raise_format(file: Any) -> None:
    file.attrs.modify("format", np.int64(2))


@pytest.mark.parametrize("change", [add_attribute, add_dataset, raise_format])
def test_a_shard_of_another_version_is_refused_and_the_others_are_read(folder: Path, change: Any) -> None:
    with h5py.File(folder / "p01_1.h5", "r+") as file:
        change(file)
    invented.restate(folder, "p01_1")
    faults = integrity.verify(folder, Beside(), lambda _: None)
    assert [(fault.video, fault.problem) for fault in faults] == [("p01_1", "damaged")]


def test_a_manifest_of_another_version_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    stored = json.loads(path.read_text()) | {"format": 2}
    stored["run"]["own_digest"] = own_digest.BLANK
    path.write_text(own_digest.filled(json.dumps(stored, sort_keys=True)))
    with pytest.raises(ShardError, match="format 2 and kind 'features', expected 1"):
        integrity.verify(folder, Beside(), lambda _: None)


def test_a_fact_that_nobody_knows_is_passed_over(folder: Path) -> None:
    held = manifest.read(folder)
    manifest.write(folder, replace(held, run={**held.run, "invented_later": [1, 2]}))
    assert integrity.verify(folder, Beside(), lambda _: None) == []


def test_a_manifest_without_the_fields_of_its_keys_is_taken(folder: Path) -> None:
    held = manifest.read(folder)
    earlier = {name: value for name, value in held.run.items() if name != "key_fields"}
    manifest.write(folder, replace(held, run=earlier))
    compared = integrity.beside(Path("data/demo/frames"), Path("data/demo/videos.parquet"))
    assert integrity.verify(folder, compared, lambda _: None) == []
