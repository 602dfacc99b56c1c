"""The commands `tenet runs ...`. Knows click; the looking is in `tenet.listing`."""

from __future__ import annotations

from pathlib import Path

import click

from tenet.console import Console, money, quantity


@click.group()
def runs() -> None:
    """List the runs of a folder.

    \b
    Example:
      tenet runs list
    """


@runs.command("list", epilog="Examples:\n\n\b\n  tenet runs list\n  tenet runs list /data/runs --json | jq '.[0].path'")
@click.argument("folder", metavar="[DIR]", default="runs", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def list_(folder: Path, *, as_json: bool) -> None:
    """List the runs in DIR (default: runs), newest first: state, rows, judge, principles, size, tokens and cost.

    Opens no shard, so that it is quick: the rows of shards that are still open are not counted. `tenet status RUN` looks closer.
    """
    from tenet.listing import State, list_runs

    console = Console(json=as_json)
    found = list_runs(folder)
    if as_json:
        console.data([one.as_json() for one in found])
        return
    if not found:
        console.say(f"No runs in {folder}. Make one with: tenet generate run.yaml")
        return
    rows = [
        [
            one.path.name, one.state.value, one.created[:16].replace("T", " "), one.principles, one.judge, one.samples,
            one.verdicts, one.pairs, size(one.size), None if one.tokens is None else quantity(one.tokens),
            None if one.cost is None else f"{money(one.cost)} {one.currency}".rstrip(),
        ]
        for one in found
    ]  # fmt: skip
    columns = ["run", "state", "begun", "principles", "judge", "samples", "verdicts", "pairs", "size", "tokens", "cost"]
    shown = [place for place, _ in enumerate(columns) if place < 3 or any(row[place] not in (None, "") for row in rows)]
    console.table(
        [columns[place] for place in shown], [[row[place] for place in shown] for row in rows],
        right=("size", "tokens", "cost"),
    )  # fmt: skip
    for one in found:
        if one.state is State.DAMAGED:
            console.say(f"{one.path.name}: {one.problem}")


def size(count: float) -> str:
    """Bytes in one short cell: 812 B, 4.0 KiB, 1.3 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
