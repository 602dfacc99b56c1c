"""The command `tenet principles coverage`: a table on stdout, what to know on stderr, and a page where one is asked for."""

from __future__ import annotations

from pathlib import Path

import click

from generate.coverage.gather import MARGIN, cover
from generate.coverage.model import Coverage
from generate.report.model import Rate
from generate.report.words import percent
from tenet.console import Console
from tenet.ids import Json
from tenet.runs import find_run

MOST_AGREEMENTS = 15


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles coverage runs/support\n"
    "  tenet principles coverage runs/support --out coverage.html\n"
    "  tenet principles coverage runs/support --margin 2 --json"
)
@click.argument("run")
@click.option(
    "--margin",
    type=click.FloatRange(0),
    default=MARGIN,
    show_default=True,
    help="Log-odds from which a principle decides a pair.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page with a matrix plot.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def coverage(run: str, *, margin: float, out: Path | None, as_json: bool) -> None:
    """Show what each principle of RUN does, and what it could do without.

    How often a principle applies, is asked and decides; whether the response shown first wins; how it agrees with the
    other principles and with people; and what changes when it is left out. Asks no model. Leaving one out and agreement
    between principles need a run with judge.principles=each.
    """
    console = Console(json=as_json)
    found = cover(find_run(run), margin)
    for notice in found.notices:
        console.say(f"{notice.title}: {notice.body}{' ' + notice.mend if notice.mend else ''}")
    if out is not None:
        from generate.coverage.page import render
        from tenet.runs.atomic import write_text

        write_text(out, render(found))
        console.say(f"Written to {out}")
    if as_json:
        console.data(found.as_json())
        return
    _principles(found, console)
    _agreements(found, console)


def _principles(found: Coverage, console: Console) -> None:
    columns = ["principle", "applies", "asked", "pairs", "decides", "first", "people", "alone", "changed", "moved"]
    rows: list[list[Json]] = [
        [
            row.id or "(whole file)", row.applies, row.prompts, row.pairs, _share(row.decides), _share(row.first),
            _share(row.people), row.alone, _share(row.changed), None if row.moved is None else f"{row.moved:.2f}",
            "; ".join(map(str, row.findings)),
        ]
        for row in found.principles
    ]  # fmt: skip
    title = f"{found.pairs:,} pairs of {found.prompts:,} prompts; decides: log-odds of {found.margin:g} or more"
    console.table([*columns, "finding"], rows, title=title, right=set(columns[1:]))


def _agreements(found: Coverage, console: Console) -> None:
    """The strongest agreements and disagreements; all of them are in the page and the JSON."""
    strongest = sorted(found.agreements, key=lambda one: (-abs(one.kappa), one.first, one.second))
    rows: list[list[Json]] = [
        [one.first, one.second, one.agreement.count, _share(one.agreement), f"{one.kappa:.2f}"]
        for one in strongest[:MOST_AGREEMENTS]
    ]
    if rows:
        columns = ["principle", "and", "pairs", "same winner", "kappa"]
        console.table(columns, rows, title="Agreement between principles", right={"same winner", "kappa"})
    if len(strongest) > MOST_AGREEMENTS:
        console.say(f"The strongest {MOST_AGREEMENTS} of {len(strongest):,}; all are in --json and --out.")


def _share(rate: Rate | None) -> str | None:
    return None if rate is None else percent(rate.value)
