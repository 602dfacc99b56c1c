"""`tenet labels`: brings labels of people into a run.

Knows files and the console; the checks are in `importer`. Commands that need a run's records are named in `ELSEWHERE`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from judges.formats.registry import FORMATS
from tenet.errors import UsageError

FORMAT_LIST = "\b\nFormats:\n" + "".join(f"  {one.name:<16} {one.summary}\n" for one in FORMATS.values() if one.labels)


# Commands that stand elsewhere, imported when they are used.
ELSEWHERE = {"page": "generate.labelling_cli:page"}


class _Group(click.Group):
    """The commands of this module, and those that stand elsewhere."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *ELSEWHERE]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, name = ELSEWHERE[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Group)
def labels() -> None:
    """Collect labels of people, to check or to blend with a judge's."""


@labels.command(
    "import",
    epilog=f"{FORMAT_LIST}\n\nExample: tenet labels import labels.csv --to runs/support --map annotator=worker",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="A run's folder, or a .jsonl file."
)
@click.option("--map", "pairs", multiple=True, metavar="OURS=THEIRS", help="Which column of the file one of ours is.")
@click.option("--ignore", multiple=True, metavar="COLUMN", help="A column of the file to leave out.")
@click.option("--format", "form", default="auto", show_default=True, help="auto, or one of the formats below.")
@click.option("--lenient", is_flag=True, help="Skip and count rows that cannot be read, instead of stopping.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def import_command(
    file: Path,
    target: Path,
    pairs: tuple[str, ...],
    ignore: tuple[str, ...],
    form: str,
    *,
    lenient: bool,
    as_json: bool,
) -> None:
    """Import a file of labels (JSONL, JSON, CSV, TSV or Parquet), all of it or nothing.

    Columns of the format tenet: prompt, response_a, response_b, preference (a, b, tie or skip), annotator; if known strength
    (0 to 1), shown_first (a or b), principle, time (ISO 8601), inclusion_probability (above 0, to 1), response_a_id and
    response_b_id (the samples of a run).
    """
    from judges.humans.importer import read_labels
    from judges.humans.store import add_labels, store_path
    from tenet.console import Console

    path = store_path(target)
    found = read_labels(file, format=form, names=_pairs(pairs), ignored=ignore, strict=not lenient)
    merged = add_labels(path, found.labels)
    console = Console(json=as_json)
    for line in found.counts.lines():
        console.say(line)
    known = found.counts.labels - merged.new
    console.say(f"{path}: {merged.total:,} labels, {merged.new:,} of them new, {known:,} were there already")
    if as_json:
        console.data({**found.counts.as_json(), "path": str(path), "total": merged.total, "new": merged.new})


def _pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    names: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if not (ours and equals and theirs):
            raise UsageError(f"--map {pair} is no pair", hint="write OURS=THEIRS, as in --map annotator=worker")
        if ours in names:
            raise UsageError(f"--map gives {ours} twice", hint="map each column once")
        names[ours] = theirs
    return names
