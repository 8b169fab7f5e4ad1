"""Origin of a report's numbers: encoder, warnings, how is counted, which commit made what, and what was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.detectors.registry import NETWORKS
from pipeline.scoring.protocols import PROTOCOLS
from stages.page.document import Changed, Origin, StageRun
from stages.reporting.material import Material, Places
from stages.shell import corpora, params, runs

SHIPPED = Path("configs/shipped.yaml")
# The sections whose values decide what was found, and how it is counted.
SECTIONS = ("align", "extract", "train", "detect", "evaluate")
RANDOM = "The encoder's weights are random: it has learned nothing, so these numbers mean nothing for real faces."
INVENTED = "The faces of this corpus are drawn by a program: these numbers say nothing of real faces."


@dataclass(frozen=True)
class Background:
    """What files beside a run tell of it.

    Attributes:
        changed: parameters that are not those facespan ships; None where the run's are not kept beside it.
        runs: how stages made it.
    """

    changed: Sequence[Changed] | None
    runs: Sequence[StageRun]


def origin_of(material: Material, background: Background, notes: Sequence[str]) -> Origin:
    """Return where the numbers of a run come from.

    Args:
        notes: what a reader has to know besides, in sentences.
    """
    encoder = material.figures["encoder"]
    size = f"{encoder['image_size']} px" if encoder["image_size"] else "features made elsewhere"
    is_invented = bool(corpora.load(material.corpus).facts.get("invented"))
    warnings = {RANDOM: not encoder["has_learned"], INVENTED: is_invented}
    return Origin(
        corpus=material.corpus,
        encoder=f"{encoder['name']}, {size}",
        warnings=[*(sentence for sentence, holds in warnings.items() if holds), *material.notes, *notes],
        protocol=protocol(material.figures),
        confidence_level=material.figures["intervals"]["level"],
        subjects=len({row.subject for row in material.table}),
        videos=len(material.table),
        expressions=len(material.known),
        runs=background.runs,
        changed=background.changed,
    )


def protocol(figures: Mapping[str, Any]) -> list[str]:
    """Return how is counted, in sentences."""
    ours, told = PROTOCOLS["one_to_one"], figures["intervals"]
    nested = ", by detectors that saw neither" if figures["nested"] else ""
    return [
        f"Spotting: {ours.comparison}, {ours.overlap}; {ours.pairing}; {ours.averaging}.",
        "Recognition: the emotion of what spotting found. Detection: only an expression of the same emotion is found.",
        "mAP: mean over IoU 0.50, 0.55, ... 0.95 of average precision, interpolated at every point; of detection also "
        "over emotions.",
        f"Each subject is scored by a detector that never saw it; its threshold is chosen on the others{nested}.",
        f"Intervals: {told['level']:.0%} over subjects, {told['repetitions']} times redrawn; guessing: mean of "
        f"{figures['guessing']['repetitions']} drawings.",
    ]


def runs_of(places: Places) -> list[StageRun]:
    """Return how each stage made what lies there."""
    made = {
        "index": places.videos,
        "align": places.frames,
        "extract": places.features,
        "train": places.detectors,
        "detect": places.detections,
        "evaluate": places.figures,
    }
    return [run_of(stage, path) for stage, path in made.items()]


def run_of(stage: str, path: Path | None) -> StageRun:
    """Return how a stage made what lies at a path; without commit and time where nobody here knows."""
    record = None if path is None else runs.of(stage, path)
    if record is None:
        return StageRun(stage, None, False, "", "")
    told = [record.device, *(f"{name} {version}" for name, version in record.versions.items())]
    return StageRun(stage, record.commit, record.changed, record.made, ", ".join(filter(None, told)))


def changed_of(params_path: Path, corpus_path: Path, shipped_path: Path = SHIPPED) -> list[Changed]:
    """Return the parameters in force, a corpus' overrides among them, that are not those that facespan ships.

    Raises:
        ParameterError: a file or a section is missing.
    """
    shipped, overrides = params.load(shipped_path), params.overrides_of(corpus_path)
    told = []
    for section in SECTIONS:
        values = _merged(params.load_section(params_path, section), overrides.get(section, {}))
        for name in NETWORKS.keys() - {values.get("network")}:
            values.pop(name, None)  # the block of a network that is not chosen changes nothing
        for name, value in _flat(values).items():
            # A network's block goes before the keys that all networks share.
            default = _flat(shipped[section]).get(name, shipped[section].get(name.rpartition(".")[2]))
            if value != default:
                told.append(Changed(f"{section}.{name}", value, default))
    return told


def _merged(plain: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values after overrides, of which a block changes single values of a block."""
    values = dict(plain)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(values.get(name), dict)
        values[name] = values[name] | value if both else value
    return values


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
