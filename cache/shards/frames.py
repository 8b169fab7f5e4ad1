"""The aligned frames of one video: encoded images, as they came, back to back in one HDF5 shard."""

from __future__ import annotations

import hashlib
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cache import files
from cache.checked import Checked
from cache.columns import FrameColumns, describe_fault
from cache.errors import InputError, ShardError
from cache.media import thumbnails
from cache.media.images import MAXIMUM_SIDE, decode_image, encode_image, image_size
from cache.shards import layout
from cache.shards.layout import COLUMN_DATASETS, Attribute, Content, Layout
from cache.shards.shard_entry import ShardEntry, is_known
from cache.shards.untrusted import UntrustedShard

__all__ = [
    "UNTOLD",
    "Frame",
    "Frames",
    "Seconds",
    "decode_image",
    "encode_image",
    "image_size",
    "is_current",
    "join",
    "open",
    "open_stated",
    "write",
]

LAYOUT = Layout(
    kind="frames",
    datasets=MappingProxyType({"offsets": ("<i8", 1), **COLUMN_DATASETS, "bytes": ("|u1", 1)}),
    attributes=MappingProxyType({"digest": str, "source": str, "image_height": int, "image_width": int}),
    remedy="dvc repro, or facespan align CORPUS, which makes this one again",
)

# 445 frames of 224 pixels. A few bytes may hold an image of 4096 pixels that is all one colour.
MAXIMUM_PIXEL_BYTES = 1 << 26

Seconds = Callable[[], NDArray[np.float64]]
# Of a frame whose time is known once all frames are; nothing that a shard takes.
UNTOLD = float("nan")


class Frame(NamedTuple):
    """One aligned frame as it is stored: an encoded image (never looked at where no face was found) and its columns."""

    image: bytes
    pts_seconds: float
    label: int
    face_found: bool
    face_confidence: float


def join(images: Iterable[bytes], columns: FrameColumns) -> Iterator[Frame]:
    """Yield T frames from T images and their columns; a ValueError when there are fewer or more images."""
    remaining = iter(images)
    rows = zip(columns.pts_seconds, columns.frame_label, columns.face_found, columns.face_confidence, strict=True)
    for position, (seconds, label, found, confidence) in enumerate(rows):
        image = next(remaining, None)
        if image is None:
            raise ValueError(f"there are {position} images for {len(columns)} frames")
        yield Frame(image, float(seconds), int(label), bool(found), float(confidence))
    if next(remaining, None) is not None:
        raise ValueError(f"there are more images than {len(columns)} frames")


def write(path: Path, frames: Iterable[Frame], key: str, source: str, seconds: Seconds | None = None) -> int:
    """Write the aligned frames of a video in order and return their number, T; memory stays flat in T.

    Args:
        frames: at least one; JPEG, PNG or BMP, all of one size.
        key: the fingerprint of what they are made from.
        source: where they came from, in words; 1 to 1024 bytes.
        seconds: gives the ``(T,)`` times once all frames have come, when no frame tells its own.

    Raises:
        InputError: an image is damaged or of another size, a column is not as `FrameColumns` says, or the disk refuses.
            Nothing is left at ``path`` that was not there before.
    """
    with files.explain_failures(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # The shard is laid out once the number of bytes is known. The spool has no name: a killed process leaves none.
        with tempfile.TemporaryFile(dir=path.parent) as spool:
            columns, offsets, (height, width), bytes_digest = _collect(path, frames, spool, seconds)
            contents = {
                "offsets": layout.content_of(offsets, "<i8"),
                **layout.contents_of(columns),
                "bytes": Content((int(offsets[-1]),), iter(lambda: spool.read(files.CHUNK_BYTES), b"")),
            }
            attributes: dict[str, Attribute] = {
                "key": key,
                "digest": digest_of(bytes_digest, offsets, columns),
                "source": source,
                "image_height": height,
                "image_width": width,
            }
            layout.write(path, LAYOUT, attributes, contents)
    return len(columns)


def open(
    path: Path, *, key: str | None = None, sha256: str | None = None, size: int | None = None, verify: bool = False
) -> Frames:
    """Return the aligned frames of a video, open for reading; close them, or use them in a `with`.

    Args:
        key: what they have to be made from; None accepts anything.
        sha256: the digest of the file that the manifest states; None checks none.
        size: the bytes of the file that it states, likewise.
        verify: read everything once and compare it with the digest that the shard states of itself.

    Raises:
        InputError: there is no such file.
        StaleShardError: they were made from something else than ``key``.
        ShardError: it is no such shard, or damaged.
    """
    frames = Frames(UntrustedShard(path, LAYOUT, sha256, size))
    try:
        frames.check(key, verify=verify)
    except BaseException:
        frames.close()
        raise
    return frames


def open_stated(folder: Path, entry: ShardEntry) -> Frames:
    """Return the frames that a folder's manifest states, when file and frames are those; errors as for `open`.

    Everything is read once: what is made from frames is known by their digest, so they must be those of it.
    """
    frames = open(folder / entry.file, sha256=entry.sha256, size=entry.bytes, verify=True)
    if entry.digest not in (None, frames.digest):
        frames.close()
        raise frames.refuse(f"frames of digest {frames.digest}", f"{entry.digest}, as the manifest says")
    return frames


def is_current(path: Path, key: str, entry: ShardEntry | None, known: Checked | None = None) -> bool:
    """Return whether a shard can be kept: it is in the manifest, has that digest and this key, and opens.

    Args:
        known: what was checked before: of a file that did not change since nothing is read.
    """
    if is_known(path, key, entry, known):
        return True
    if entry is None or entry.key != key:
        return False
    try:
        with open(path, key=key, sha256=entry.sha256) as opened:
            if known is not None:
                known.note(path, opened.identity, entry.sha256, key)
    except (InputError, ShardError):
        return False
    return True


class Frames:
    """The T aligned frames of one video, on disk.

    Attributes:
        columns: what is known of each frame.
        key: the fingerprint of what they were made from.
        digest: SHA-256 over images and columns; equal digests mean equal frames.
        source: where they came from, in words.
        image_size: (height, width) of every image.
        identity: what changes whenever the file does.
    """

    def __init__(self, shard: UntrustedShard) -> None:
        """Read the columns of an open shard."""
        self._shard, self.identity = shard, shard.identity
        self.key, self.digest, self.source = (str(shard.attributes[name]) for name in ("key", "digest", "source"))
        self.image_size = int(shard.attributes["image_height"]), int(shard.attributes["image_width"])
        try:
            self.columns = shard.load_columns()
            self._offsets: NDArray[np.int64] = shard.load("offsets")
        except BaseException:
            shard.close()
            raise

    def __len__(self) -> int:
        """Return T, the number of frames."""
        return len(self.columns)

    def __enter__(self) -> Frames:
        """Return the frames themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; the columns remain."""
        self._shard.close()

    def at_once(self, most: int) -> int:
        """Return how many frames to decode at once: at most so many, and no more than 64 MiB of pixels."""
        return max(1, min(most, MAXIMUM_PIXEL_BYTES // (3 * self.image_size[0] * self.image_size[1])))

    def read(self, position: int) -> bytes:
        """Return the encoded image of one frame, as it came; an IndexError when there is no such position."""
        if not 0 <= position < len(self):
            raise IndexError(f"{self._shard.path} has frames 0 to {len(self) - 1}, not {position}")
        return bytes(self._shard.read("bytes", int(self._offsets[position]), int(self._offsets[position + 1])))

    def decode(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return the frames ``[start, stop)`` as ``(stop - start, H, W, 3)`` RGB.

        Raises:
            IndexError: they are not all frames of this video.
            ShardError: an image is damaged.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"{self._shard.path} has frames [0, {len(self)}), not [{start}, {stop})")
        decoded = np.empty((stop - start, *self.image_size, 3), np.uint8)
        for row, position in enumerate(range(start, stop)):
            decoded[row] = self._decode(position, decode_image)
        return decoded

    def decode_grey(self, position: int) -> NDArray[np.uint8]:
        """Return one frame in grey at an eighth of its size, for comparing many; errors as for `decode`."""
        return self._decode(position, thumbnails.decode_grey)

    def _decode(self, position: int, decode: Callable[[bytes], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        encoded = self.read(position)
        try:
            # The size is looked at before decoding, which would allocate whatever the header says.
            if image_size(encoded) != self.image_size:
                raise InputError(f"an image of {image_size(encoded)} pixels")
            return decode(encoded)
        except InputError as problem:
            expected = f"a whole image of {self.image_size} pixels"
            raise self._shard.refuse(f"frame {position} damaged ({problem})", expected) from problem

    def check(self, key: str | None, *, verify: bool) -> None:
        """Raise a ShardError unless key, image size, offsets and, when asked for, digest are right; see `open`."""
        self._shard.check_key(key)
        if not all(1 <= side <= MAXIMUM_SIDE for side in self.image_size):
            raise self._shard.refuse(f"images of {self.image_size} pixels", f"sides of 1 to {MAXIMUM_SIDE}")
        offsets, end = self._offsets, self._shard.places["bytes"].shape[0]
        whole = len(offsets) == len(self) + 1 and offsets[0] == 0 and offsets[-1] == end
        # Compared, not subtracted: a difference of hostile numbers may wrap around.
        if not (whole and np.all(offsets[1:] > offsets[:-1])):
            raise self._shard.refuse(
                "offsets that do not cut the bytes into frames", "increasing ones, from 0 to the end"
            )
        if verify and self._compute_digest() != self.digest:
            raise self._shard.refuse("images or columns that are not those of its digest", self.digest)

    def refuse(self, found: str, expected: str) -> ShardError:
        """Return the error that says what is wrong with these frames, to be raised."""
        return self._shard.refuse(found, expected)

    def _compute_digest(self) -> str:
        digest, end = hashlib.sha256(), int(self._offsets[-1])
        for start in range(0, end, files.CHUNK_BYTES):
            digest.update(self._shard.read("bytes", start, min(start + files.CHUNK_BYTES, end)))
        return digest_of(digest.digest(), self._offsets, self.columns)


def digest_of(bytes_digest: bytes, offsets: NDArray[np.int64], columns: FrameColumns) -> str:
    """Return the digest of aligned frames: SHA-256 over the SHA-256 of each dataset in the order of the file.

    Args:
        bytes_digest: that of the images back to back.
    """
    contents = {"offsets": layout.content_of(offsets, "<i8"), **layout.contents_of(columns)}
    digests = [hashlib.sha256(b"".join(content.pieces)).digest() for content in contents.values()]
    return hashlib.sha256(b"".join([*digests, bytes_digest])).hexdigest()


class _Collected(NamedTuple):
    """What is known of frames once all have been seen; their images lie in the spool, rewound."""

    columns: FrameColumns
    offsets: NDArray[np.int64]
    size: tuple[int, int]
    bytes_digest: bytes


def _collect(path: Path, frames: Iterable[Frame], spool: BinaryIO, told: Seconds | None) -> _Collected:
    """Put the images of frames into the spool and return the rest."""
    offsets, seconds, labels, found, confidences = array("q", [0]), array("d"), array("q"), array("B"), array("f")
    digest, size = hashlib.sha256(), (0, 0)
    for position, frame in enumerate(frames):
        size = _check_image(path, position, frame.image, size)
        spool.write(frame.image)
        digest.update(frame.image)
        offsets.append(offsets[-1] + len(frame.image))
        seconds.append(frame.pts_seconds)
        labels.append(frame.label)
        found.append(frame.face_found)
        confidences.append(frame.face_confidence)
    spool.seek(0)
    columns = FrameColumns(
        told() if told else np.frombuffer(seconds, np.float64),
        np.frombuffer(labels, np.int64),
        np.frombuffer(found, np.bool_),
        np.frombuffer(confidences, np.float32),
    )
    fault = describe_fault(columns)
    if fault is not None:
        raise InputError(f"{path} cannot hold these frames: {fault}. Look at what they are aligned from.")
    return _Collected(columns, np.frombuffer(offsets, np.int64), size, digest.digest())


def _check_image(path: Path, position: int, image: bytes, expected: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) of an image, the same as that of those before it."""
    try:
        size = image_size(image)
    except InputError as problem:
        raise InputError(
            f"{path} cannot hold the frame at position {position}: {problem}. Align it again."
        ) from problem
    if position > 0 and size != expected:
        raise InputError(
            f"{path} cannot hold the frame at position {position}: it is {size[0]} x {size[1]} pixels, those before it "
            f"are {expected[0]} x {expected[1]}. Align the whole video at one size."
        )
    return size
