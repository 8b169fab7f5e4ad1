"""Framewise spotting, without training: class probabilities of every frame, smoothed, of which rises are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from pipeline.detectors.contract import FrameNetwork, Losses, Predictions
from pipeline.detectors.framewise import rises
from pipeline.detectors.framewise.class_map import ClassMap, ClassMapParameters
from pipeline.detectors.framewise.rises import RiseParameters
from pipeline.encoder.class_layer import ClassLayer
from pipeline.windows.cutting import Truths, Whole


@dataclass(frozen=True)
class FramewiseParameters:
    """All that is its own, one dataclass for each file that it controls."""

    class_map: ClassMapParameters
    rises: RiseParameters

    @property
    def cutting(self) -> Whole:
        """The whole video; a row is a frame."""
        return Whole()

    @property
    def recognises(self) -> bool:
        """It names what it finds."""
        return True


class Framewise(FrameNetwork):
    """Outputs are probabilities ``(B, T, K)`` of a frame alone; time comes in afterwards."""

    kind: ClassVar[type[FramewiseParameters]] = FramewiseParameters

    def __init__(self, parameters: FramewiseParameters, input_width: int, class_count: int) -> None:
        super().__init__()
        self.own, self.input_width = parameters, input_width
        self.cutting, self.recognises = parameters.cutting, parameters.recognises
        self.class_layer = ClassMap(input_width, len(parameters.class_map.classes), class_count)

    @classmethod
    def build(cls, parameters: FramewiseParameters, input_width: int, class_count: int) -> Self:
        """Return one that finds nothing before it takes a class layer, or a detector's tensors."""
        return cls(parameters, input_width, class_count)

    @classmethod
    def settle(
        cls, parameters: FramewiseParameters, names: Sequence[str], classes: Sequence[str]
    ) -> FramewiseParameters:
        """Return the parameters with the map of exactly this encoder's classes."""
        return replace(parameters, class_map=parameters.class_map.of_encoder(names, classes))

    def take(self, layer: ClassLayer, classes: Sequence[str]) -> None:
        """Take over an encoder's class layer."""
        self.class_layer.take(layer, self.own.class_map, classes)

    def never_found(self, classes: Sequence[str]) -> list[str]:
        """Return the corpus' classes that no class of the encoder speaks for."""
        return self.own.class_map.never_found(classes)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Return the probabilities of every frame."""
        probabilities: Tensor = self.class_layer(features)
        return probabilities

    def loss(self, outputs: Tensor, truths: Truths, mask: Tensor) -> Losses:
        """Return 0: nothing is learned."""
        return Losses(outputs.sum() * 0, ())

    def curve(self, outputs: Tensor, mask: Tensor) -> Tensor:
        """Return the smoothed probabilities ``(B, T, K)``, 0 where no face is."""
        return rises.smooth(outputs, mask, self.own.rises.smoothing_frames)[0]

    def decode(self, outputs: Tensor, mask: Tensor) -> Predictions:
        """Return the rises of every class, each by itself; how sure one is, is its mean."""
        smoothed, seen = rises.smooth(outputs, mask, self.own.rises.smoothing_frames)
        risen = rises.rise(smoothed, seen, self.own.rises.usual_share)  # (B, T, K)
        found = [rises.intervals(each, self.own.rises) for each in risen.unbind(-1)]
        own = torch.eye(len(found), device=outputs.device)
        scores = [mean[..., None] * own[k] for k, (_, mean) in enumerate(found)]  # (B, P, K) each
        return Predictions(torch.cat([bounds for bounds, _ in found], dim=1), torch.cat(scores, dim=1))
