"""`tenet labels`: labels of people into a run and out of it, and how far people agree.

Knows files and the console; the checks are in `importer`, the tools' files in `exporting`, the figures in `agreement`. Commands that need
a run's records are named in `ELSEWHERE`.
"""

from __future__ import annotations

from pathlib import Path

import click

from judges.formats.registry import FORMATS
from tenet.cligroup import GroupWithMore
from tenet.errors import MissingInput, UsageError
from tenet.records import Choice

FORMAT_LIST = "\b\nFormats:\n" + "".join(f"  {one.name:<24} {one.summary}\n" for one in FORMATS.values() if one.labels)


# Commands that stand elsewhere, imported when they are used.
ELSEWHERE = {"page": "generate.labelling_cli:page", "dataset": "generate.labelled_cli:dataset"}


@click.group(cls=GroupWithMore, elsewhere=ELSEWHERE)
def labels() -> None:
    """Collect labels of people, to check or to blend with a judge's; bring them in and out; measure how far people agree."""


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
@click.option(
    "--choice",
    "words",
    multiple=True,
    metavar="WORD=CHOICE",
    help="What the file's word for a choice means: a, b, tie or skip.",
)
@click.option("--annotator", default="", metavar="NAME", help="Whose labels they are, where the file does not say.")
@click.option("--models", is_flag=True, help="Take opinions that the format gives as a model's as labels too.")
@click.option("--lenient", is_flag=True, help="Skip and count rows that cannot be read, instead of stopping.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def import_command(
    file: Path,
    target: Path,
    pairs: tuple[str, ...],
    ignore: tuple[str, ...],
    form: str,
    words: tuple[str, ...],
    annotator: str,
    *,
    models: bool,
    lenient: bool,
    as_json: bool,
) -> None:
    """Import a file of labels (JSONL, JSON, CSV, TSV or Parquet), all of it or nothing.

    Columns of the format tenet: prompt, response_a, response_b, preference (a, b, tie or skip), annotator; if known strength
    (0 to 1), shown_first (a or b), principle, time (ISO 8601), inclusion_probability (above 0, to 1), response_a_id and
    response_b_id (the samples of a run), ranking (of pairs taken from one ranking), comment. Any other file is read as these
    columns with --map and --choice. What is left out and what looks wrong is told with its lines: docs/labels.md.
    """
    from judges.formats.base import Columns
    from judges.humans.importer import Labels
    from judges.humans.matching import known_pairs
    from judges.humans.store import add_labels, store_path
    from tenet.console import Console

    path = store_path(target)
    columns = Columns(_pairs(pairs), frozenset(ignore), _choices(words), annotator.strip())
    labels_ = Labels(
        file, format=form, columns=columns, strict=not lenient, models=models, known=known_pairs(path.parent)
    )
    merged = add_labels(path, labels_, withdrawn=labels_.withdrawn)
    counts = labels_.counts
    console = Console(json=as_json)
    console.say(f"{file.name} is read as {labels_.stream.format.name}")
    for line in counts.lines():
        console.say(line)
    known = counts.labels - merged.new
    console.say(f"{path}: {merged.total:,} labels, {merged.new:,} of them new, {known:,} were there already")
    if merged.taken_back:
        console.say(f"{path}: {merged.taken_back:,} labels that were there are taken back by {file.name}")
    if 0 < counts.labels == counts.unknown:
        console.say(
            f"Warning: none of the {counts.labels:,} labels of {file.name} is of a pair of {path.parent}, so they say nothing about it. "
            "Are they of another run? See which there are with: tenet runs list\n"
            f"Look at a run's prompts with: tenet view RUN; then: tenet labels import {file} --to RUN"
        )
    if as_json:
        told = {"format": labels_.stream.format.name, **counts.as_json()}
        held = {"total": merged.total, "new": merged.new, "taken_back": merged.taken_back}
        console.data({**told, "path": str(path), **held})


def _choices(words: tuple[str, ...]) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    for word in words:
        theirs, _, ours = (part.strip().lower() for part in word.rpartition("="))
        if not theirs or ours not in list(Choice):
            hint = "write WORD=CHOICE with a, b, tie or skip, as in --choice left=a"
            raise UsageError(f"--choice {word} is no pair", hint=hint)
        if found.setdefault(theirs, Choice(ours)) != ours:
            raise UsageError(f"--choice gives {theirs} twice", hint="give each word one meaning")
    return found


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


@labels.command(
    "export",
    epilog="Examples:\n\n\b\n  tenet labels export runs/support --to csv --out labels.csv\n"
    "  tenet labels export support --to label-studio --pairs --out tasks.json",
)
@click.argument("run")
@click.option(
    "--to", "tool", required=True, type=click.Choice(["argilla", "label-studio", "csv", "jsonl"]), help="For what."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to.  [default: standard output]")
@click.option("--pairs", is_flag=True, help="The pairs of RUN that nobody has labelled, instead of the labels.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON; needs --out.")
def export_command(run: str, tool: str, out: Path | None, *, pairs: bool, as_json: bool) -> None:
    """Write the labels of RUN (a run, or a .jsonl file of labels), or its pairs to be labelled, for an annotation tool.

    What people say there comes back with tenet labels import, the labels whole and no label twice: docs/labels.md.
    """
    from judges.humans.exporting import WRITERS, tasks_of
    from judges.humans.store import read_store, store_path
    from judges.humans.unlabelled import unlabelled
    from tenet.console import Console
    from tenet.runs import atomic, find_run

    if as_json and out is None:
        raise UsageError("--json needs --out: both would be standard output", hint="name a file: --out FILE")
    plain = Path(run).suffix == ".jsonl" and not pairs
    path = Path(run) if plain else find_run(run)
    store = store_path(path)
    if not pairs and not store.is_file():
        raise MissingInput(f"{run} has no labels", hint=f"import some: tenet labels import FILE --to {run}")
    held = read_store(store)
    tasks = list(unlabelled(path, held)) if pairs else tasks_of(held)
    count = len(tasks) if pairs else len(held)
    console = Console(json=as_json)
    if out is None:
        for piece in WRITERS[tool](tasks):
            click.echo(piece, nl=False)
    else:
        atomic.make_folder(out.absolute().parent)
        with atomic.replacing(out) as file:
            for piece in WRITERS[tool](tasks):
                file.write(piece.encode("utf-8"))
    console.say(f"{count:,} {'pairs to be labelled' if pairs else 'labels'}{f' written to {out}' if out else ''}")
    if as_json:
        console.data({"to": tool, "what": "pairs" if pairs else "labels", "count": count, "path": str(out)})


@labels.command(
    "agreement",
    epilog="Examples:\n\n\b\n  tenet labels agreement runs/support\n  tenet labels agreement support --show 3",
)
@click.argument("run")
@click.option(
    "--show",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Print the texts of N pairs on which people differ.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON instead of tables.")
def agreement_command(run: str, *, show: int, seed: int, as_json: bool) -> None:
    """Measure how far the people who labelled RUN agree: with each other, with its judges, by principle and over time.

    Each figure with a 95 % bootstrap interval by prompt, or with the reason why it cannot be told; the ceiling that people set each
    other; who differs on which pairs. Asks no model.
    """
    from judges.humans import agreement_show
    from judges.humans.agreement import measure
    from tenet.console import Console
    from tenet.runs import find_run

    path = find_run(run)
    found = measure(path, seed=seed)
    console = Console(json=as_json)
    if as_json:
        console.data(agreement_show.as_json(found))
    else:
        console.data(agreement_show.words(found))
    if show:
        console.say(agreement_show.texts(path, found.disagreements[:show]))
