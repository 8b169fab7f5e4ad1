"""Aligned frames come back as they came, and a damaged one is named."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from cache import checked, files
from cache.errors import InputError, ShardError, StaleShardError
from cache.shards import frames, manifest
from cache.shards.frames import Frame

ROOT = Path(__file__).resolve().parents[3]


def image(seed: int, height: int = 8, width: int = 6) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def some_frames(count: int = 4) -> list[Frame]:
    return [
        Frame(frames.encode_image(image(position), None), position / 30, 2 * position + 1, position != 1, 0.5)
        for position in range(count)
    ]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Return the path of a shard of four frames."""
    frames.write(tmp_path / "v.h5", some_frames(), "key", "demo")
    return tmp_path / "v.h5"


def test_frames_come_back_as_they_came(shard: Path) -> None:
    with frames.open(shard, key="key", sha256=files.sha256_of(shard), verify=True) as opened:
        assert len(opened) == 4
        assert (opened.key, opened.source, opened.image_size) == ("key", "demo", (8, 6))
        assert [opened.read(position) for position in range(4)] == [frame.image for frame in some_frames()]
        np.testing.assert_array_equal(opened.decode(1, 3), [image(1), image(2)])
        assert opened.decode(2, 2).shape == (0, 8, 6, 3)
        np.testing.assert_array_equal(opened.columns.frame_label, [1, 3, 5, 7])
        np.testing.assert_array_equal(opened.columns.face_found, [True, False, True, True])
        np.testing.assert_array_equal(opened.columns.pts_seconds, np.arange(4) / 30)
        np.testing.assert_array_equal(opened.columns.face_confidence, np.full(4, 0.5, np.float32))


def test_times_that_are_known_at_the_end_only_give_the_same_bytes(shard: Path, tmp_path: Path) -> None:
    seen: list[int] = []

    def play() -> Iterator[Frame]:
        for position, frame in enumerate(some_frames()):
            yield frame._replace(pts_seconds=frames.UNTOLD)
            seen.append(position)

    def seconds() -> NDArray[np.float64]:
        assert seen == [0, 1, 2, 3]  # not asked for before
        return np.arange(4) / 30

    frames.write(tmp_path / "late.h5", play(), "key", "demo", seconds)
    assert (tmp_path / "late.h5").read_bytes() == shard.read_bytes()


def test_times_that_nobody_tells_or_for_other_frames_are_refused(tmp_path: Path) -> None:
    untold = [frame._replace(pts_seconds=frames.UNTOLD) for frame in some_frames()]
    with pytest.raises(InputError, match="pts_seconds is not finite"):
        frames.write(tmp_path / "v.h5", untold, "key", "demo")
    with pytest.raises(InputError, match=r"frame_label has shape|pts_seconds has shape"):
        frames.write(tmp_path / "v.h5", untold, "key", "demo", lambda: np.arange(3) / 30)
    assert not (tmp_path / "v.h5").exists()


def test_red_stays_red_in_every_format(tmp_path: Path) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    bmp = cv2.imencode(".bmp", red[..., ::-1])[1].tobytes()
    for encoded in (frames.encode_image(red, None), frames.encode_image(red, 95), bmp):
        frames.write(tmp_path / "v.h5", [Frame(encoded, 0, 0, True, 1)], "key", "demo")
        with frames.open(tmp_path / "v.h5") as opened:
            assert opened.read(0) == encoded
            np.testing.assert_allclose(opened.decode(0, 1)[0], red, atol=2)


def test_images_and_columns_are_joined_only_when_as_many(shard: Path) -> None:
    images = [frame.image for frame in some_frames()]
    with frames.open(shard) as opened:
        columns = opened.columns
    frames.write(shard.with_name("again.h5"), frames.join(images, columns), "key", "demo")
    assert shard.with_name("again.h5").read_bytes() == shard.read_bytes()
    with pytest.raises(ValueError, match="there are 3 images for 4 frames"):
        list(frames.join(images[:3], columns))
    with pytest.raises(ValueError, match="there are more images than 4 frames"):
        list(frames.join([*images, b""], columns))


def test_the_digest_is_that_of_the_documented_parts(shard: Path) -> None:
    offsets = np.cumsum([0, *(len(frame.image) for frame in some_frames())]).astype("<i8").tobytes()
    parts = [
        offsets,
        struct.pack("<4d", *(position / 30 for position in range(4))),
        struct.pack("<4q", 1, 3, 5, 7),
        struct.pack("<4f", 0.5, 0.5, 0.5, 0.5),
        bytes([1, 0, 1, 1]),
        b"".join(frame.image for frame in some_frames()),
    ]
    expected = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    with frames.open(shard) as opened:
        assert opened.digest == expected


def test_the_digest_depends_on_images_and_columns_but_not_on_key_or_source(tmp_path: Path) -> None:
    def digest(records: list[Frame], key: str = "key", source: str = "demo") -> str:
        frames.write(tmp_path / "v.h5", records, key, source)
        with frames.open(tmp_path / "v.h5") as opened:
            return opened.digest

    first, *rest = some_frames()
    assert digest([first, *rest]) == digest([first, *rest], "other", "elsewhere")
    changed = [
        first._replace(image=rest[0].image),
        first._replace(label=0),
        first._replace(face_found=False),
        first._replace(face_confidence=0.25),
        first._replace(pts_seconds=0.001),
    ]
    assert len({digest([first, *rest]), *(digest([other, *rest]) for other in changed)}) == 6


def test_a_flipped_image_is_found_by_its_digest_when_asked(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        file["bytes"][40] ^= 1
    frames.open(shard).close()
    with pytest.raises(ShardError, match=r"not those of its digest.*Run: dvc repro, or facespan align CORPUS"):
        frames.open(shard, verify=True)


def test_a_damaged_image_is_named_by_its_position(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        start = int(file["offsets"][2])
        file["bytes"][start : start + 4] = 0
    with frames.open(shard) as opened:
        opened.decode(0, 2)
        with pytest.raises(ShardError, match=r"v\.h5: found frame 2 damaged"):
            opened.decode(0, 4)
        with pytest.raises(ShardError, match=r"v\.h5: found frame 2 damaged"):
            opened.decode_grey(2)


def test_an_image_of_another_size_inside_a_foreign_shard_is_refused_before_decoding(tmp_path: Path) -> None:
    frames.write(tmp_path / "v.h5", some_frames(1), "key", "demo")
    with h5py.File(tmp_path / "v.h5", "r+") as file:
        file["bytes"][16:24] = np.frombuffer(struct.pack(">II", 4000, 4000), np.uint8)
    with frames.open(tmp_path / "v.h5") as opened:
        with pytest.raises(ShardError, match=r"\(4000, 4000\) pixels"):
            opened.decode(0, 1)
        with pytest.raises(ShardError, match=r"\(4000, 4000\) pixels"):
            opened.decode_grey(0)


@pytest.mark.parametrize(
    "offsets", [[1, 2, 3, 4, 5], [0, 1, 1, 2, 3], [0, 5, 4, 6, 7], [0, 1, 2, 3, 4], [0, -(2**63), 2**63 - 1, 5, 6]]
)
def test_offsets_that_do_not_cut_the_bytes_are_refused(shard: Path, offsets: list[int]) -> None:
    with h5py.File(shard, "r+") as file:
        file["offsets"][:] = offsets
    with pytest.raises(ShardError, match="offsets that do not cut"):
        frames.open(shard)


def test_another_key_is_stale(shard: Path) -> None:
    with pytest.raises(StaleShardError, match="made with key key, but other is asked for"):
        frames.open(shard, key="other")


def test_positions_outside_are_an_error(shard: Path) -> None:
    with frames.open(shard) as opened:
        for position in (-1, 4):
            with pytest.raises(IndexError, match="frames 0 to 3"):
                opened.read(position)
        for start, stop in ((-1, 2), (0, 5), (3, 2)):
            with pytest.raises(IndexError, match=r"\[0, 4\)"):
                opened.decode(start, stop)


def test_frames_that_are_rewritten_in_place_after_they_were_checked_are_refused(shard: Path) -> None:
    before = shard.stat()
    with frames.open(shard, sha256=files.sha256_of(shard)) as opened:
        opened.decode(0, 1)
        with shard.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"x")
        os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(ShardError, match="found bytes rewritten after it was checked, expected a file that nobody"):
            opened.decode(1, 2)


def test_frames_that_were_checked_are_not_read_again_until_they_change(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, known = manifest.describe(shard.parent, shard, 4, "key"), checked.read(None, shard.parent)
    assert frames.is_current(shard, "key", entry, known)
    with monkeypatch.context() as patched:
        patched.setattr(frames, "UntrustedShard", None)  # nothing is opened
        assert frames.is_current(shard, "key", entry, known)
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    with shard.open("r+b") as file:
        file.write(content)
    assert not frames.is_current(shard, "key", entry, known)


def test_only_what_is_whole_and_of_this_key_is_current(shard: Path) -> None:
    entry = manifest.describe(shard.parent, shard, 4, "key")
    assert frames.is_current(shard, "key", entry)
    assert not frames.is_current(shard, "key", None)
    assert not frames.is_current(shard, "other", entry)
    assert not frames.is_current(shard, "key", replace(entry, sha256="0" * 64))
    shard.write_bytes(b"junk")
    assert not frames.is_current(shard, "key", manifest.describe(shard.parent, shard, 4, "key"))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ({"image": frames.encode_image(image(0, 6, 8), None)}, "position 4: it is 6 x 8 pixels, .* are 8 x 6"),
        ({"image": frames.encode_image(image(0), None)[:-1]}, "position 4: a PNG image of .* is cut short"),
        ({"image": frames.encode_image(image(0), 95)[:-9]}, "position 4: a JPEG image of .* is cut short"),
        ({"image": b"GIF89a"}, "position 4: .* expected a JPEG, PNG or BMP"),
        ({"image": b""}, "position 4: .* expected a JPEG, PNG or BMP"),
        ({"pts_seconds": float("nan")}, "pts_seconds is not finite or negative at position 4"),
        ({"label": 7}, "frame_label is not greater than that of the frame before at position 4"),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_kept_is_named_and_the_old_shard_stays(
    shard: Path, last: dict[str, object], expected: str
) -> None:
    before = shard.read_bytes()
    frame = replace_fields(Frame(some_frames()[0].image, 1.0, 9, True, 1.0), last)
    with pytest.raises(InputError, match=expected):
        frames.write(shard, [*some_frames(), frame], "key", "demo")
    assert shard.read_bytes() == before
    assert list(shard.parent.iterdir()) == [shard]


def replace_fields(frame: Frame, fields: dict[str, object]) -> Frame:
    return Frame(**(frame._asdict() | fields))


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no frame"):
        frames.write(tmp_path / "v.h5", [], "key", "demo")


def plain_image(size: int) -> bytes:
    """Return a BMP of grey pixels: the fastest image that is large."""
    return cv2.imencode(".bmp", np.full((size, size, 3), 128, np.uint8))[1].tobytes()


def test_memory_stays_flat_in_the_length_of_the_video(tmp_path: Path) -> None:
    encoded = plain_image(256)
    frames.write(tmp_path / "v.h5", [Frame(encoded, 0, 0, True, 1)], "key", "demo")
    tracemalloc.start()
    frames.write(tmp_path / "v.h5", (Frame(encoded, 0, label, True, 1) for label in range(400)), "key", "demo")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "v.h5").stat().st_size > 400 * 256 * 256 * 3  # 79 MB
    assert peak < 3 * files.CHUNK_BYTES


def test_a_killed_writer_leaves_nothing_that_opens_and_a_second_run_works(tmp_path: Path) -> None:
    program = """
        import runpy, signal, sys
        from pathlib import Path
        from cache.shards import frames
        def records():
            yield from runpy.run_path(sys.argv[1])["some_frames"](3)
            print("writing", flush=True)
            signal.pause()
        frames.write(Path(sys.argv[2]), records(), "key", "demo")
    """
    path = tmp_path / "v.h5"
    command = [sys.executable, "-c", textwrap.dedent(program), __file__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        writer.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
    assert frames.write(path, some_frames(), "key", "demo") == 4
    frames.open(path, verify=True).close()


@pytest.fixture
def largest_file() -> Iterator[None]:
    """Forbid files of more than 100 kB, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("largest_file")
@pytest.mark.parametrize(("side", "count"), [(182, 1), (182, 5), (30, 100)])
def test_a_disk_that_refuses_is_explained_and_leaves_nothing(tmp_path: Path, side: int, count: int) -> None:
    # One image of 99 426 bytes passes the spool and fails in the shard; the others fail in the spool, one when closed.
    encoded = plain_image(side)
    with pytest.raises(InputError, match=r"v\.h5 could not be written \(File too large\): .*ulimit -f"):
        frames.write(tmp_path / "v.h5", (Frame(encoded, 0, label, True, 1) for label in range(count)), "key", "demo")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_read_the_source_is_not_blamed_on_the_shard(tmp_path: Path) -> None:
    def records() -> Iterator[Frame]:
        yield some_frames()[0]
        raise PermissionError(13, "Permission denied", "/elsewhere/video.mp4")

    with pytest.raises(PermissionError, match=r"video\.mp4"):
        frames.write(tmp_path / "v.h5", records(), "key", "demo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quality", [None, 95, 1])
def test_an_image_states_its_size_without_being_decoded(quality: int | None) -> None:
    assert frames.image_size(frames.encode_image(image(0, 11, 13), quality)) == (11, 13)


def test_a_progressive_image_and_one_with_the_top_row_first_state_their_size() -> None:
    progressive = cv2.imencode(".jpg", image(0, 11, 13), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert frames.image_size(progressive) == (11, 13)
    bmp = bytearray(cv2.imencode(".bmp", image(0, 11, 13))[1].tobytes())
    bmp[22:26] = struct.pack("<i", -11)
    assert frames.image_size(bytes(bmp)) == (11, 13)
    assert frames.decode_image(bytes(bmp)).shape == (11, 13, 3)
    with pytest.raises(InputError, match="cut short after"):
        frames.image_size(bytes(bmp[:-1]))


def test_an_image_that_declares_too_much_is_refused_before_decoding() -> None:
    bomb = bytearray(frames.encode_image(image(0), None))
    bomb[16:24] = struct.pack(">II", 1 << 16, 1 << 16)
    with pytest.raises(InputError, match="65536 x 65536 pixels, expected sides of 1 to 4096"):
        frames.decode_image(bytes(bomb))


def test_a_header_alone_or_rubble_behind_it_is_no_image() -> None:
    png, jpeg = frames.encode_image(image(0), None), frames.encode_image(image(0), 95)
    rubble = [
        png[:8] + png[-8:],
        png[:40] + png[-8:],
        jpeg[:2] + b"\xff\xd9",
        b"\xff\xd8\xff\xe0\xff\xd9",
        b"BM",
        b"BM" * 20,
    ]
    for encoded in rubble:
        with pytest.raises(InputError, match="image"):
            frames.decode_image(encoded)


def test_quality_and_shape_are_checked() -> None:
    with pytest.raises(ValueError, match="quality is 0"):
        frames.encode_image(image(0), 0)
    with pytest.raises(ValueError, match=r"shape \(8, 6\) of uint8"):
        frames.encode_image(image(0)[..., 0], 95)
