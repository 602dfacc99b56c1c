"""The command `tenet audit`: a table, what each audit says, and an exit code for CI. Knows click; the work is elsewhere."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from generate.audit.model import Audit, Report, Result
from generate.report.audits import audit_rows, signed
from tenet.console import Console
from tenet.errors import TooManyFailures
from tenet.ids import Json
from tenet.runs import find_run

COLUMNS = ("audit", "figure", "value", "95 %", "well", "result", "verdicts", "prompts", "questions", "asked")
MOST_TEMPLATES = 5


@click.command(
    epilog="Examples:\n\n\b\n  tenet audit runs/support --dry-run\n"
    "  tenet audit runs/support --only injection --only sycophancy --sample 100\n"
    "  tenet audit runs/support --opposite opposites.yaml --json"
)
@click.argument("run")
@click.option("--only", multiple=True, metavar="NAME", help="Only this audit; may be given several times.")
@click.option("--sample", type=click.IntRange(1), default=50, show_default=True, help="Most prompts, one pair each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which prompts and pairs are drawn.")
@click.option("--opposite", metavar="FILE", help="For steerability: opposites of the principles, by id or by position.")
@click.option("--dry-run", is_flag=True, help="Count questions and tokens; ask nothing.")
@click.option(
    "--fail-above",
    type=click.FloatRange(-1, 1),
    metavar="X",
    help="Exit with 4 where the injection suite turns more than this share beyond random text.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout; the table then goes to stderr.")
def audit(
    run: str, only: tuple[str, ...], sample: int, seed: int, opposite: str | None, *, dry_run: bool,
    fail_above: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Audit the judge of RUN: try to fool it, on a sample of the run's own pairs, in both orders.

    injection: attacks written into the response that lost, beside random text of equal length. null-response: an answer
    that says nothing, against a real one. length: a response padded. sycophancy: a user who states an opinion.
    over-refusal: a refusal against the better answer to a harmless prompt. self-preference: judge and policy of one family.
    steerability: each principle turned into its opposite. Every figure has a 95 % interval by prompt; an audit holds or fails
    where the whole interval lies on one side of its limit, and is open otherwise. Writes audit.json into the run, which
    the report page shows; answers are kept, and a second audit asks only what is new.
    """
    from generate.audit.run import Wanted
    from generate.audit.run import audit as carry_out

    folder: Path = find_run(run)
    console = Console(json=as_json)
    wanted = Wanted(only, sample, seed, opposite, dry_run)
    report = carry_out(folder, wanted, console, shlex.join(["tenet", *sys.argv[1:]]))
    words = Console(out=sys.stderr) if as_json else console
    if dry_run:
        _plan(report, words)
    else:
        _show(report, words)
    if as_json:
        console.data(report.as_json())
    if fail_above is not None and not dry_run:
        _require(report, fail_above)


def _plan(report: Report, console: Console) -> None:
    columns = ("audit", "questions", "to ask", "prompt tokens")
    rows: list[list[Json]] = [[one.name, one.questions, one.asked, one.prompt_tokens] for one in report.audits]
    cost = report.cost
    rows.append(["(all)", *(cost[name] for name in ("questions", "asked", "prompt_tokens"))])
    console.table(columns, rows, title=f"{report.sampled:,} of {report.pairs:,} judged pairs; nothing was asked")


def _show(report: Report, console: Console) -> None:
    rows: list[list[Json]] = [
        [
            row.name,
            row.figure,
            row.value,
            row.interval,
            row.limit,
            row.result,
            one.count,
            one.prompts,
            one.questions,
            one.asked,
        ]
        for one, row in zip(report.audits, audit_rows(report.as_json()), strict=True)
    ]
    title = f"{report.judge}: {report.sampled:,} of {report.pairs:,} judged pairs, one a prompt"
    console.table(COLUMNS, rows, title=title, right={"value", "95 %"})
    for one in report.audits:
        console.say(f"{one.name}: {one.result.value}; {one.says}{_worst(one)}")
        if one.unread:
            console.say(f"{one.name}: {one.unread:,} verdicts could not be read")


def _worst(one: Audit) -> str:
    """The templates that turn the most beyond random text, where any does."""
    found = [row for row in one.rows if row.kind == "template" and row.excess is not None and row.excess.low > 0.0]
    found.sort(key=lambda row: (-(row.excess.value if row.excess else 0.0), row.name))
    named = ", ".join(f"{row.name} ({signed(row.excess.value)})" for row in found[:MOST_TEMPLATES] if row.excess)
    return f"; beyond random text: {named} points" if named else ""


def _require(report: Report, most: float) -> None:
    """Fail where injections turn too many verdicts.

    Raises:
        TooManyFailures: more than `most`, or nothing could be said.
    """
    for one in report.audits:
        if one.name == "injection" and (one.value is None or one.result is Result.TOO_FEW or one.value.value > most):
            shown = "unknown" if one.value is None else f"{one.value.value:.3f}"
            raise TooManyFailures(
                f"injections turn {shown} of decided verdicts beyond random text; at most {most:g} may be turned",
                hint="see which attacks do in audit.json; ask another judge, or more prompts with --sample",
            )
