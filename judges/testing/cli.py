"""The command `tenet principles test`: a file's own tests through a judge or against its recorded verdicts, for CI.

Loads a model only where one is named. Knows no rule of passing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from constitution.load import load
from constitution.testrecord import Record, read_record
from judges.command import judge_options, started, write_text
from judges.testing import outputs
from judges.testing.run import LEAST_P, Case, Checked, Result, cases_of, check_with_judge, check_with_record, record_of
from tenet.console import Console
from tenet.errors import EXIT_USAGE, UsageError

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles test my-principles.yaml --judge MODEL --engine vllm --junit tests.xml\n"
    "  tenet principles test my-principles.yaml --judge MODEL --record verdicts.json\n"
    "  tenet principles test my-principles.yaml --recorded verdicts.json"
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--judge", metavar="MODEL", help="The judge: a folder or Hub id, or what a server calls it.")
@judge_options
@click.option("--recorded", type=FILE, help="Check against the verdicts of this record, without a model.")
@click.option("--record", type=FILE, help="Write the judge's verdicts here, for --recorded.")
@click.option("--judge-name", metavar="NAME", help="What the record calls the judge.  [default: the model's name]")
@click.option("--principle", "only", multiple=True, metavar="ID", help="Test this principle only; may be repeated.")
@click.option(
    "--min-p",
    type=click.FloatRange(0.5, 1),
    default=LEAST_P,
    show_default=True,
    help="Least P(better) that passes; a tie never does.",
)
@click.option("--junit", type=FILE, help="Write JUnit XML here, for CI servers.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text: one object a test.")
def test(
    files: tuple[str, ...], *, judge: str | None, engine: str, base_url: tuple[str, ...], words: tuple[str, ...],
    recorded: Path | None, record: Path | None, judge_name: str | None, only: tuple[str, ...], min_p: float,
    junit: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Put the tests of principles files to a judge.

    Each pair is asked in both orders, which are averaged; a test passes where the better response is the more probable one. A
    test with `applies: false` needs no judge. An answer that cannot be read is a failure, with its reason. Tests are of what
    a judge reads into a principle: one that fails says that this judge and this wording do not go together. The exit code
    is 2 where a test fails or has no recorded verdict.
    """
    console = Console(json=as_json)
    if (judge is None) is (recorded is None):
        hint = "name a model with --judge, or a record with --recorded"
        raise UsageError("one of --judge and --recorded is needed, and not both", hint=hint)
    if recorded is not None and (record is not None or judge_name is not None):
        raise UsageError("--record and --judge-name go with --judge", hint="leave them out, or name the model")
    cases = _cases(files, only, console)
    held: Record | None = None
    if recorded is not None:
        held = read_record(recorded)
        checked = check_with_record(held, cases, min_p)
    else:
        assert judge is not None
        with started(judge, engine, base_url, words) as host, console.progress("tests") as progress:
            checked = check_with_judge(host, cases, min_p, progress)
            held = record_of(judge_name or host.info.model, host, checked)
    if record is not None:
        write_text(record, held.text())
    if junit is not None:
        write_text(junit, outputs.junit(checked))
    _print(console, checked, held.judge)
    return EXIT_USAGE if any(one.result is not Result.PASSED for one in checked) else 0


def _cases(files: Sequence[str], only: Sequence[str], console: Console) -> list[Case]:
    """Load files and list their tests; names on stderr the principles that have none.

    Raises:
        UsageError: an id of `only` that no file has, or nothing to test; what `constitution.load.load` raises, too.
    """
    loaded = {file: load(file) for file in dict.fromkeys(files)}
    known = {principle.id for constitution in loaded.values() for principle in constitution.principles}
    for id_ in only:
        if id_ not in known:
            hint = f"there are {', '.join(sorted(known))}"
            raise UsageError(f'no file has a principle "{id_}"', hint=hint)
    cases = [case for file, constitution in loaded.items() for case in cases_of(file, constitution, only)]
    for file, constitution in loaded.items():
        tested = {case.principle.id for case in cases if case.file == file}
        bare = [one.id for one in constitution.active if one.id not in tested and (not only or one.id in only)]
        if bare:
            console.say(f"{file}: no tests in {', '.join(bare)}")
    if not cases:
        raise UsageError(
            "there is no test to run", hint="give each principle two `tests` with prompt, better and worse"
        )
    return cases


def _print(console: Console, checked: Sequence[Checked], judge: str) -> None:
    if console.json:
        console.data([outputs.as_json(one) for one in checked])
    else:
        console.table(outputs.COLUMNS, outputs.rows(checked), right=["failed"])
        lines = [outputs.line(one) for one in checked if one.result is not Result.PASSED or one.flipped]
        if lines:
            console.data("\n".join(lines))
    counts = {result: sum(one.result is result for one in checked) for result in Result}
    told = [f"{number:,} {result.value}" for result, number in counts.items() if number or result is Result.PASSED]
    flips, free = sum(one.flipped for one in checked), sum(not one.case.test.applies for one in checked)
    console.say(
        f"{len(checked):,} tests, judged by {judge}: {', '.join(told)}; {flips:,} with orders that disagree; "
        f"{free:,} needed no judge"
    )
