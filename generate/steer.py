"""The command `tenet principles steer`: how far a judge's verdicts follow the principles file, measured on a run or on given responses.

Takes one pair of a prompt, so that prompts are independent; the responses need no labels, for only the judge is compared
with itself. Knows no rule of what counts as reversed (`judges.steer` does).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from constitution.load import load
from constitution.model import Constitution
from constitution.select import applies
from generate.context import Step, by_prompt
from generate.report.model import Rate
from generate.report.tally import RateTally
from generate.report.walk import shards
from generate.samples import samples_from
from judges.command import judge_options, started
from judges.steer import Case, Reading, Swap, Turned, reading, swaps, turn
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json, unit_interval
from tenet.reading.rows import open_rows
from tenet.records import Prompt, Sample
from tenet.runs import Run, find_run

COLUMNS = ("principle", "against", "prompts", "decided", "reversed", "share", "low", "high", "unread", "verdict")
ALL = "(all)"


@dataclass(frozen=True)
class Steered:
    """What a principle, or all together, came to; `against` names its opposite, `rate` is None where no verdict was decided."""

    name: str
    against: str | None
    prompts: int
    decided: int
    reversed: int
    unread: int
    rate: Rate | None
    reading: Reading

    def row(self) -> list[Json]:
        """The values under `COLUMNS`."""
        rate = self.rate
        ends: list[Json] = [None, None, None] if rate is None else [rate.value, rate.low, rate.high]
        return [
            self.name,
            self.against,
            self.prompts,
            self.decided,
            self.reversed,
            *ends,
            self.unread,
            self.reading.value,
        ]


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles steer --judge MODEL --run runs/mine\n"
    "  tenet principles steer --judge MODEL --samples responses.jsonl --principles mine.yaml\n"
    "  tenet principles steer --judge MODEL --run runs/mine --principles pocket/brief --opposite pocket/thorough"
)
@click.option(
    "--judge", metavar="MODEL", required=True, help="The judge: a folder or Hub id, or what a server calls it."
)
@judge_options
@click.option("--run", metavar="RUN", help="Take prompts and responses from this run.")
@click.option(
    "--samples",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take them from this file, as samples of run.yaml.",
)
@click.option("--principles", "file", metavar="FILE", help="The principles.  [default: those that the run names]")
@click.option("--opposite", metavar="FILE", help="Swap each principle with its opposite here, by id or by position.")
@click.option(
    "--sample", "number", type=click.IntRange(1), default=200, show_default=True, help="Most prompts a principle."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which prompts and pairs are drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def steer(
    judge: str, engine: str, base_url: tuple[str, ...], words: tuple[str, ...], run: str | None, samples: Path | None,
    file: str | None, opposite: str | None, number: int, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Measure whether a judge follows the principles file.

    Each principle is asked about, and then its opposite: a negation of it ("The response does the opposite of this: ..."), or
    with --opposite the principle of another file. A judge that reads the file reverses its verdicts; one that goes by place,
    length or habit does not. Shown is the share of decided verdicts (0.75 and more, each order by itself) that reverse, with
    a 95 % Wilson interval by prompt. It "reads" from 0.8 on with the interval above one half, and "ignores" up to one half,
    which is what chance gives; under 10 prompts with a decided verdict nothing is said. A small judge may read the file and not
    understand a negation: opposites are the fairer test.
    """
    console = Console(json=as_json)
    if (run is None) is (samples is None):
        raise UsageError("one of --run and --samples is needed, and not both", hint="name where the responses are")
    with ExitStack() as stack:
        found = None if run is None else stack.enter_context(Run.read(find_run(run)))
        pairs = swaps(_principles(file, found), None if opposite is None else load(opposite))
        source = _of_run(found) if found is not None else _of_file(samples)
        cases = draw_cases(pairs, source, number, seed)
    if not cases:
        hint = "two different responses to a prompt are needed, and prompts to which a principle applies"
        raise UsageError("there is nothing to compare", hint=hint)
    with started(judge, engine, base_url, words) as host, console.progress("steer") as progress:
        turned = turn(host, cases, progress)
        name = host.info.model
    _print(console, summaries(pairs, turned), turned, name)


def draw_cases(
    pairs: Sequence[Swap], source: Iterable[tuple[Prompt, Sequence[Sample]]], most: int, seed: int
) -> list[Case]:
    """Draw at most `most` prompts a principle, of those that it applies to, and one pair of responses of each.

    The draw follows from seed and ids alone; what is held in memory does not grow with the source.
    """
    heaps: list[list[tuple[float, str, Case]]] = [[] for _ in pairs]
    for prompt, responses in source:
        chosen = _pair(prompt, responses, seed)
        if chosen is None:
            continue
        priority = -unit_interval("steer", seed, prompt.id)
        for heap, swap in zip(heaps, pairs, strict=True):
            if applies(swap.principle, prompt.tags, prompt.text):
                put = heapq.heappush if len(heap) < most else heapq.heappushpop
                put(heap, (priority, prompt.id, Case(swap, prompt, *chosen)))
    return [case for heap in heaps for _, _, case in sorted(heap, key=lambda one: one[:2], reverse=True)]


def summaries(pairs: Sequence[Swap], turned: Sequence[Turned]) -> list[Steered]:
    """Sum up each principle, and all together where there are several."""
    found = [
        _summary(
            one.principle.id,
            "its negation" if one.is_negation else one.opposite.id,
            [case for case in turned if case.case.swap is one],
        )
        for one in pairs
    ]
    return [*found, _summary(ALL, None, turned)] if len(found) > 1 else found


def _summary(name: str, against: str | None, turned: Sequence[Turned]) -> Steered:
    clusters: dict[str, tuple[int, int]] = {}
    for one in turned:
        hits, units = clusters.get(one.case.prompt.id, (0, 0))
        clusters[one.case.prompt.id] = (hits + one.reversed, units + one.decided)
    tally = RateTally()
    for hits, units in clusters.values():
        tally.add(hits, units)
    rate = tally.rate
    said = reading(rate.value if rate else None, rate.low if rate else 0.0, tally.clusters)
    unread = sum(one.unread for one in turned)
    return Steered(name, against, len(clusters), round(tally.units), round(tally.hits), unread, rate, said)


def _pair(prompt: Prompt, responses: Sequence[Sample], seed: int) -> tuple[Sample, Sample] | None:
    """Two different usable responses, drawn by their ids; which comes first is drawn too."""
    distinct = {one.text.strip(): one for one in responses if one.usable}
    if len(distinct) < 2:
        return None
    a, b, *_ = sorted(distinct.values(), key=lambda one: unit_interval("steer-pair", seed, prompt.id, one.id))
    return a, b


def _principles(file: str | None, run: Run | None) -> Constitution:
    """Load the principles that the command or the run names.

    Raises:
        UsageError: neither names any; what `constitution.load.load` raises, too.
    """
    named = file or (str(run.config.get("principles") or "") if run is not None else "")
    if not named:
        raise UsageError("no principles to steer by", hint="name a file with --principles")
    return load(named)


def _of_run(run: Run) -> Iterator[tuple[Prompt, Sequence[Sample]]]:
    for shard in shards(run):
        samples = by_prompt(run.stage(Step.SAMPLES, Sample).records(shard))
        for prompt in run.stage(Step.PROMPTS, Prompt).records(shard):
            yield prompt, samples.get(prompt.id, ())


def _of_file(path: Path | None) -> Iterator[tuple[Prompt, Sequence[Sample]]]:
    assert path is not None
    spool = samples_from(open_rows(path)).spool
    try:
        for prompt in spool.prompts(range(len(spool))):
            yield prompt, spool.given([prompt.id]).get(prompt.id, ())
    finally:
        spool.close()


def _print(console: Console, rows: Sequence[Steered], turned: Sequence[Turned], judge: str) -> None:
    console.table(COLUMNS, [one.row() for one in rows])
    reasons = [one.reason for one in turned if one.reason]
    if reasons:
        commonest = max(dict.fromkeys(reasons), key=reasons.count)
        console.say(f"{sum(one.unread for one in turned):,} verdicts could not be read; most often: {commonest}")
    last = rows[-1]
    rate = last.rate
    if rate is None or last.reading is Reading.UNKNOWN:
        console.say(f"{judge}: {last.reading.value} ({last.decided:,} on {last.prompts:,} prompts)")
    else:
        console.say(
            f"{judge} {last.reading.value}: {last.reversed:,} of {last.decided:,} decided verdicts reverse, "
            f"{rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f})"
        )
    if last.reading in (Reading.PARTLY, Reading.IGNORES) and any(one.case.swap.is_negation for one in turned):
        console.say(
            "A judge that reads the file may still not understand a negation: before you conclude, "
            "write the opposites down and swap with --opposite FILE."
        )
