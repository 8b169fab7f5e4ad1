"""Class mapping: the probabilities of an encoder's classes, summed into the classes of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.encoder.class_layer import ClassLayer
from pipeline.errors import DataError


@dataclass(frozen=True)
class ClassMapParameters:
    """Which class of a corpus each class of an encoder speaks for.

    Attributes:
        classes: by the encoder's name of it; None for one that speaks for none, the neutral face above all. Names that
            an encoder has not are of no consequence, so that one map serves several.
    """

    classes: Mapping[str, str | None]

    def of_encoder(self, names: Sequence[str], classes: Sequence[str]) -> ClassMapParameters:
        """Return the map of exactly an encoder's classes, in alphabetical order.

        Args:
            names: of the encoder's classes.
            classes: of the corpus.

        Raises:
            DataError: a class of the encoder is not in the map, or stands for one that the corpus has not.
        """
        known = f"the corpus has {', '.join(classes)}"
        if missing := [name for name in names if name not in self.classes]:
            raise DataError(
                f"train.framewise.classes has no line for {', '.join(missing)}, of the encoder's class layer. Write "
                f"which class it stands for ({known}), or null"
            )
        chosen = {name: self.classes[name] for name in sorted(names)}
        if foreign := [f"{name}: {own}" for name, own in chosen.items() if own is not None and own not in classes]:
            raise DataError(
                f"train.framewise.classes says {', '.join(foreign)}, but {known}. Write one of these, or null, into "
                "overrides.train.framewise.classes of the corpus file"
            )
        return ClassMapParameters(chosen)

    def never_found(self, classes: Sequence[str]) -> list[str]:
        """Return the corpus' classes that no class of the encoder speaks for."""
        return [name for name in classes if name not in self.classes.values()]


class ClassMap(nn.Module):
    """A class layer over E classes of an encoder, and which of the K of a corpus each counts for.

    All of it is set by `take`, or comes from a detector's file.
    """

    bears: Tensor

    def __init__(self, input_width: int, own_count: int, class_count: int) -> None:
        super().__init__()
        self.layer = nn.Linear(input_width, own_count)
        self.register_buffer("bears", torch.zeros(own_count, class_count))
        for weights in (self.layer.weight, self.layer.bias):
            nn.init.zeros_(weights)

    def take(self, layer: ClassLayer, parameters: ClassMapParameters, classes: Sequence[str]) -> None:
        """Take over an encoder's layer, in the order of a map `of_encoder`."""
        rows = [layer.names.index(name) for name in parameters.classes]
        bears = torch.tensor([[float(own == name) for name in classes] for own in parameters.classes.values()])
        with torch.no_grad():
            self.layer.weight.copy_(layer.weight[rows])
            self.layer.bias.copy_(layer.bias[rows])
            self.bears.copy_(bears)

    def forward(self, features: Tensor) -> Tensor:
        """Return the probabilities ``(..., K)`` of a corpus' classes; what they leave of 1 is the encoder's others."""
        probabilities: Tensor = self.layer(features).softmax(dim=-1)
        return probabilities @ self.bears
