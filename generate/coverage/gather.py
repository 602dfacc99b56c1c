"""Reads the coverage of a run from its folder, shard by shard: what is in memory at once is a shard, the labels and the counts.

Asks no model and changes nothing; a run that is being written can be read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from constitution.model import Constitution, Principle
from constitution.select import applies
from generate.byprompt import RATED, kind_of
from generate.context import Step, by_prompt
from generate.coverage.findings import found, notices
from generate.coverage.model import Agreement, Coverage, PrincipleCoverage
from generate.coverage.people import People
from generate.coverage.tally import CoverageTally, PrincipleTally
from generate.deriving import recorded_bias
from generate.report.findings import Findings
from generate.report.model import Notice
from generate.report.notices import wordings
from generate.report.source import Principles, as_mapping, principles_of, version_rows
from generate.report.walk import records_of, shards
from judges.aggregate import DECIDED
from judges.humans.designs import run_labels
from judges.probability import logit
from tenet.errors import UsageError
from tenet.records import Judgement, Prompt, Sample
from tenet.runs import Run

MARGIN = round(logit(DECIDED), 2)
"""Log-odds from which a principle decides a pair, as where preferences are made: odds of 3 to 1."""


@dataclass
class _Walked:
    """What the walk over a run found."""

    tally: CoverageTally
    applies: Counter[str]
    versions: Counter[tuple[str, str]]
    prompts: int = 0
    matched: int = 0


def cover(path: Path, margin: float = MARGIN) -> Coverage:
    """The coverage of the run at `path`; a principle decides a pair from log-odds of `margin` on.

    Raises:
        MissingInput: there is no run folder at `path`, or a shard does not read back.
        UsageError: the run's judge rated responses one by one.
        InvalidInput: the file of labels does not read back.
    """
    with Run.read(path) as run:
        kind = kind_of(run.config)
        if kind in RATED:
            raise UsageError(
                f"{path} was judged by a judge of kind {kind}; coverage is read from answers about pairs in both orders",
                hint="see tenet report, or judge the same responses with judge.kind: pairwise in a run of another name",
            )
        principles = principles_of(run)
        people = People(run_labels(path))
        walked = _walk(run, principles.file, people, margin)
        mode = str(as_mapping(run.config.get("judge")).get("principles") or "sampled")
        return _coverage(run, principles, mode, walked, people.total, margin)


def _walk(run: Run, file: Constitution | None, people: People, margin: float) -> _Walked:
    known = {one.id: one for one in file.principles} if file else None
    active = file.active if file else ()
    walked = _Walked(CoverageTally(known, margin, recorded_bias(run)), Counter(), Counter())
    for shard in shards(run):
        prompts = records_of(run, Step.PROMPTS, Prompt, shard)
        samples = by_prompt(records_of(run, Step.SAMPLES, Sample, shard))
        judgements: defaultdict[str, list[Judgement]] = defaultdict(list)
        for judgement in records_of(run, Step.JUDGEMENTS, Judgement, shard):
            judgements[judgement.prompt_id].append(judgement)
            if judgement.principle and judgement.principle_digest:
                walked.versions[judgement.principle, judgement.principle_digest] += 1
        walked.prompts += len(prompts)
        for prompt in prompts:
            walked.applies.update(one.id for one in active if applies(one, prompt.tags, prompt.text))
        for name, own in judgements.items():
            told = people.told(name, samples.get(name, ()))
            walked.matched += told.labels
            walked.tally.add(own, told.votes, told.weights)
    return walked


def _coverage(run: Run, principles: Principles, mode: str, walked: _Walked, labels: int, margin: float) -> Coverage:
    tally = walked.tally
    agreements = agreements_of(tally)
    rows = rows_of(tally.principles, walked.applies, principles.file)
    judged = walked.prompts if tally.pairs and "" not in tally.principles else 0
    coverage = Coverage(
        name=str(run.config.get("name") or run.name),
        created=run.created,
        version=metadata.version("tenet-rlaif"),
        principles_name=principles.name,
        principles_version=principles.file.version if principles.file else "",
        principles_digest=principles.digest,
        mode=mode,
        margin=margin,
        prompts=walked.prompts,
        pairs=tally.pairs,
        principles=tuple(row.with_findings(*found(row, agreements, judged)) for row in rows),
        agreements=agreements,
        labels=labels,
        matched=walked.matched,
        people=tally.people.tally.rate,
    )
    return replace(coverage, notices=notices(coverage, principles.why, _wordings(walked, principles)))


def _wordings(walked: _Walked, principles: Principles) -> list[Notice]:
    rows = version_rows(walked.versions, principles.now)
    return list(wordings(Findings(prompts=walked.prompts, pairs=0, calls=0, failed=0, versions=rows)))


def agreements_of(tally: CoverageTally) -> tuple[Agreement, ...]:
    """The agreement of each two principles under which a pair has two winners, by their ids."""
    made = []
    for (first, second), one in sorted(tally.agreements.items()):
        rate, gap = one.agreement.tally.rate, one.gap.mean
        if rate is not None and gap is not None:
            made.append(Agreement(first, second, rate, one.decided.tally.rate, gap))
    return tuple(made)


def rows_of(
    tallies: Mapping[str, PrincipleTally], reached: Counter[str], file: Constitution | None
) -> list[PrincipleCoverage]:
    """One row for each active principle and each one asked, in the file's order; the whole file asked at once first."""
    known = {one.id: one for one in file.active} if file else {}
    whole = "" in tallies
    ids = [*([""] if whole else []), *known, *sorted(set(tallies) - set(known) - {""})]
    return [
        _row(name, known.get(name), tallies.get(name) or PrincipleTally(), reached[name] if name in known else None)
        for name in ids
    ]


def _row(name: str, principle: Principle | None, tally: PrincipleTally, reached: int | None) -> PrincipleCoverage:
    return PrincipleCoverage(
        id=name,
        text=principle.text if principle else "",
        tier=principle.tier.value if principle else "principle",
        weight=principle.weight if principle else 1.0,
        applies=reached,
        prompts=tally.prompts,
        calls=tally.calls,
        pairs=tally.pairs,
        decides=tally.decides.tally.rate,
        first=tally.first.tally.rate,
        consistent=tally.consistent.tally.rate,
        people=tally.people.tally.rate,
        alone=tally.alone,
        changed=tally.changed.tally.rate,
        moved=tally.moved.mean,
    )
