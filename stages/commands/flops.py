"""`facespan flops`: what one window costs, part by part, as the paper counts and as facespan runs it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pipeline.detectors import flops
from pipeline.detectors.decoding import DetectParameters
from pipeline.encoder import resnet
from stages.parts import train_parameters
from stages.shell import console, documents, options, params


def main(
    settings: Annotated[
        list[str] | None, typer.Option("-S", "--set", help="Change a train parameter: -S head=coupled.")
    ] = None,
    params_path: options.Params = params.PARAMS,
    input_width: Annotated[int, typer.Option(help="Values of a frame's feature.")] = resnet.WIDTH,
    class_count: Annotated[int, typer.Option(help="Emotions; CAS(ME)^2 annotated has 4.")] = 4,
    image_size: Annotated[int, typer.Option(help="Side of the encoder's input in pixels; the paper's is 224.")] = 224,
    frames: Annotated[int, typer.Option(help="Of the video, for a network that sees it whole: a minute.")] = 1800,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Count operations (a multiply-add is two) and weights; parameters are the paper's unless -S changes them."""
    values = params.in_force(params_path, "train") | parse(settings or [])
    chosen = train_parameters.build(values, f"{params_path}: train")
    stride = params.read(params_path, "detect", DetectParameters).window_stride
    counted = flops.count(chosen.network, chosen.own, input_width, class_count, image_size, stride, frames)
    new = chosen.own.cutting.new_frames(frames, stride)
    seen = f"{new} frames that are new since the window before" if new < frames else f"{frames} frames of a video once"
    console.result(json.dumps(counted, indent=2) if as_json else as_text(counted, seen))


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


def as_text(counted: dict[str, Any], seen: str) -> str:
    """Return two tables: the network's variants, and the parts of the one asked for; a column a way of counting."""
    ways = {way: title for way, title in (("paper", "as the paper counts"), ("as_run", "as run")) if way in counted}
    widths = {"paper": 22, "as_run": 12}
    titles = "".join(f"{title:>{widths[way]}}" for way, title in ways.items())
    lines = [f"{'G operations a window':<28}{titles}"]
    lines += [
        f"{name:<28}" + "".join(f"{counted[way][name]:>{widths[way]}.2f}" for way in ways) for name in counted["as_run"]
    ]
    lines += ["", f"{'part':<28}{titles}{'weights':>14}"]
    lines += [
        f"{name:<28}" + "".join(f"{part[way]:>{widths[way]}.3f}" for way in ways) + f"{part['weights']:>14,.0f}"
        for name, part in counted["parts"].items()
    ]
    lines += ["", f"As run, the encoder sees only the {seen}."]
    return "\n".join(lines)
