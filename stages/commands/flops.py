"""`facespan flops`: what one window costs, part by part, as the paper counts and as facespan runs it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipeline.detectors import flops
from pipeline.detectors.decoding import DetectParameters
from pipeline.encoder import resnet
from pipeline.training.fold import PARTS
from stages.shell import console, documents, options, params


def main(
    settings: Annotated[
        list[str] | None, typer.Option("-S", "--set", help="Change a train parameter: -S head=coupled.")
    ] = None,
    params_path: options.Params = params.PARAMS,
    input_width: Annotated[int, typer.Option(help="Values of a frame's feature.")] = resnet.WIDTH,
    class_count: Annotated[int, typer.Option(help="Emotions; CAS(ME)^2 annotated has 4.")] = 4,
    image_size: Annotated[int, typer.Option(help="Side of the encoder's input in pixels; the paper's is 224.")] = 224,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Count operations (a multiply-add is two) and weights; parameters are the paper's unless -S changes them."""
    values = params.in_force(params_path, "train") | parse(settings or [])
    detector = params.build_parts(values, PARTS, f"{params_path}: train")[0]
    stride = params.read(params_path, "detect", DetectParameters).window_stride
    counted = flops.count(detector, input_width, class_count, image_size, stride)
    console.result(json.dumps(counted, indent=2) if as_json else as_text(counted, stride))


def parse(settings: list[str]) -> dict[str, Any]:
    """Return `name=value` settings, with or without `train.` before the name; values are read as YAML."""
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise params.ParameterError(f"-S {setting}: expected NAME=VALUE, such as -S head=coupled")
        try:
            found[name.removeprefix("train.")] = documents.parse(value)
        except ValueError as error:
            raise params.ParameterError(f"-S {setting}: {error}") from error
    return found


def as_text(counted: dict[str, Any], stride: int) -> str:
    """Return two tables: the ablations, and the parts of the detector asked for."""
    lines = [f"{'G operations a window':<28}{'as the paper counts':>22}{'as run':>12}"]
    lines += [f"{name:<28}{total:>22.2f}{counted['as_run'][name]:>12.2f}" for name, total in counted["paper"].items()]
    lines += ["", f"{'part':<28}{'as the paper counts':>22}{'as run':>12}{'weights':>14}"]
    lines += [
        f"{name:<28}{part['paper']:>22.3f}{part['as_run']:>12.3f}{part['weights']:>14,.0f}"
        for name, part in counted["parts"].items()
    ]
    lines += ["", f"As run, the encoder sees only the {stride} frames that are new since the window before."]
    return "\n".join(lines)
