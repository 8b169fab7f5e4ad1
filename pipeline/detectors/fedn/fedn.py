"""FEDN under the contract: windows, label assignment and loss over all predictions, decoding by class scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch import Tensor

from pipeline.detectors.contract import Losses, Network, Predictions
from pipeline.detectors.fedn import operations
from pipeline.detectors.fedn.losses import LossParameters, detection_loss
from pipeline.detectors.fedn.network import Detector, DetectorParameters, Outputs
from pipeline.detectors.fedn.targets import MatchParameters, assign
from pipeline.windows.cutting import Truths, Windows

# The paper's ablations, as changes of DetectorParameters.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "full": {"segment_attention": "attention", "window_attention": "attention"},
    "without_segment_attention": {"segment_attention": "mean", "window_attention": "attention"},
    "without_window_attention": {"segment_attention": "attention", "window_attention": "none"},
    "without_both": {"segment_attention": "mean", "window_attention": "none"},
}


@dataclass(frozen=True)
class FednParameters:
    """All that is FEDN's own, one dataclass for each file that it controls."""

    detector: DetectorParameters
    loss: LossParameters
    match: MatchParameters

    def __post_init__(self) -> None:
        """Raise ValueError for values of two parts that contradict each other."""
        _ = self.cutting  # refuses what no windows can be
        ranges, levels = len(self.match.point_ranges), len(self.detector.neck_widths)
        if ranges != levels:
            raise ValueError(f"point_ranges has {ranges} ranges, expected one for each of the {levels} levels")

    @property
    def cutting(self) -> Windows:
        """Windows, at every rate; a row is a frame."""
        return Windows(self.detector.window_frames, self.detector.window_rates, self.match.whole_share)

    @property
    def recognises(self) -> bool:
        """Whether there is a recognition branch."""
        return self.detector.classification != "spotting"


class Fedn(Detector, Network):
    """FEDN, with what training and detection ask of it; weights and their names are those of `Detector`."""

    kind: ClassVar[type[FednParameters]] = FednParameters
    loss_names: ClassVar[tuple[str, ...]] = ("interval", "classification")

    def __init__(self, parameters: FednParameters, input_width: int, class_count: int) -> None:
        super().__init__(parameters.detector, input_width, class_count)
        self.own, self.class_count = parameters, class_count
        self.cutting, self.recognises = parameters.cutting, parameters.recognises

    @classmethod
    def build(cls, parameters: FednParameters, input_width: int, class_count: int) -> Self:
        """Return a fresh detector."""
        return cls(parameters, input_width, class_count)

    def loss(self, outputs: Outputs, truths: Truths, mask: Tensor) -> Losses:
        """Return the weighted sum of interval and classification loss, and both."""
        targets = assign(
            truths.intervals,
            truths.emotions,
            truths.reach,
            self.anchors,
            self.window_frames,
            self.own.match,
            truths.most,
        )
        total, interval, classification = detection_loss(outputs, targets, self.own.loss)
        return Losses(total, (interval, classification))

    def decode(self, outputs: Outputs, mask: Tensor) -> Predictions:
        """Return every prediction's interval and class scores."""
        return Predictions(outputs.intervals, self.scores(outputs.logits))

    @property
    def widest(self) -> int:
        """The wider of a frame's feature and a segment's vector."""
        return max(self.input_width, self.own.detector.width)

    @classmethod
    def variants(cls, parameters: FednParameters) -> dict[str, FednParameters]:
        """Return the paper's ablations."""
        return {
            name: replace(parameters, detector=replace(parameters.detector, **parts))
            for name, parts in ABLATIONS.items()
        }

    def parts(self) -> dict[str, Sequence[str]]:
        """Return the parts that the paper names."""
        steps, blocks = [f"pyramid.steps.{place}" for place in range(len(self.pyramid.steps))], self.pyramid.block_count
        return {
            "segment_attention": ["segment_attention"],
            "window_attention": ["window_attention"],
            "blocks": steps[:blocks],
            "neck": steps[blocks:],
            "heads": [f"heads.{level}" for level in range(len(self.heads))],
        }

    def plain_operations(self) -> dict[str, int]:
        """Return what the paper counts: segments as if they did not overlap."""
        return operations.plain(self.own.detector, self.input_width, self.class_count)
