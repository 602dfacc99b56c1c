"""The command `tenet principles lint`: gathers prompts and models for the rules, and writes what they find.

The rules are in `constitution.lint`; this stands among the judges because a judge and an encoder may be asked. Both are loaded
only where they are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from constitution.lint import outputs
from constitution.lint.model import Options, Rule, Severity
from constitution.lint.rules import RULES
from constitution.lint.run import Report
from constitution.lint.run import lint as lint_file
from judges.command import judge_options, started, write_text
from tenet.console import Console
from tenet.errors import EXIT_USAGE, UsageError

if TYPE_CHECKING:
    from judges.contradiction import ContradictionJudge
    from tenet.records import Prompt

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles lint my-principles.yaml\n"
    "  tenet principles lint principles/*.yaml --sarif lint.sarif --junit lint.xml --fail-on error\n"
    "  tenet principles lint honesty --prompts prompts.jsonl --embeddings MODEL --judge MODEL --engine vllm"
)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--prompts", type=FILE, help="Name the principles that no prompt of this file reaches.")
@click.option(
    "--embeddings", metavar="MODEL", help="Find near duplicates by meaning: a sentence encoder, a folder or Hub id."
)
@click.option("--judge", metavar="MODEL", help="Ask a judge about each close pair: can a response follow both?")
@judge_options
@click.option(
    "--pairs", type=click.IntRange(1), default=200, show_default=True, help="Most pairs to ask the judge about."
)
@click.option(
    "--close", type=click.FloatRange(0, 1), default=0.75, show_default=True, help="Share of words of near duplicates."
)
@click.option(
    "--close-embedding", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="Cosine of near duplicates."
)
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error", "never"]),
    default="warning",
    show_default=True,
    help="Exit with 2 if there is a finding as bad as this or worse.",
)
@click.option("--sarif", type=FILE, help="Write SARIF 2.1.0 here, for code hosts.")
@click.option("--junit", type=FILE, help="Write JUnit XML here, for CI servers.")
@click.option("--rules", "show_rules", is_flag=True, help="List all rules and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def lint(
    files: tuple[str, ...], *, prompts: Path | None, embeddings: str | None, judge: str | None, engine: str,
    base_url: tuple[str, ...], words: tuple[str, ...], pairs: int, close: float, close_embedding: float, fail_on: str,
    sarif: Path | None, junit: Path | None, show_rules: bool, as_json: bool,
) -> int:  # fmt: skip
    """Look at principles files as a careful reviewer would.

    Names duplicates, texts that ask for two things, vague or unobservable wording, prohibitions, contradictions, missing
    tests, weights and conditions without effect, and overrides older than their text. Each finding has a rule, a place, a
    reason and a cure. To live with one, write `lint: {TP104: "the reason"}` on the principle, or at the top of the file.
    """
    console = Console(json=as_json)
    if show_rules:
        _list(console, RULES.values())
        return 0
    if not files:
        raise UsageError("no file to look at", hint="name files, or list the rules with: tenet principles lint --rules")
    with _judging(judge, engine, base_url, words) as judging:
        options = Options(
            prompts=None if prompts is None else _read(prompts),
            embed=None if embeddings is None else _encoder(embeddings),
            judge=None if judging is None else judging.contradict,
            close=close,
            close_embedding=close_embedding,
            most_pairs=pairs,
        )
        reports = [lint_file(file, options) for file in files]
        unread = 0 if judging is None else judging.unread
    least = None if fail_on == "never" else Severity(fail_on)
    if sarif is not None:
        write_text(sarif, outputs.sarif(reports, RULES, Path.cwd()))
    if junit is not None:
        write_text(junit, outputs.junit(reports, least))
    _print(console, reports)
    if unread:
        console.say(
            f"The judge gave no usable answer about {unread:,} pairs of principles; they count as not looked at."
        )
    failing = least is not None and any(report.at_least(least) for report in reports)
    return EXIT_USAGE if failing else 0


def _print(console: Console, reports: Sequence[Report]) -> None:
    """Print every finding, and on stderr how many there are."""
    if console.json:
        console.data([outputs.as_json(report) for report in reports])
    else:
        lines = dict.fromkeys(outputs.line(one) for report in reports for one in report.open)
        if lines:
            console.data("\n".join(lines))
    found = [one for report in reports for one in report.findings]
    counts = {
        "error": sum(one.silenced is None and one.severity is Severity.ERROR for one in found),
        "warning": sum(one.silenced is None and one.severity is Severity.WARNING for one in found),
    }
    told = ", ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    files = "1 file" if len(reports) == 1 else f"{len(reports):,} files"
    console.say(f"{files}: {told}, {sum(one.silenced is not None for one in found):,} silenced")


def _list(console: Console, rules: Iterable[Rule]) -> None:
    rows = [[one.id, one.name, one.severity.value, one.needs or None, one.summary, one.cure] for one in rules]
    console.table(["rule", "name", "severity", "needs", "finds", "cure"], rows)


def _read(path: Path) -> tuple[Prompt, ...]:
    from tenet.reading.prompts import PromptStream, collect
    from tenet.reading.rows import open_rows

    return collect(PromptStream(open_rows(path))).prompts


def _encoder(model: str) -> Callable[[Sequence[str]], Any]:
    from engines.embedding import MeanPooled

    return MeanPooled(model).embed


@contextmanager
def _judging(
    model: str | None, engine: str, base_url: Sequence[str], words: Sequence[str]
) -> Iterator[ContradictionJudge | None]:
    """Start the judge if one is named, and stop it afterwards; raises as `judges.command.started`."""
    if model is None:
        yield None
        return
    from judges.contradiction import ContradictionJudge

    with started(model, engine, base_url, words) as host:
        yield ContradictionJudge(host)
