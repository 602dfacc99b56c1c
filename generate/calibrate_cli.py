"""The command `tenet calibrate`: a table on stdout, what to know on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.console import Console
from tenet.ids import Json
from tenet.runs import find_run

if TYPE_CHECKING:
    from generate.calibrating import Calibrated
    from judges.calibration.fit import Fitted
    from judges.calibration.selective import Rule


@click.command(
    epilog="Examples:\n\n\b\n  tenet labels import labels.csv --to runs/support\n  tenet calibrate support\n"
    "  tenet pairs runs/support/run.yaml --set pairs.min_agreement=0.85\n"
    "  tenet calibrate support --also support-critique --json"
)
@click.argument("run")
@click.option(
    "--anchors", "labels", type=click.Path(path_type=Path), metavar="FILE",
    help="Labels of people.  [default: those in the run]",
)  # fmt: skip
@click.option(
    "--also",
    multiple=True,
    metavar="RUN",
    help="A run that asked about the same responses in another way; may be repeated.",
)
@click.option(
    "--min-agreement", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="SHARE",
    help="Also show from which confidence the judge agrees with people so often.",
)  # fmt: skip
@click.option(
    "--confidence", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.9, show_default=True,
    help="How sure that is to be.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def calibrate(
    run: str, labels: Path | None, also: Sequence[str], min_agreement: float | None, confidence: float, as_json: bool
) -> None:
    """Fit the judge of RUN on labels of people, so that its probabilities mean what they say.

    The labels are matched to the run's pairs by the texts of prompt and responses. The fit goes into the run (calibration.json); pairs
    that are made from then on carry it in p_chosen, and nothing is asked anew. Its figures are of prompts that were not fitted on.
    With --also, cross-validation tells which way of asking agrees best with people on the pairs that all runs have.
    """
    from generate.calibrating import calibrate as fit
    from generate.calibrating import report_of

    console = Console(json=as_json)
    found = fit(find_run(run), labels, [find_run(one) for one in also])
    rule = None if min_agreement is None else found.stored.rule(min_agreement, confidence)
    for line in found.warnings:
        console.say(line)
    if as_json:
        console.data({**report_of(found), "rule": None if rule is None else rule.as_json()})
    else:
        _tables(found, rule, console)
    console.say(f"Written to {found.run / 'calibration.json'}")
    console.say(
        f"Make the pairs anew with it (asks no judge): tenet pairs {found.run / 'run.yaml'} --runs {found.run.parent}"
    )


def _tables(found: Calibrated, rule: Rule | None, console: Console) -> None:
    one = found.fitted
    console.table(
        ["", "log loss", "Brier", "ECE"],
        [
            [name, *(f"{value:.4f}" for value in (held.log_loss, held.brier, held.ece))]
            for name, held in (("before", one.before), ("after", one.after))
        ],
        title=f"{one.anchors:,} anchors of {one.prompts:,} prompts; scored: {one.scored} ({one.scored_anchors:,} anchors)",
        right={"log loss", "Brier", "ECE"},
    )
    high = f"{one.slope.high:.3f}" if one.slope.high < float("inf") else "unbounded"
    console.say(
        f"Map: {one.fit.name}. Slope of the log-odds {one.slope.value:.3f} (95 %: {one.slope.low:.3f} to {high})."
    )
    if one.agreement is not None:
        console.say(f"Where judge and people both name a winner, it is the same one in {one.agreement:.1%}.")
    for reason, count in found.heard.anchors.unused.items():
        console.say(f"{count:,} labels not used: {reason}")
    if found.ways is not None:
        _ways(found.ways, console)
    if rule is not None:
        console.say(words(rule))


def _ways(found: Fitted, console: Console) -> None:
    rows: list[list[Json]] = [[one.column, one.map, f"{one.log_loss:.4f}"] for one in found.candidates]
    title = f"Ways of asking, cross-validated on {found.fitted_anchors:,} anchors that all have"
    console.table(["run", "map", "log loss"], rows, title=title, right={"log loss"})
    console.say(f"{found.column} agrees best with people.")


def words(rule: Rule) -> str:
    """A rule of acceptance in a sentence."""
    stated = f"Agreement of {rule.min_agreement:.0%} at confidence {rule.confidence:.0%}"
    if rule.threshold is None or rule.agreement is None or rule.low is None:
        return f"{stated}: no threshold keeps it on these {rule.anchors:,} anchors; every pair would be left to people."
    return (
        f"{stated}: kept from a confidence of {rule.threshold:.3f} on, which {rule.coverage:.0%} of the anchors reach; "
        f"{rule.agreement:.1%} of them agree (at least {rule.low:.1%}). The others are left to people."
    )
