"""`tenet verdicts`: verdicts that judges gave elsewhere, as a run. Knows click and files; the work is in `generate.recorded`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from judges.formats.registry import AUTO, FORMATS
from tenet.console import Console

FORMAT_LIST = "\b\nFormats:\n" + "".join(f"  {one.name:<24} {one.summary}\n" for one in FORMATS.values())


@click.group()
def verdicts() -> None:
    """Bring in verdicts that judges gave elsewhere, to measure the judges by."""


@verdicts.command(
    "import",
    epilog=f"{FORMAT_LIST}\n\nExamples:\n\n\b\n  tenet verdicts import gpt-4/*/result.json --judge gpt-4 --to runs/llmbar\n"
    "  tenet verdicts import gpt-3.5-turbo-testset-v1.json --labels testset-v1.json --to runs/pandalm",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="The run's folder, new or imported before."
)
@click.option("--format", "form", default=AUTO, show_default=True, help="auto, or one of the formats below.")
@click.option(
    "--labels",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Files with people's labels, and the texts where FILES hold none.",
)
@click.option("--judge", default="", metavar="NAME", help="Who judged, where the files do not say.")
@click.option("--lenient", is_flag=True, help="Skip and count rows that cannot be read, instead of stopping.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def import_command(
    files: tuple[Path, ...],
    target: Path,
    form: str,
    labels: tuple[Path, ...],
    judge: str,
    *,
    lenient: bool,
    as_json: bool,
) -> None:
    """Import recorded verdicts, with the labels of people beside them, into a run folder, all of them or nothing.

    The files of one set go into one run, in one command or several. What was imported before stays as it is.
    """
    from generate.recorded import assemble, write_run
    from judges.formats.registry import read_file

    console = Console(json=as_json)
    strict = not lenient
    readings = [read_file(file, format=form, judge=judge, strict=strict) for file in files]
    readings += [read_file(file, judge=judge, strict=strict) for file in labels]
    found = assemble(readings, strict=strict)
    words = [str(part) for part in (*files, "--to", target, *(part for file in labels for part in ("--labels", file)))]
    whole = write_run(
        target,
        found,
        [file.name for file in (*files, *labels)],
        command=shlex.join(["tenet", "verdicts", "import", *words]),
        formats=[reading.format.name for reading in readings],
    )
    for reading in readings:
        for line in reading.lines():
            console.say(line)
    if found.unmatched:
        console.say(f"{len(found.unmatched):,} verdicts are about rows that no file holds, left out")
    console.say(
        f"{target}: {len(whole.prompts):,} prompts, {len(whole.samples):,} responses, {len(whole.judgements):,} judgements of "
        f"{', '.join(whole.judges) or 'no judge'}, {len(whole.ratings):,} ratings; {len(found.labels):,} labels of people"
    )
    console.say(f"how far these judges may be trusted: tenet card {target}")
    if as_json:
        console.data({"path": str(target), **found.as_json(), "files": [reading.as_json() for reading in readings]})
