"""The contract of a network: all that training, detection and the count of operations may ask of one.

Another spotter is a folder beside `fedn`, a class that answers this, and a name in `registry.NETWORKS`. T is rows, as
the network's cutting makes them of frames; intervals are half-open and in rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from torch import Tensor, nn

from pipeline.encoder.class_layer import ClassLayer
from pipeline.windows.cutting import Cutting, Truths


class NetworkParameters(Protocol):
    """A network's own parameters: a frozen dataclass whose fields are dataclasses, told from the section `train`."""

    @property
    def cutting(self) -> Cutting:
        """How the network wants a video cut."""

    @property
    def recognises(self) -> bool:
        """Whether it tells emotions apart; one that only spots scores a single class, whatever is annotated."""


class Predictions(NamedTuple):
    """What a network says of B windows or videos; P depends on their shape alone, never on what is in them.

    `intervals` ``(B, P, 2)`` float32: may begin before the rows and end after them; one that does not last is none.
    `scores` ``(B, P, K)``: between 0 and 1, of each emotion; K = 1 for a network that only spots.
    """

    intervals: Tensor
    scores: Tensor


class Weights(NamedTuple):
    """One attention of a network over B windows or videos: what it weighs by how much, A places each.

    `name`: as people say it. `start`, `stop` ``(A,)`` float32: the rows that each weight stands for, half-open.
    `weight` ``(B, A)``: 0 where nothing can be seen. `even`: the weight of each, were all alike.
    """

    name: str
    start: Tensor
    stop: Tensor
    weight: Tensor
    even: float


class Losses(NamedTuple):
    """What a batch costs: the number that is made small, and the parts it is made of, in the order of `loss_names`."""

    total: Tensor
    parts: tuple[Tensor, ...]


class Network(nn.Module, ABC):
    """A network over padded rows.

    `forward`, `loss` and `decode` neither read a value back from a GPU nor bring one to it, and no shape depends on
    values: the steps of an epoch, and the batches of a video, run without waiting for the processor.

    Attributes:
        kind: the class of its parameters.
        loss_names: of the parts of its loss, columns of the loss curve.
        learns: whether there is anything to train; else it is kept as it was built, and saw nobody.
        cutting, recognises: as its parameters say.
        input_width: C, of a row.
    """

    kind: ClassVar[type[Any]]
    loss_names: ClassVar[tuple[str, ...]] = ()
    learns: ClassVar[bool] = True
    cutting: Cutting
    recognises: bool
    input_width: int

    @classmethod
    @abstractmethod
    def build(cls, parameters: Any, input_width: int, class_count: int) -> Self:
        """Return a fresh network; its first weights come from torch's own random state.

        Args:
            parameters: of its `kind`.
            input_width: C, of a row.
            class_count: K, emotions.
        """

    @abstractmethod
    def forward(self, features: Tensor, mask: Tensor) -> Any:
        """Return outputs, which only the network itself understands.

        Args:
            features: ``(B, T, C)`` float32.
            mask: ``(B, T)`` bool, True where a row is real; the others may hold anything.
        """

    @abstractmethod
    def loss(self, outputs: Any, truths: Truths, mask: Tensor) -> Losses:
        """Return what the outputs of a batch cost; with a slope for every weight. A network that learns nothing: 0."""

    @abstractmethod
    def decode(self, outputs: Any, mask: Tensor) -> Predictions:
        """Return the candidate intervals and their class scores; what overlaps is suppressed afterwards."""

    def attention(self, features: Tensor, mask: Tensor) -> Sequence[Weights]:
        """Return what the network looks at, of the same as `forward`; none where it has no attention to show.

        Worked out anew when it is asked for: `forward` keeps nothing for it.
        """
        return ()

    @property
    def widest(self) -> int:
        """Channels of the widest vector that is kept of a row for the way back; training's memory grows with it."""
        return self.input_width

    @classmethod
    def variants(cls, parameters: Any) -> Mapping[str, Any]:
        """Return the parameters of the variants whose operations are compared, `full` first."""
        return {"full": parameters}

    def parts(self) -> Mapping[str, Sequence[str]]:
        """Return its parts as people name them, each of the submodules whose operations and weights are counted."""
        return {name: [name] for name, _ in self.named_children()}

    def plain_operations(self) -> Mapping[str, int]:
        """Return the operations of each part on one window as its paper counts them; none where no paper does."""
        return {}


class FrameNetwork(Network):
    """A network that learns nothing: the encoder's class layer names every frame by itself, then rises are found.

    Features reach it as the encoder made them (normalisation: none), a row is a frame, and a video is seen whole.
    `forward` looks at each row alone, so a video of hours goes through it piece by piece; its outputs, ``(B, T, ...)``,
    are put together again for `decode` and `curve`.
    """

    learns: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def settle(cls, parameters: Any, names: Sequence[str], classes: Sequence[str]) -> Any:
        """Return the parameters as they are for one encoder and one corpus, before anything is built.

        Args:
            parameters: of its `kind`.
            names: of the classes of the encoder's layer.
            classes: of the corpus.

        Raises:
            DataError: the parameters do not say what a class of the encoder stands for.
        """

    @abstractmethod
    def take(self, layer: ClassLayer, classes: Sequence[str]) -> None:
        """Take over an encoder's class layer; the parameters are settled for it, and for these classes of a corpus."""

    @abstractmethod
    def never_found(self, classes: Sequence[str]) -> list[str]:
        """Return the corpus' classes that nothing can ever be called."""

    @abstractmethod
    def curve(self, outputs: Any, mask: Tensor) -> Tensor:
        """Return ``(B, T, K)``, between 0 and 1: how probable each class is at every frame."""
