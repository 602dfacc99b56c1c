"""The command `tenet weigh`: a table on stdout, what to do with it on stderr."""

from __future__ import annotations

from pathlib import Path

import click

from tenet.console import Console
from tenet.runs import find_run


@click.command(
    epilog="Examples:\n\n\b\n  tenet labels import labels.csv --to runs/support\n  tenet weigh support\n"
    "  tenet pairs runs/support/run.yaml --set judge.weights=runs/support/weights.json"
)
@click.argument("run")
@click.option(
    "--anchors", "labels", type=click.Path(path_type=Path), metavar="FILE",
    help="Labels of people.  [default: those in the run]",
)  # fmt: skip
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write the weights.  [default: in the run]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def weigh(run: str, labels: Path | None, output: Path | None, as_json: bool) -> None:
    """Fit the weights of the propositions of RUN on labels of people, for a judge of kind propositions.

    A weight is the log-odds that a sure yes brings a response over a sure no. Rules are not weighed: they veto. The losses shown are of
    prompts that the weights were not fitted on. Nothing is asked anew.
    """
    from generate.weighing import weigh as fit

    console = Console(json=as_json)
    found = fit(find_run(run), labels, output)
    one = found.fitted
    if as_json:
        console.data({**found.weights.as_json(), "left_out": found.left_out, "path": str(found.path)})
    else:
        rows = [[name, f"{value:+.3f}"] for name, value in sorted(found.weights.values.items(), key=lambda it: -it[1])]
        console.table(
            ["proposition", "weight"], rows, right={"weight"},
            title=f"{one.pairs:,} labelled pairs of {one.prompts:,} prompts",
        )  # fmt: skip
    console.say(
        f"Log loss on held-out prompts: {one.log_loss:.4f} fitted, {one.unfitted_log_loss:.4f} with the file's weights."
    )
    if one.log_loss >= one.unfitted_log_loss:
        console.say("The fit is no better than the file's weights: leave judge.weights out, or label more pairs.")
    if found.left_out:
        console.say(f"{found.left_out:,} labelled pairs left out: decided by a rule, or not answered on both sides.")
    console.say(f"Written to {found.path}; use it with: --set judge.weights={found.path}")
