"""The command `tenet labels dataset`: a file of labels to a dataset that `tenet train` reads. Knows click; the work is in `labelled`."""

from __future__ import annotations

from pathlib import Path

import click

from tenet.console import Console
from tenet.ids import Json


@click.command(
    epilog="Examples:\n\n\b\n  tenet labels dataset harmless-base.jsonl.gz --out data/harmless\n"
    "  tenet labels dataset runs/support --out data/people --to trl-preference --to reward\n"
    "  tenet train reward --model MODEL --data data/harmless"
)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write.")
@click.option(
    "--to", "formats", multiple=True, metavar="FORMAT",
    help="trl-preference, trl-unpaired, reward or sft; may be repeated.  [default: trl-preference and sft]",
)  # fmt: skip
@click.option(
    "--test-share", type=click.FloatRange(0, 0.9), default=0.05, show_default=True,
    help="Share of the prompts held out, as the split test.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N labels.")
@click.option("--format", "form", default="auto", show_default=True, help="auto, or a format of tenet labels import.")
@click.option("--lenient", is_flag=True, help="Skip and count rows that cannot be read, instead of stopping.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def dataset(
    source: Path, *, out: Path, formats: tuple[str, ...], test_share: float, limit: int | None, form: str, lenient: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Write labels of people as a dataset to train on: pairs with probabilities, and what they chose as demonstrations.

    SOURCE is any file that tenet labels import reads, or a folder with labels in it. Conversations are parted before the last answer,
    and prompts are split by their content, so that none stands in train and test. Asks no model.
    """
    from itertools import islice

    from generate.labelled import FORMATS, write_labelled
    from judges.humans.importer import Labels
    from judges.humans.store import NAME, stored_labels
    from tenet.errors import MissingInput

    console = Console(json=as_json)
    if source.is_dir():
        if not (source / NAME).is_file():
            raise MissingInput(f"{source} has no labels", hint=f"import some: tenet labels import FILE --to {source}")
        written = write_labelled(
            islice(stored_labels(source / NAME), limit),
            out,
            formats or FORMATS,
            test_share=test_share,
            name=source.name,
        )
    else:
        read = Labels(source, format=form, strict=not lenient)
        console.say(f"{source.name} is read as {read.stream.format.name}")
        written = write_labelled(
            islice(read, limit), out, formats or FORMATS, test_share=test_share, name=source.name.partition(".")[0]
        )
        if limit is None:
            for line in read.counts.lines():
                console.say(line)
    for line in written.pairs.lines():
        console.say(line)
    if as_json:
        console.data(written.as_json())
    else:
        splits = sorted({split for one in written.reports for split in one.splits}, reverse=True)
        rows: list[list[Json]] = [
            [one.name, *(one.splits.get(split, 0) for split in splits)] for one in written.reports
        ]
        console.table(["format", *splits], rows, title=str(out))
    console.say(f"train on it with: tenet train reward --model MODEL --data {out}")
