"""`facespan cache`: look at folders of shards, verify, compare, merge, clear, export, import.

What is heavy is imported where it is used: `ls` answers before HDF5, Arrow or PyTorch would be loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cache.errors import InputError, ShardError
from cache.printing import printable
from cache.sharing import inventory
from cache.sharing.inventory import FEATURES
from stages.sharing import shard_places, shard_reports
from stages.sharing.shard_places import DATA
from stages.sharing.shard_reports import several
from stages.shell import console, corpora, options, places
from stages.shell.command import ExitCode, guarded

if TYPE_CHECKING:
    from cache.sharing import transfer

app = typer.Typer(no_args_is_help=True, help="Folders of frames and features.", pretty_exceptions_enable=False)

What = Annotated[str, typer.Argument(help="A folder of shards, or a corpus.", metavar="WHAT")]
Data = Annotated[Path, typer.Option("--data", help="The folder of all corpora.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Archive = Annotated[Path, typer.Argument(help="The archive.", metavar="FILE")]


@app.command("ls")
@guarded
def list_folders(
    what: Annotated[str, typer.Argument(help="A folder, or a corpus; all of data/ without it.", metavar="[WHAT]")] = "",
    data: Data = DATA,
    as_json: AsJson = False,
) -> None:
    """List folders of shards by what their manifests state; no shard is opened."""
    summaries: list[inventory.Summary] = []

    def summarise(folder: Path) -> None:
        summaries.append(inventory.summarise(folder))

    code = _each(shard_places.find(what or str(data), data), summarise)
    found = [asdict(one) for one in summaries]
    console.result(json.dumps(found, indent=2) if as_json else shard_reports.of_summaries(found))
    _stop(code)


@app.command()
@guarded
def info(
    what: What,
    data: Data = DATA,
    per_video: Annotated[bool, typer.Option("--videos", help="Also every video.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what folders of shards hold: also rates, alignment and the share of frames without a face."""
    from cache.sharing import coverage

    found: list[dict[str, Any]] = []

    def examine(folder: Path) -> None:
        found.append(asdict(coverage.examine(folder)))

    code = _each(shard_places.find(what, data), examine)
    for facts in found:
        for video, problem in facts["unread"].items():
            console.say(f"{video}: {problem}")
            code = ExitCode.SHARD
    if as_json:
        console.result(json.dumps(found, indent=2))
    else:
        console.result("\n\n".join(shard_reports.of_facts(facts, per_video) for facts in found))
    _stop(code)


@app.command()
@guarded
def verify(
    what: Annotated[str, typer.Argument(help="A folder, or a corpus; all of data/ without it.", metavar="[WHAT]")] = "",
    data: Data = DATA,
    frames: Annotated[Path | None, typer.Option(help="What features were made from, if not beside them.")] = None,
    videos: Annotated[Path | None, typer.Option(help="videos.parquet, if not beside them.")] = None,
    sample: Annotated[int, typer.Option(help="Encode so many frames again, and compare.", min=0)] = 0,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference, as a share of the largest value; and of a cosine from 1.", min=0)
    ] = 0.01,
    encoders: Annotated[Path, typer.Option(help="The folder of encoders.")] = Path("configs/weights"),
    device: options.Device = "auto",
    as_json: AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Read every byte: digests, keys, lengths against frames and table, timestamps, values.

    Of a corpus also tables, detectors, encoders and what git tracks of it. Nothing is taken for checked already.

    Exit code 1 when something is wrong, 5 when a manifest cannot be read.
    """
    from cache import checked
    from cache.shards import manifest
    from cache.sharing import integrity
    from stages.parts import shard_folders

    reports: list[dict[str, Any]] = []
    folders = shard_places.find(what or str(data), data)
    named = shard_places.corpora(what, folders)

    def check(folder: Path) -> None:
        try:
            held, has_digest = inventory.summarise(folder), manifest.read(folder).has_digest
        except ShardError as problem:
            corpus = next((corpus.name for corpus, own in named.items() if folder in own), "CORPUS")
            raise ShardError(str(problem).replace("CORPUS", corpus)) from problem
        aligned = (frames or inventory.frames_beside(folder)) if held.kind == FEATURES else None
        if named and aligned is not None and manifest.damaged_text(aligned) is not None:
            aligned = None  # of a corpus they are told of apart
        known = checked.read(places.checked_file(folder), folder)
        faults = []
        try:
            compared = integrity.beside(aligned, videos or inventory.videos_beside(folder))
        except InputError as problem:
            compared = integrity.beside(aligned, None)
            if not named:  # of a corpus its tables are told of apart
                faults.append(integrity.ShardFault("", "damaged", printable(str(problem))))
        with console.progress("verify", held.bytes, "bytes", quiet) as advance:
            faults += integrity.verify(folder, compared, advance, known=known)
        shard_folders.remember(known)
        report = asdict(held) | {"faults": [asdict(fault) for fault in faults], "beside": compared.named}
        report["without_digest"] = [] if has_digest else [str(folder / manifest.NAME)]
        if sample and held.kind == FEATURES and not faults:
            from stages.sharing import encoder_check

            report["sample"] = encoder_check.report(folder, aligned, encoders, device, sample, tolerance)
        elif sample:
            reason = "it holds no features" if held.kind != FEATURES else "first what is wrong with it is to be mended"
            console.say(f"verify: no frame of {folder} was encoded again: {reason}")
        reports.append(report)

    code = _each(folders, check)
    for corpus, own in named.items():
        from stages.sharing import carried_digests

        reports.append(carried_digests.verify(corpus, own, encoders))
    console.result(json.dumps(reports, indent=2) if as_json else "\n".join(map(shard_reports.of_verified, reports)))
    sound = all(not report["faults"] and report.get("sample", {}).get("within", True) for report in reports)
    _stop(code or (ExitCode.DONE if sound else ExitCode.DIFFERENCES))


@app.command()
@guarded
def diff(
    first: Annotated[str, typer.Argument(help="A folder of shards, or a corpus.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Likewise.", metavar="B")],
    data: Data = DATA,
    kind: Annotated[
        Literal["features", "frames"], typer.Option(help="Which folder of a corpus is meant.")
    ] = "features",
    as_json: AsJson = False,
) -> None:
    """Say which videos and which fields of the key differ, and how far the features of the others are apart.

    Exit code 1 when there is a difference.
    """
    from stages.sharing import feature_comparison

    one, other = (shard_places.find_one(named, data, kind) for named in (first, second))
    found = feature_comparison.report(one, other)
    console.result(json.dumps(found, indent=2) if as_json else shard_reports.of_differences(found))
    _stop(ExitCode.DIFFERENCES if found["differ"] else ExitCode.DONE)


@app.command()
@guarded
def merge(
    first: Annotated[str, typer.Argument(help="A folder of shards, or a corpus: what gains.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Likewise: verified whole, then copied from.", metavar="B")],
    data: Data = DATA,
    kind: Annotated[
        Literal["features", "frames"], typer.Option(help="Which folder of a corpus is meant.")
    ] = "features",
    output: Annotated[Path | None, typer.Option(help="A new folder for both; without it, A itself.")] = None,
    prefer: Annotated[
        Literal["first", "second"] | None, typer.Option(help="Whose to take of videos that both have differently.")
    ] = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Add the shards of B to A, when both were made in one way, of one corpus."""
    from cache.sharing import leftovers
    from cache.sharing import merge as merging

    ours, theirs = (shard_places.find_one(named, data, kind) for named in (first, second))
    size = inventory.summarise(theirs).bytes
    with console.progress("verify", size, "bytes", quiet) as advance:
        planned = merging.plan(ours, theirs, output, prefer, advance)
    size, count = planned.byte_count, len(planned.copied)
    told = f"{several(count, 'shard')}, {size / 1e6:,.1f} MB, into {planned.destination}"
    if dry_run:
        console.result(f"merge: would copy {told} ({len(planned.kept)} kept)")
        return
    with console.progress("merge", size, "bytes", quiet) as advance:
        merging.carry_out(planned, advance)
    console.result(f"merge: copied {told} ({len(planned.kept)} kept)")
    corpus = leftovers.corpus_of(planned.destination)
    if corpus is not None and (strange := sorted(set(planned.copied) - corpus)):
        console.say(
            f"merge: the corpus does not name {', '.join(strange[:5])}{' and others' if strange[5:] else ''} yet: the "
            "next dvc repro removes these shards, unless their videos are added as well, and their frames where there "
            "are frames; without frames it keeps what the table of videos names"
        )


@app.command()
@guarded
def gc(
    what: What,
    data: Data = DATA,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it; without this, only say what would go.")] = False,
    dry_run: options.DryRun = False,
) -> None:
    """Remove shards of videos that the corpus has no more, earlier shards, and what killed processes left.

    Only what a manifest of ours names goes, and only while it is what that states.
    """
    from cache.sharing import leftovers

    def clear(folder: Path) -> None:
        corpus = leftovers.corpus_of(folder)
        found = leftovers.find(folder, corpus)
        for reason, paths in (
            ("of a video that the corpus has no more", [folder / entry.file for entry in found.orphans.values()]),
            ("earlier, and not made again", [folder / entry.file for entry in found.stale.values()]),
            ("half written, by a process that is dead", found.temporaries),
        ):
            for path in paths:
                console.result(f"{path}: {reason}")
        if corpus is None:
            console.say(f"gc: neither table nor frames say which videos belong to {folder}, so none is an orphan")
        if not found.count:
            console.result(f"gc: {folder} holds nothing to remove")
            return
        if dry_run or not yes:
            size = f"{found.byte_count / 1e6:,.1f} MB"
            console.result(f"gc: {several(found.count, 'file')}, {size} would go from {folder}; remove them: --yes")
            return
        cleared = leftovers.clear(folder, corpus)
        for path in cleared.left:
            console.say(f"gc: {path} is not what was stated, or somebody works on it, and was left")
        console.result(f"gc: {several(len(cleared.removed), 'file')} removed from {folder}")

    _stop(_each(shard_places.find(what, data), clear))


@app.command("export")
@guarded
def export(
    what: What,
    file: Archive,
    data: Data = DATA,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Replace the names of subjects and videos by keyed ones.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="The secret key of the pseudonyms, made when missing; FILE.key without it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace FILE.")] = False,
) -> None:
    """Write features and the tables that training needs into one archive; no images."""
    from cache import files
    from cache.sharing import pseudonyms as naming
    from cache.sharing import transfer

    if file.exists() and not force:
        raise InputError(f"{file} is there already. Name another FILE, or replace it: --force")
    if key is not None and not pseudonyms:
        raise InputError("--key is of use with --pseudonyms only.")
    folder = shard_places.find_one(what, data, FEATURES)
    names = None
    if pseudonyms:
        place = key or file.with_name(f"{file.name}.key")
        names, is_new = naming.read_or_make_key(place)
        console.say(
            f"export: the names are by {'a new key' if is_new else 'the key'} in {place}: keep it, and never hand it on"
        )
    handed = transfer.export(folder, file, names)
    console.result(f"export: {_handed(handed)} -> {file}, {file.stat().st_size / 1e6:,.1f} MB")
    console.result(f"SHA-256 {files.sha256_of(file)}")


@app.command("import")
@guarded
def import_archive(
    file: Archive,
    data: Data = DATA,
    output: Annotated[Path | None, typer.Option(help="The corpus' folder; data/<its name> without it.")] = None,
    sha256: Annotated[str | None, typer.Option(help="What the file has to have, as `export` printed it.")] = None,
) -> None:
    """Put the features and tables of an archive in place: all of them, checked to the last value, or nothing."""
    from cache.sharing import transfer

    handed = transfer.take_in(file, sha256, data, output)
    corpus, name = handed.folder.parent.parent, handed.title.corpus
    console.result(f"import: {_handed(handed)} -> {corpus}")
    if handed.mended:
        some = f"{', '.join(handed.mended[:5])}{' and others' if handed.mended[5:] else ''}"
        console.say(f"import: {several(len(handed.mended), 'shard')} there missing or damaged, now replaced: {some}")
    if not (described := corpora.FOLDER / f"{name}.yaml").is_file():
        console.say(f"import: {described} is not here: give it the classes of the corpus, as any other in that folder")
    console.say(
        f"next: facespan train {name} --videos {corpus}/videos.parquet --expressions {corpus}/expressions.parquet "
        f"--features {handed.folder} --output results/{corpus.name}/detectors "
        f"--losses results/{corpus.name}/plots/losses.csv"
    )


def _each(folders: list[Path], act: Callable[[Path], None]) -> int:
    """Call for every folder; one that is damaged or lacks something fails alone; the worst gives the exit code."""
    code = ExitCode.DONE
    for folder in folders:
        try:
            act(folder)
        except ShardError as problem:
            console.say(f"error: {problem}")
            code = ExitCode.SHARD
        except InputError as problem:
            console.say(f"error: {problem}")
            code = code or ExitCode.INPUT
    return code


def _stop(code: int) -> None:
    if code:
        raise typer.Exit(int(code))


def _handed(handed: transfer.Handed) -> str:
    names = "under pseudonyms" if handed.title.pseudonyms else "under their names"
    counts = f"{handed.frame_count:,} frames, {several(handed.expressions, 'expression')}"
    of = f"features {handed.title.encoder} of {handed.title.corpus}"
    return f"{several(len(handed.shards), 'video')} {names}, {counts}, {of}"
