"""The search of one face's features: encoder, detectors, what they found with frames and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cache.analysed import feature_parts, parts
from cache.analysed.parts import Stated
from cache.analysed.records import FoundExpression
from cache.columns import FrameColumns
from pipeline.detectors import decoding, fusion
from pipeline.detectors.contract import FrameNetwork, Network
from pipeline.detectors.decoding import Searched
from pipeline.encoder import resnet
from pipeline.windows.recordings import Recording
from stages.analysing import detector_choice
from stages.analysing.face_features import FaceEncoder
from stages.analysing.request import Asked
from stages.shell import devices, params


@dataclass(frozen=True)
class SearchedFace:
    """What was found in one face.

    Attributes:
        rows: accepted ones, by onset.
        curve: ``(T, K)`` float16, the score of each emotion at each frame.
    """

    rows: list[FoundExpression]
    curve: NDArray[np.float16]
    columns: FrameColumns


class Searcher:
    """Encoder and detectors for all videos of a command, loaded once."""

    def __init__(self, asked: Asked) -> None:
        """Load what is asked for; errors as in `detector_choice.choose` and `FaceEncoder`."""
        device = devices.choose(asked.device)
        chosen = detector_choice.choose(asked.detectors, asked.configs, asked.threshold)
        size = asked.batch_size or int(params.load_section(asked.configs / "params.yaml", "extract")["batch_size"])
        self.encoder = FaceEncoder(chosen.encoder, asked.configs / "weights", device, size, chosen.loaded)
        self.encoder_name = f"{chosen.encoder['name']}, {chosen.encoder['image_size']} px"
        self.told, self.threshold, self.emotions = chosen.told, chosen.threshold, chosen.emotions
        self._device, self._parameters = device, chosen.parameters
        self._networks = [(network.to(device), normalisation) for network, normalisation in chosen.networks]

    def person(self, video: str, frames: Path, features: Path, stated: Stated, face: int) -> SearchedFace:
        """Return what is found in one face of a video whose frames are all encoded."""
        columns = parts.columns_of(frames, stated, face)
        told = [
            self._look(network, normalisation, columns, features, stated, face)
            for network, normalisation in self._networks
        ]
        found = fusion.fuse([each.detections for each in told], len(self.emotions))
        rows = [
            FoundExpression(
                video=video,
                person=face + 1,
                onset=int(start),
                offset=int(stop) - 1,
                onset_seconds=float(columns.pts_seconds[start]),
                offset_seconds=float(columns.pts_seconds[stop - 1]),
                emotion=self.emotions[emotion],
                confidence=float(confidence),
                threshold=self.threshold,
            )
            for (start, stop), emotion, confidence in zip(*found, strict=True)
            if confidence >= self.threshold
        ]
        rows.sort(key=lambda row: (row.onset, row.offset, row.emotion))
        curve = np.stack([each.curve for each in told]).mean(axis=0, dtype=np.float32).astype(np.float16)
        return SearchedFace(rows, curve, columns)

    def _look(
        self,
        network: Network,
        normalisation: str,
        columns: FrameColumns,
        features: Path,
        stated: Stated,
        face: int,
    ) -> Searched:
        """Return what one network finds: piece by piece where it looks at frames, else with all features in memory."""
        if isinstance(network, FrameNetwork):
            pieces = feature_parts.pieces(features, stated, face, resnet.WIDTH)
            seen = (
                (piece, columns.face_found[part.start : part.stop])
                for part, piece in zip(stated.parts, pieces, strict=True)
            )
            return decoding.search_in_pieces(network, seen, self._parameters, self._device)
        whole = np.concatenate(list(feature_parts.pieces(features, stated, face, resnet.WIDTH)))
        recording = Recording(
            video="",
            subject=str(face + 1),
            features=whole,
            face_found=columns.face_found,
            intervals=np.empty((0, 2), np.int64),
            emotions=np.empty(0, np.int64),
        )
        return decoding.search(network, [recording], normalisation, self._parameters, self._device)[0]
