"""Features of the faces of one video: the encoder runs over each part once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from cache.analysed import feature_parts
from cache.analysed.parts import Stated
from cache.errors import ShardError
from cache.shards import layout
from cache.shards.manifest import KEY_FIELDS
from pipeline.encoder.resnet import ExtractParameters
from stages.parts import encoders
from stages.parts.encoders import StoredEncoder
from stages.parts.feature_sources import Encoded, encode

Advance = Callable[[int], None]
RANDOM_SIZE = 224


class FaceEncoder:
    """The encoder that detectors know, loaded once for all videos, its network built when a frame needs it."""

    def __init__(
        self,
        told: Mapping[str, Any],
        folder: Path,
        device: torch.device,
        batch_size: int,
        loaded: StoredEncoder | None = None,
    ) -> None:
        """Load it by what detectors say of it, unless it is handed over.

        Raises:
            ShardError: the folder has another encoder of that name.
            InputError: it has none.
        """
        if not isinstance(told.get("name"), str):
            raise ShardError(f"the detectors do not say which encoder they know, only {dict(told)}. Train them again")
        size = told.get("image_size") or RANDOM_SIZE
        parameters = ExtractParameters(
            weights=told["name"],
            random_seed=0,
            random_image_size=size,
            batch_size=batch_size,
            imported=None,
            imported_first=0.0,
            imported_stride=1,
        )
        self._source = Encoded(parameters, folder, device, batch_size, loaded)
        found = self._source.facts()["encoder"]
        if found != dict(told):
            raise ShardError(
                f"the detectors know features of {dict(told)}, {folder} holds the encoder {found}. Get the one they "
                "were trained with, or train again"
            )
        self._is_begun = False

    @property
    def key(self) -> str:
        """The fingerprint of what it makes of any frames, in the precision of its device."""
        return layout.fingerprint(self._source.facts()[KEY_FIELDS])

    def make(self, folder: Path, frames_folder: Path, stated: Stated, face: int, advance: Advance) -> None:
        """Make the features of a face that are missing; errors as in `feature_parts.make`, MemoryError for a batch."""
        if not self._is_begun and feature_parts.missing(folder, stated, face, self._key_of):
            self._source.begin()
            self._is_begun = True
        feature_parts.make(
            folder,
            frames_folder,
            stated,
            face,
            encode=lambda opened: encode(self._source.network, opened, self._source.batch_size, advance),
            key_of=self._key_of,
            layer=self._source.layer,
            run=self._source.facts(),
        )

    def _key_of(self, digest: str) -> str:
        return self._source.key("", digest)


def told_of(name: str, stored: StoredEncoder) -> dict[str, Any]:
    """Return what manifests and detectors say of an encoder."""
    size = stored.preprocessing.image_size
    return {"name": name, "digest": stored.digest, "image_size": size, "has_learned": name != encoders.RANDOM}
