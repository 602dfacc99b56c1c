"""Audits the judge of a run: brings run folder, judge and audits together, and writes `audit.json`. Knows no terminal.

The judge is made as it was for the run, and must have its fingerprint. Answers that were asked for are kept in the run's `audits/`, so
that an audit that was stopped goes on where it was, and a second one asks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from constitution.load import load
from constitution.model import Constitution
from generate.answers import Answers
from generate.audit.attacked import injection, sycophancy
from generate.audit.bench import CACHE, Bench, Counting, Source
from generate.audit.cases import Drawn, draw
from generate.audit.habits import length, null_response, over_refusal
from generate.audit.kin import self_preference
from generate.audit.model import FILE, Audit, Report
from generate.audit.steering import steerability
from generate.identity import PRINCIPLES
from generate.intake import PROMPTS
from generate.models import judge_engine
from generate.prompt_shards import PromptShards
from generate.relabel import config_of, require_same_judge
from generate.report.source import as_mapping, read_json
from judges.registry import create_judge
from judges.steer import Swap, swaps
from tenet.budget import Spent
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json, digest
from tenet.records import Prompt
from tenet.runconfig import RunConfig
from tenet.runs import Run, atomic


@dataclass(frozen=True)
class Case:
    """What an audit may look at."""

    bench: Bench
    run: Run
    config: RunConfig
    shards: PromptShards
    swaps: tuple[Swap, ...]


AUDITS: Final[Mapping[str, Callable[[Case], Audit]]] = {
    "injection": lambda case: injection(case.bench),
    "null-response": lambda case: null_response(case.bench),
    "length": lambda case: length(case.bench),
    "sycophancy": lambda case: sycophancy(case.bench),
    "over-refusal": lambda case: over_refusal(case.bench),
    "self-preference": lambda case: self_preference(case.run, case.config, case.shards),
    "steerability": lambda case: steerability(case.bench, case.swaps),
}


@dataclass(frozen=True)
class Wanted:
    """What to audit: which audits, on how many prompts, drawn by which seed, against which file of opposites; `dry` asks nothing."""

    only: Collection[str] = ()
    sample: int = 50
    seed: int = 0
    opposite: str | None = None
    dry: bool = False


def audit(folder: Path, wanted: Wanted, console: Console, command: str = "") -> Report:
    """Audit the judge of a run and write `audit.json`; `command` goes on after a stop. A dry audit only counts, and writes nothing.

    Raises:
        UsageError: no such audit; the run has no judged pair, or the opposites do not match its principles.
        MissingInput, InvalidInput: the run, its judge, or its principles cannot be read.
        FingerprintMismatch: the judge is not the one that judged the run.
        TooManyFailures, Interrupted, EngineError: from asking; what was answered is kept.
    """
    unknown = [name for name in wanted.only if name not in AUDITS]
    if unknown:
        raise UsageError(f"there is no audit {', '.join(unknown)}", hint=f"there are {', '.join(AUDITS)}")
    names = [name for name in AUDITS if not wanted.only or name in wanted.only]
    with at_work(folder, wanted, console, command) as (case, drawn, constitution):
        found = [_counted(case, name) for name in names]
        report = Report(
            judge=case.bench.judge.name,
            judge_digest=digest(case.bench.judge.fingerprint),
            principles=constitution.name,
            principles_digest=constitution.digest,
            pairs=drawn.pairs,
            sampled=len(drawn.cases),
            seed=wanted.seed,
            decided=len(case.bench.decided) if {"injection", "sycophancy"} & {*names} else 0,
            audits=tuple(found),
        )
    if not wanted.dry:
        told = with_earlier(report.as_json(), read_json(folder / FILE))
        atomic.write_text(folder / FILE, json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return report


def with_earlier(told: Mapping[str, Json], earlier: Mapping[str, Json]) -> dict[str, Json]:
    """What was audited now, and what an earlier `audit.json` has besides, if that is of the same judge, principles and sample."""
    both = (told, earlier)
    same = all(told[key] == earlier.get(key) for key in ("schema_version", "judge_digest", "principles_digest"))
    drawn = [[as_mapping(one.get("sample")).get(key) for key in ("sampled", "seed")] for one in both]
    if not same or drawn[0] != drawn[1]:
        return dict(told)
    found = {str(audit["name"]): audit for one in both[::-1] for audit in _audits(one)}
    return {**told, "audits": [found[name] for name in AUDITS if name in found]}


def _audits(told: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    audits = told.get("audits")
    return [as_mapping(one) for one in audits if as_mapping(one).get("name")] if isinstance(audits, list) else []


@contextmanager
def at_work(folder: Path, wanted: Wanted, console: Console, command: str) -> Iterator[tuple[Case, Drawn, Constitution]]:
    """The run with its judge at work, the sample drawn, and its principles."""
    with Run.read(folder) as run:
        config = config_of(run)
        constitution = load(config.principles)
        if run.fingerprint.growth.get(PRINCIPLES) not in (None, constitution.digest):
            console.say(
                f"{config.principles} has changed since the run was judged: verdicts under its new wording are asked for."
            )
        shards = PromptShards(run.stage(PROMPTS, Prompt))
        drawn = draw(run, shards, size=wanted.sample, seed=wanted.seed)
        turned = tuple(swaps(constitution, load(wanted.opposite) if wanted.opposite else None))
        with judge_engine(config.judge) as engine:
            judge = create_judge(engine, constitution, config.judge, seed=config.seed)
            require_same_judge(run, judge)
            answers = Answers(folder, command or run.command, console, config.max_failures, cache=CACHE)
            source: Source = Counting(answers) if wanted.dry else answers
            bench = Bench(judge, drawn.cases, source, wanted.seed, counting=wanted.dry)
            yield Case(bench, run, config, shards, turned), drawn, constitution


def _counted(case: Case, name: str) -> Audit:
    """One audit with what it took."""
    bench = case.bench
    questions, before = bench.questions, bench.source.spent
    found = AUDITS[name](case)
    spent = _less(bench.source.spent, before)
    return replace(
        found, questions=bench.questions - questions, asked=spent.calls, prompt_tokens=spent.prompt_tokens,
        completion_tokens=spent.completion_tokens,
    )  # fmt: skip


def _less(one: Spent, other: Spent) -> Spent:
    return Spent(
        one.calls - other.calls,
        one.prompt_tokens - other.prompt_tokens,
        one.completion_tokens - other.completion_tokens,
    )
