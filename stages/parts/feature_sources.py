"""Feature sources: an encoder run over a video's frames, or a file made elsewhere."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cache.errors import InputError
from cache.prefetch import ahead
from cache.shards import feature_arrays, features, layout
from cache.shards.frames import Frames
from cache.shards.manifest import KEY_FIELDS
from pipeline.encoder import resnet, rows
from pipeline.encoder.resnet import Encoder, ExtractParameters
from pipeline.errors import DataError
from stages.parts import encoders
from stages.parts.encoders import StoredEncoder
from stages.shell import console, devices

LAYER = "avgpool"
STORAGE = "float16"
# In the manifest's facts of the run: the digests of imported arrays by video, for whoever has not got them.
ARRAYS = "arrays"
# Raised when the same frames and weights would give other features on purpose, so shards are made again.
EXTRACT_VERSION = 1
BATCHES_AHEAD = 2
# Begins what torch says when it gets no memory of the CPU.
ALLOCATOR = "DefaultCPUAllocator"

Advance = Callable[[int], None]
Features = npt.NDArray[np.float16]


class FeatureSource(Protocol):
    """What the stage asks of either."""

    layer: str

    def begin(self, count: int = 1) -> None:
        """Say what is going to happen, and make ready what `features` needs of so many videos.

        Raises:
            InputError: something is to be made, and what it is made from is not here.
        """

    def key(self, name: str, frames_digest: str, made: Mapping[str, Any] | None = None) -> str:
        """Return the fingerprint of all that a video's features depend on.

        Args:
            made: the facts of the run that made them, in the precision of its device; None: they are made here.
        """

    def features(self, name: str, opened: Frames, advance: Advance) -> Features:
        """Return the ``(T, C)`` features of a video; what stands at frames without a face is of no consequence."""

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the run; `encoder` tells detectors which features they know."""


class Encoded:
    """An encoder's weights and how its images are prepared."""

    layer = LAYER

    def __init__(
        self,
        parameters: ExtractParameters,
        folder: Path,
        device: torch.device,
        batch_size: int,
        loaded: StoredEncoder | None = None,
    ) -> None:
        """Load the encoder that the parameters name, unless it is handed over; errors as in `encoders.load`."""
        self.name, self.device, self.batch_size = parameters.weights, device, batch_size
        stored = loaded or encoders.load(self.name, folder, parameters.random_image_size, parameters.random_seed)
        self.tensors, self.preprocessing, self.digest = stored.tensors, stored.preprocessing, stored.digest
        self.precision = resnet.choose_precision(device)

    def begin(self, count: int = 1) -> None:
        """Say which encoder works where, and build it."""
        size = self.preprocessing.image_size
        console.say(f"extract: encoder {self.name} at {size} px on {self.device} in {self.precision}")
        if self.name == encoders.RANDOM:
            console.say("extract: this encoder has learned nothing: its features mean nothing for real faces")
        self.network = resnet.build(self.tensors, self.preprocessing, self.device, self.precision)

    def key(self, name: str, frames_digest: str, made: Mapping[str, Any] | None = None) -> str:
        """Return the fingerprint, in which the video's name has no part."""
        precision = str((made or {}).get("precision", self.precision))
        return features.feature_key(frames_digest, **{**self._described(), "precision": precision})

    def features(self, name: str, opened: Frames, advance: Advance) -> Features:
        """Return what the encoder says of every frame."""
        return encode(self.network, opened, self.batch_size, advance)

    def facts(self) -> dict[str, Any]:
        """Return the encoder, the device and the versions."""
        told = {
            "name": self.name,
            "digest": self.digest,
            "image_size": self.preprocessing.image_size,
            "has_learned": self.name != encoders.RANDOM,
        }
        versions = {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}
        made = {"device": devices.name_of(self.device), "precision": self.precision, **versions}
        return {"encoder": told, **made, KEY_FIELDS: self._described()}

    def _described(self) -> dict[str, Any]:
        return {
            "encoder_digest": self.digest,
            "layer": LAYER,
            "image_size": self.preprocessing.image_size,
            "normalisation": str(self.preprocessing),
            "storage_dtype": STORAGE,
            "precision": self.precision,
            "code_version": EXTRACT_VERSION,
        }


class Imported:
    """A folder of arrays, I3D's of the same videos for instance."""

    layer = "imported"

    def __init__(
        self, name: str, folder: Path, encoder_folder: Path, parameters: ExtractParameters, run: Mapping[str, Any]
    ) -> None:
        """Take note of the folder, and of a name that no encoder has.

        Args:
            run: the facts of the run that made what there is: where the folder is not, they tell its arrays' digests.
        """
        if name == encoders.RANDOM or encoders.path_of(encoder_folder, name).exists():
            raise InputError(f"extract.weights is {name!r}, an encoder; {folder} needs a name of its own.")
        self.name, self.folder = name, folder
        self.is_watched = folder.resolve().is_relative_to(encoder_folder.resolve())
        self.encoder_folder = encoder_folder
        self.first, self.stride = parameters.imported_first, parameters.imported_stride
        stated = run.get(ARRAYS)
        self.arrays = {} if folder.is_dir() or not isinstance(stated, dict) else dict(stated)

    def begin(self, count: int = 1) -> None:
        """Say which folder, and that nothing here can check what is in it; InputError where it is needed and is not."""
        if not self.folder.is_dir():
            if count:
                raise InputError(
                    f"extract.imported is {self.folder}, which is no folder, and features of {count} videos are to be "
                    "made. It holds one <video>.npy a video."
                )
            console.say(f"extract: {self.folder} is not here: features that were taken from it are kept")
            return
        console.say(
            f"extract: features {self.name} are taken from {self.folder}; nothing here knows how they were made"
        )
        if not self.is_watched:
            console.say(
                f"extract: DVC does not see {self.folder} change; put it below {self.encoder_folder}, or after a "
                "change run dvc repro --single-item --force extract@<corpus>, which takes what changed"
            )

    def key(self, name: str, frames_digest: str, made: Mapping[str, Any] | None = None) -> str:
        """Return the fingerprint of the file, the frames and how one is spread over the other."""
        if self.folder.is_dir():
            self.arrays[name] = feature_arrays.digest_of(self.folder, name)
        array = str(self.arrays.get(name, ""))
        return layout.fingerprint({"frames_digest": frames_digest, "array": array, **self._described()})

    def features(self, name: str, opened: Frames, advance: Advance) -> Features:
        """Return the file's rows, one for every frame."""
        found = feature_arrays.read(self.folder, name)
        largest, limit = float(np.abs(found).max()), float(np.finfo(np.float16).max)
        where = feature_arrays.path_of(self.folder, name)
        if largest > limit:
            raise InputError(f"{where} holds {largest:g}; float16 goes up to {limit:g}. Scale all videos down alike.")
        try:
            spread = rows.to_frames(found, len(opened), self.first, self.stride)
        except DataError as error:
            raise InputError(f"{where}: {error}") from error
        advance(len(opened))
        return spread.astype(np.float16)

    def facts(self) -> dict[str, Any]:
        """Return the name and the digests of the arrays: nothing is known of the encoder."""
        digest = layout.fingerprint(self._described())
        told = {"name": self.name, "digest": digest, "image_size": None, "has_learned": True}
        return {"encoder": told, ARRAYS: dict(sorted(self.arrays.items())), KEY_FIELDS: self._described()}

    def _described(self) -> dict[str, Any]:
        return {"imported": self.name, "first": self.first, "stride": self.stride}


def encode(network: Encoder, opened: Frames, batch_size: int, advance: Advance) -> Features:
    """Return the features of one video, ``(T, 512)``.

    Frames are decoded in a thread of their own, so the encoder does not wait for them.

    Raises:
        MemoryError: a batch does not fit into the memory of the device.
    """
    found = np.empty((len(opened), resnet.WIDTH), np.float16)
    position = 0
    for batch in ahead(_decoded(opened, batch_size), BATCHES_AHEAD):
        with _memory_told(len(batch)):
            found[position : position + len(batch)] = network(batch).cpu().numpy()
        position += len(batch)
        advance(len(batch))
    return found


@contextmanager
def _memory_told(count: int) -> Iterator[None]:
    """Raise MemoryError for what torch says when memory runs out: a RuntimeError, as of anything else."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.cuda.OutOfMemoryError) or ALLOCATOR in str(error):
            raise MemoryError(f"{count} frames at once do not fit") from error
        raise


def _decoded(opened: Frames, batch_size: int) -> Iterator[Tensor]:
    """Yield the frames of a video in batches ``(B, H, W, 3)`` uint8."""
    count = opened.at_once(batch_size)
    for start in range(0, len(opened), count):
        yield torch.from_numpy(opened.decode(start, min(start + count, len(opened))))
