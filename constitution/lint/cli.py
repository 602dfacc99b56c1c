"""The command `tenet principles stamp`. Asks no model; `tenet principles lint` stands in `judges.lint`, for it may."""

from __future__ import annotations

import click

from constitution.lint.stamp import stamp as write_digests
from tenet.console import Console


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles stamp my-principles.yaml\n  tenet principles stamp my-principles.yaml be-brief"
)
@click.argument("file")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def stamp(file: str, ids: tuple[str, ...], *, as_json: bool) -> None:
    """Record that the overrides in FILE fit the present texts.

    Run it when you have read `compare`, `critique` and `revise` beside the text that they belong to. It writes
    `overrides_for`, the digest of that text, and nothing else; lint then tells when the text has changed since.
    """
    console = Console(json=as_json)
    written = write_digests(file, ids)
    if as_json:
        console.data({"file": file, "stamped": list(written)})
    else:
        console.say(f"{file}: stamped {', '.join(written)}" if written else f"{file}: nothing to stamp")
