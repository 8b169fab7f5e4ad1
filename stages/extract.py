"""The stage `extract`: aligned frames, once through a frozen encoder -> one shard of features per video."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cache import checked
from cache.errors import InputError
from cache.fingerprints import frame_digests
from cache.shards import features, frames, manifest, upkeep
from cache.shards.manifest import Manifest
from cache.shards.ownership import ShardFolder
from cache.shards.upkeep import Made
from cache.sharing import inventory
from cache.tables import videos
from pipeline.encoder.resnet import ExtractParameters
from stages.parts import shard_folders
from stages.parts.feature_sources import Encoded, FeatureSource, Imported
from stages.shell import command, console, corpora, devices, options, params, places, runs


def main(
    corpus: options.CorpusName,
    frames_path: Annotated[Path, typer.Option("--frames", help="The folder of frame shards.")],
    output: Annotated[Path, typer.Option(help="The folder of feature shards.")],
    encoders: Annotated[Path, typer.Option(help="The folder of encoder weights.")] = Path("configs/weights"),
    stated_path: Annotated[Path | None, typer.Option("--stated", help="What `align` said of the frames.")] = None,
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
    source = choose(parameters, encoders, device, batch_size, shard_folders.run_of(output))
    known = checked.read(places.checked_file(output), output)
    folder = ShardFolder(output, corpus, features.LAYOUT, partial(features.is_current, known=known))
    frames_path = places.find(frames_path / manifest.NAME).parent
    if stated_path is not None and not frame_digests.are_here(frames_path, stated_path):
        keep(folder, source, stated_path, force, dry_run)
        shard_folders.remember(known)
        return
    aligned = manifest.read(frames_path)
    held = aligned.shards
    names = videos_of(aligned, frames_path)
    digests: dict[str, str] = {}
    planned = upkeep.plan(folder, names, lambda name: key_of(source, name, frames_path, aligned, digests), force)
    shard_folders.say_recovered("extract", output, planned)
    if dry_run:
        shard_folders.foretell("extract", output, planned)
        return
    run = runs.begin("extract", output)
    source.begin(len(planned.missing))
    with console.progress("extract", sum(held[name].frames for name in planned.missing), "frames", quiet) as advance:

        def make(name: str, path: Path) -> Made:
            with shard_folders.refusals(), frames.open_stated(frames_path, held[name]) as opened:
                found = source.features(name, opened, advance)
                found[~opened.columns.face_found] = 0
                features.write(path, found, opened.columns, planned.keys[name], source.layer)
                return Made(len(opened))

        told = {**source.facts(), **frame_digests.facts(digests, stated_path)}
        outcome = upkeep.keep_up(folder, planned, make, told)
    shard_folders.remember(known)
    run.note(made=bool(outcome.made), device=source.facts().get("device", ""))
    shard_folders.conclude("extract", output, outcome)


def keep(folder: ShardFolder, source: FeatureSource, stated_path: Path, force: bool, dry_run: bool) -> None:
    """Keep features that are current where their frames are not; InputError when one has to be made.

    A video that the table names is no orphan, though nothing may be said of its frames: it came by `cache merge`.
    """
    digests = frame_digests.of_features(folder.path, stated_path, folder.corpus)
    held = manifest.read(folder.path)
    made, table = held.run, inventory.videos_beside(folder.path)
    listed = {video.video for video in videos.read(table)} if table else set()
    merged = {name: entry.key for name, entry in held.shards.items() if name in listed and name not in digests}

    def key_of_kept(name: str) -> str:
        return merged[name] if name in merged else source.key(name, digests[name], made)

    planned = upkeep.plan(folder, sorted({*digests, *merged}), key_of_kept, force)
    if planned.missing:
        raise InputError(
            f"features of {len(planned.missing)} videos ({', '.join(list(planned.missing)[:3])}) are to be made, and "
            f"the frames that {stated_path} tells of are not here. {frame_digests.remedy(folder.corpus)}"
        )
    if dry_run:
        shard_folders.foretell("extract", folder.path, planned)
        return
    if isinstance(source, Imported):
        source.begin(0)
    # What is said of the run stays: these are the features of whoever made them, on their device.
    shard_folders.conclude("extract", folder.path, upkeep.keep_up(folder, planned, make_nothing, made))


def make_nothing(name: str, _: Path) -> NoReturn:
    """Raise: no video is missing, so none is made."""
    raise ValueError(f"the features of {name} were not to be made")


def refuse_others_folder(weights: str, usual: str, output: Path, corpus: str) -> None:
    """Raise ParameterError when a corpus asks for an encoder of its own, but features go where the usual one's lie."""
    if weights != usual == output.name:
        raise params.ParameterError(
            f"{corpora.path_of(corpus)} overrides extract.weights with {weights!r}, but {output} is for the features "
            f"of {usual!r}: dvc.yaml names folders by extract.weights of configs/params.yaml. Set it there, or for one "
            f"run: dvc exp run -S 'configs/params.yaml:extract.weights={weights}'"
        )


def choose(
    parameters: ExtractParameters, encoders: Path, device: str, batch_size: int, run: Mapping[str, Any]
) -> FeatureSource:
    """Return where features come from: the encoder that the parameters name, or the folder they import."""
    if parameters.imported is not None:
        return Imported(parameters.weights, Path(parameters.imported), encoders, parameters, run)
    return Encoded(parameters, encoders, devices.choose(device), batch_size or parameters.batch_size)


def videos_of(aligned: Manifest, folder: Path) -> list[str]:
    """Return the videos of the corpus: those whose frames there are, and those that `align` says are missing."""
    if aligned.kind != frames.LAYOUT.kind:
        raise InputError(f"{folder} holds {aligned.kind}, expected frames. Correct --frames.")
    if not aligned.shards:
        raise InputError(f"{folder} holds no frames yet. Run: facespan align, or dvc repro")
    return sorted({*aligned.shards, *manifest.missing(aligned)})


def key_of(source: FeatureSource, name: str, folder: Path, aligned: Manifest, digests: dict[str, str]) -> str:
    """Return the fingerprint of the features of one frame shard, and note the digest of its frames.

    Where the manifest states no digest, the shard is read.

    Raises:
        InputError: the video has none.
        ShardError: it had to be read, and is damaged.
    """
    if name not in aligned.shards:
        raise InputError(f"{folder} has no frames of it: align failed there, or did not finish. Run: facespan align")
    entry = aligned.shards[name]
    if entry.digest is not None:
        digests[name] = entry.digest
    else:
        with frames.open_stated(folder, entry) as opened:
            digests[name] = opened.digest
    return source.key(name, digests[name])


if __name__ == "__main__":
    command.run(main)
