"""The command `tenet blend`: a table of where the rows came from on stdout, what to know on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.console import Console
from tenet.ids import Json
from tenet.runs import find_run

if TYPE_CHECKING:
    from generate.blend.write import Blended


@click.command(
    epilog="Examples:\n\n\b\n  tenet blend support --config blend.yaml\n"
    "  tenet blend support --set strategy=routed --set min_agreement=0.85\n"
    "  tenet blend support --sweep --out sweep\n  tenet train dpo --model MODEL --data runs/support/blends/routed"
)
@click.argument("run")
@click.option("--config", "file", type=click.Path(path_type=Path), metavar="FILE", help="blend.yaml.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to write.  [default: RUN/blends/NAME]"
)
@click.option(
    "--sweep", is_flag=True, help="Five datasets of the same pairs: 0, 25, 50, 75 and 100 % labelled by people."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a key of blend.yaml.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def blend(run: str, file: Path | None, out: Path | None, sweep: bool, overrides: Sequence[str], as_json: bool) -> None:
    """Blend the labels of RUN with those of people into one dataset.

    The labels are those in the run (tenet labels import, tenet labels page). Each row's column `source` says where its probability came
    from: ai, human, or blend. How far people and judge are believed moves the probability alone, never the weight. blend.json beside
    the dataset says what the rows follow from and why pairs were left out. Nothing is asked of a model.
    """
    from generate.blend.config import BlendConfig
    from generate.blend.write import blend_run, sweep_run
    from tenet.config import load_config, make_config

    console = Console(json=as_json)
    if sweep:
        overrides = (*overrides, "strategy=fraction", "share=0.5")  # each dataset has its own share
    config = load_config(file, BlendConfig, overrides) if file else make_config({}, BlendConfig, overrides)
    path = find_run(run)
    found = sweep_run(path, config, out) if sweep else (blend_run(path, config, out),)
    for line in dict.fromkeys(line for one in found for line in one.warnings):
        console.say(line)
    if as_json:
        told: list[Json] = [{"folder": str(one.folder), **one.manifest} for one in found]
        console.data(told if sweep else told[0])
    else:
        _table(found, console)
    for one in found:
        console.say(f"Written to {one.folder}; train on it with: tenet train dpo --model MODEL --data {one.folder}")


def _table(found: Sequence[Blended], console: Console) -> None:
    names = ("ai", "human", "blend", "revision")
    rows: list[list[Json]] = []
    for one in found:
        tally = one.blend.tally
        counts: list[Json] = [len(tally.p.get(name, ())) for name in names]
        rows.append([one.folder.name, tally.rows, *counts, tally.conflicts, sum(tally.dropped.values())])
    console.table(["dataset", "rows", *names, "conflicts", "left out"], rows)
    for reason, count in found[0].blend.tally.dropped.most_common():
        console.say(f"{count:,} pairs left out: {reason}")
    for reason, count in found[0].blend.material.unused.items():
        console.say(f"{count:,} labels not used: {reason}")
