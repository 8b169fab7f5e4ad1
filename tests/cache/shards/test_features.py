"""Features are read only when they are whole, finite and made from what is asked for."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from cache import checked, files
from cache.columns import FrameColumns
from cache.errors import InputError, ShardError, StaleShardError
from cache.shards import features, frames, manifest
from cache.shards.frames import Frame
from cache.shards.untrusted import UntrustedShard

ROOT = Path(__file__).resolve().parents[3]


def columns(frame_count: int = 3) -> FrameColumns:
    label = np.arange(frame_count)
    return FrameColumns(label / 30, label, np.ones(frame_count, bool), np.ones(frame_count, np.float32))


def values(frame_count: int = 3) -> NDArray[np.float16]:
    return np.arange(frame_count * 4, dtype=np.float16).reshape(frame_count, 4)


def write(path: Path, layer: str = "avgpool") -> None:
    features.write(path, values(), columns(), "key", layer)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Return the path of a shard of three frames."""
    write(tmp_path / "v.h5")
    return tmp_path / "v.h5"


def test_features_come_back_bit_for_bit_and_may_be_changed_in_memory(shard: Path) -> None:
    found = features.read(shard, "key")
    assert found.features.dtype == np.float16
    np.testing.assert_array_equal(found.features, values())
    np.testing.assert_array_equal(found.columns.pts_seconds, columns().pts_seconds)
    assert (found.key, found.layer) == ("key", "avgpool")
    assert found.features.flags.writeable  # torch.from_numpy warns otherwise
    assert found.features.flags.aligned


def test_the_smallest_and_the_largest_float16_survive(tmp_path: Path) -> None:
    extremes = np.array([[0, -0.0, 2**-24, 65504]], np.float16)
    features.write(tmp_path / "v.h5", extremes, columns(1), "key", "avgpool")
    found = features.read(tmp_path / "v.h5").features
    np.testing.assert_array_equal(found.view(np.uint16), [[0, 0x8000, 1, 0x7BFF]])


def test_rows_that_lie_apart_in_memory_are_stored_together(tmp_path: Path) -> None:
    apart = np.asfortranarray(values(6))[::2]
    features.write(tmp_path / "v.h5", apart, columns(3), "key", "avgpool")
    np.testing.assert_array_equal(features.read(tmp_path / "v.h5").features, apart)


def test_the_same_input_gives_the_same_bytes_in_another_process(shard: Path) -> None:
    program = """
        import runpy, pathlib, sys
        runpy.run_path(sys.argv[1])["write"](pathlib.Path(sys.argv[2]))
    """
    other = shard.with_name("other.h5")
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), __file__, other], check=True, cwd=ROOT)
    assert other.read_bytes() == shard.read_bytes()


def test_another_key_is_stale_and_says_what_to_run(shard: Path) -> None:
    with pytest.raises(StaleShardError, match=r"v\.h5 was made with key key, but new is asked for.*extract@CORPUS"):
        features.read(shard, "new")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1])
def test_a_value_that_no_encoder_gives_is_refused_when_written_and_when_read(shard: Path, value: float) -> None:
    bad = values()
    bad[1, 2] = value
    expected = f"the feature at position 1, channel 2 is {bad[1, 2]}, expected finite and not negative"
    with pytest.raises(InputError, match=expected):
        features.write(shard, bad, columns(), "key", "avgpool")
    with h5py.File(shard, "r+") as file:
        file["features"][1, 2] = value
    with pytest.raises(ShardError, match=expected):
        features.read(shard)


def test_features_of_another_layer_may_be_negative_but_not_infinite(tmp_path: Path) -> None:
    path = tmp_path / "v.h5"
    features.write(path, -values(), columns(), "key", "i3d")
    np.testing.assert_array_equal(features.read(path).features, -values())
    with pytest.raises(InputError, match="is inf, expected finite"):
        features.write(path, values() + np.float16(np.inf), columns(), "key", "i3d")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (values().astype(np.float32), r"\(3, 4\) of float32, expected \(T, C\) of float16"),
        (values()[0], r"shape \(4,\)"),
        (values()[:, :0], r"shape \(3, 0\)"),
        (values(4), "4 features for 3 frames"),
    ],
)
def test_another_type_shape_or_length_is_refused(tmp_path: Path, given: NDArray[np.float16], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        features.write(tmp_path / "v.h5", given, columns(), "key", "avgpool")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_shard_of_another_width_is_read_and_one_of_another_length_refused(shard: Path) -> None:
    for shape, refused in (((3, 9), False), ((2, 4), True)):
        with h5py.File(shard, "r+") as file:
            del file["features"]
            file["features"] = np.zeros(shape, np.float16)
        if refused:
            with pytest.raises(ShardError, match=r"datasets of \[2, 3\] frames"):
                features.read(shard)
        else:
            assert features.read(shard).features.shape == shape


def test_a_sparse_file_that_seems_to_hold_a_terabyte_is_not_loaded(shard: Path) -> None:
    rows = 1 << 38
    with h5py.File(shard, "r+") as file:
        del file["features"]
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        for name, kind, shape in (
            ("features", h5py.h5t.IEEE_F16LE, (rows, 4)),
            ("pts_seconds", h5py.h5t.IEEE_F64LE, (rows,)),
            ("frame_label", h5py.h5t.STD_I64LE, (rows,)),
            ("face_confidence", h5py.h5t.IEEE_F32LE, (rows,)),
            ("face_found", h5py.h5t.STD_U8LE, (rows,)),
        ):
            if name in file:
                del file[name]
            h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), creation)
    with pytest.raises(ShardError, match=r"found [0-9]+ bytes, expected at most 5368709120"):
        features.read(shard)


def test_frames_are_no_features(tmp_path: Path) -> None:
    image = frames.encode_image(np.zeros((4, 4, 3), np.uint8), None)
    frames.write(tmp_path / "v.h5", [Frame(image, 0, 0, False, 0)], "key", "demo")
    with pytest.raises(ShardError, match=r"6 links, expected exactly .*features"):
        features.read(tmp_path / "v.h5")


def rewrite_in_place(path: Path, content: bytes) -> None:
    """Write other bytes into a file, and set its time back, so that only its time of change tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_was_checked_is_what_is_returned_whatever_is_written_into_the_file_meanwhile(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256, parse = files.sha256_of(shard), UntrustedShard._read_layout
    other = shard.with_name("other.h5")
    features.write(other, values() + np.float16(1), columns(), "key", "avgpool")

    def after_another_wrote(opened: UntrustedShard) -> Any:
        rewrite_in_place(shard, other.read_bytes())
        return parse(opened)

    monkeypatch.setattr(UntrustedShard, "_read_layout", after_another_wrote)
    np.testing.assert_array_equal(features.read(shard, "key", sha256).features, values())


def test_a_file_that_is_rewritten_all_the_time_is_refused_or_read_as_it_was(shard: Path) -> None:
    other = shard.with_name("other.h5")
    features.write(other, values() + np.float16(1), columns(), "key", "avgpool")
    contents, sha256, is_over = (shard.read_bytes(), other.read_bytes()), files.sha256_of(shard), threading.Event()

    def rewrite() -> None:
        while not is_over.is_set():
            for content in contents:
                rewrite_in_place(shard, content)

    writer, known = threading.Thread(target=rewrite), checked.read(None, shard.parent)
    writer.start()
    try:
        for _ in range(60):
            with contextlib.suppress(ShardError):
                np.testing.assert_array_equal(features.read(shard, "key", sha256, known=known).features, values())
    finally:
        is_over.set()
        writer.join()


def test_a_shard_is_hashed_again_only_when_it_changed(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256, place = files.sha256_of(shard), shard.with_name("checked.json")
    known = checked.read(place, shard.parent)
    features.read(shard, "key", sha256, known=known)
    known.save()
    entry = manifest.describe(shard.parent, shard, 3, "key")

    def refuse(*_: object) -> None:
        raise AssertionError("was hashed")

    monkeypatch.setattr(UntrustedShard, "_sha256", refuse)
    known = checked.read(place, shard.parent)
    np.testing.assert_array_equal(features.read(shard, "key", sha256, known=known).features, values())
    assert features.is_current(shard, "key", entry, known)
    for why in (lambda: features.is_current(shard, "key", replace(entry, sha256="0" * 64), known),
                lambda: features.read(shard, "key", "0" * 64, known=known),
                lambda: features.read(shard, "key", sha256)):  # fmt: skip
        with pytest.raises(AssertionError, match="was hashed"):
            why()
    assert not features.is_current(shard, "other", entry, known)
    rewrite_in_place(shard, shard.read_bytes())
    with pytest.raises(AssertionError, match="was hashed"):
        features.is_current(shard, "key", entry, known)


def test_only_what_is_whole_and_of_this_key_is_current(shard: Path) -> None:
    entry = manifest.describe(shard.parent, shard, 3, "key")
    assert features.is_current(shard, "key", entry)
    assert not features.is_current(shard, "key", None)
    assert not features.is_current(shard, "other", replace(entry, key="other"))
    assert not features.is_current(shard.with_name("absent.h5"), "key", entry)
    flipped = bytearray(shard.read_bytes())
    flipped[-1] ^= 1
    shard.write_bytes(flipped)
    assert not features.is_current(shard, "key", entry)


def test_the_manifest_digest_protects_a_read(shard: Path) -> None:
    entry = manifest.describe(shard.parent, shard, 3, "key")
    features.read(shard, "key", entry.sha256)
    with h5py.File(shard, "r+") as file:
        file["features"][0, 0] = 1  # as sound as any other value
    features.read(shard, "key")
    with pytest.raises(ShardError, match="as the manifest says"):
        features.read(shard, "key", entry.sha256)


def test_each_field_changes_the_key() -> None:
    fields: dict[str, Any] = {
        "frames_digest": "a", "encoder_digest": "b", "layer": "avgpool", "image_size": 224,
        "normalisation": "imagenet", "storage_dtype": "float16", "precision": "float32", "code_version": 1,
    }  # fmt: skip
    key = features.feature_key(**fields)
    changed = [features.feature_key(**(fields | {name: 2 * value})) for name, value in fields.items()]
    assert len({key, *changed}) == 9
    # The SHA-256 of this on one line, by `printf %s ... | sha256sum`:
    # {"code_version":1,"encoder_digest":"b","frames_digest":"a","image_size":224,"layer":"avgpool",
    # "normalisation":"imagenet","precision":"float32","storage_dtype":"float16"}
    assert key == "dc8952003ee1038f19ea22b6a61db048dc860d9e7738d5e1c64996f6432ebfff"
