"""`tenet card`: how far the judges of a run may be trusted. Knows click; the work is in `judges.card.build`."""

from __future__ import annotations

from pathlib import Path

import click

from tenet.console import Console


@click.command(
    epilog="Examples:\n\n\b\n  tenet card runs/support\n  tenet card runs/support --anchors labels.jsonl\n"
    "  tenet card support --json | jq '.judges[].accuracy'"
)
@click.argument("run")
@click.option(
    "--anchors", type=click.Path(path_type=Path), metavar="FILE",
    help="Labels of people to measure against, in any format of tenet labels import.  [default: the run's own]",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON instead of tables.")
def card(run: str, *, anchors: Path | None, seed: int, as_json: bool) -> None:
    """Measure how far the judges of RUN may be trusted, and write it to RUN/card.json.

    Order of showing, failed calls, agreement with people beside the ceiling that people set each other, probabilities, length,
    contradictions, principles; each figure with a 95 % bootstrap interval by prompt, or with the reason why it cannot be told.
    Asks no model. What the figures mean: docs/cards.md.
    """
    from judges.card.build import make_card, write_card
    from judges.card.show import words
    from tenet.runs import find_run

    console = Console(json=as_json)
    path = find_run(run)
    made = make_card(path, anchors, seed=seed)
    console.say(words(made))
    console.say(f"\nWritten to {write_card(path, made)}")
    if as_json:
        console.data(made.as_json())
