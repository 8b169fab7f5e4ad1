"""The stage `extract`: aligned frames, once through a frozen encoder -> one shard of features per video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache import features, frames, manifest, upkeep
from cache.manifest import ShardEntry
from pipeline.encoder import ExtractParameters
from stages import command, console, corpora, devices, options, params, shard_folders
from stages.feature_sources import Encoded, Imported, Source


def main(
    corpus: options.CorpusName,
    frames_path: Annotated[Path, typer.Option("--frames", help="The folder of frame shards.")],
    output: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    encoders: Annotated[Path, typer.Option(help="The folder of encoder weights.")] = Path("configs/weights"),
    params_path: options.Params = params.PARAMS,
    device: options.Device = "auto",
    batch_size: Annotated[int, typer.Option(help="Frames at once; 0 takes extract.batch_size.")] = 0,
    force: options.Force = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Encode every aligned frame once."""
    parameters = params.read(params_path, "extract", ExtractParameters, corpora.path_of(corpus))
    refuse_others_folder(parameters.weights, params.load_section(params_path, "extract")["weights"], output, corpus)
    source = choose(parameters, encoders, device, batch_size)
    held = manifest.read(frames_path).shards
    keys = {name: key_of(source, name, frames_path, entry) for name, entry in held.items()}
    missing = upkeep.plan(output, keys, features.is_current, force)
    if dry_run:
        console.result(f"extract: would make {len(missing)} of {len(keys)} shards in {output}")
        return
    source.begin()
    with console.progress("extract", sum(held[name].frames for name in missing), "frames", quiet) as advance:

        def make(name: str, path: Path) -> int:
            with frames.open(frames_path / held[name].file, sha256=held[name].sha256) as opened:
                found = source.features(name, opened, advance)
                found[~opened.columns.face_found] = 0
                features.write(path, found, opened.columns, keys[name], source.layer)
                return len(opened)

        outcome = upkeep.keep_up(output, "features", keys, missing, make, source.facts())
    shard_folders.conclude("extract", output, outcome)


def refuse_others_folder(weights: str, usual: str, output: Path, corpus: str) -> None:
    """Raise ParameterError when a corpus asks for an encoder of its own, but features go where the usual one's lie."""
    if weights != usual == output.name:
        raise params.ParameterError(
            f"{corpora.path_of(corpus)} overrides extract.weights with {weights!r}, but {output} is for the features "
            f"of {usual!r}: dvc.yaml names folders by extract.weights of configs/params.yaml. Set it there, or for one "
            f"run: dvc exp run -S 'configs/params.yaml:extract.weights={weights}'"
        )


def choose(parameters: ExtractParameters, encoders: Path, device: str, batch_size: int) -> Source:
    """Return where features come from: the encoder that the parameters name, or the folder they import."""
    if parameters.imported is not None:
        return Imported(parameters.weights, Path(parameters.imported), encoders, parameters)
    return Encoded(parameters, encoders, devices.choose(device), batch_size or parameters.batch_size)


def key_of(source: Source, name: str, folder: Path, entry: ShardEntry) -> str:
    """Return the fingerprint of the features of one frame shard."""
    with frames.open(folder / entry.file, sha256=entry.sha256) as opened:
        return source.key(name, opened.digest)


if __name__ == "__main__":
    command.run(main)
