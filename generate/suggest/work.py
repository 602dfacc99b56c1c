"""Brings a run folder, labels of people and candidates together: what `tenet principles suggest` finds, before it is put into words.

Loads the judge only once labels and candidates are known to be good, and frees it at the end. Reads the run and changes nothing of it;
what had to be asked is kept beside it (`generate.answers`). Knows no terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from constitution.load import load
from constitution.model import Constitution, Principle
from generate.answers import Answers
from generate.identity import PRINCIPLES
from generate.models import judge_engine
from generate.relabel import config_of, require_same_judge
from generate.suggest.candidates import Candidates, for_file, of_texts, read_pool
from generate.suggest.evidence import Evidence, gather
from generate.suggest.propose import Proposer, drawn, propose
from generate.suggest.score import Ranked, rank
from generate.suggest.verdicts import Owed, Verdicts, require_room
from judges.humans.importer import read_labels
from judges.pairwise import Mode
from tenet.budget import Spent
from tenet.console import Console
from tenet.runs import Run

LEAST_WRONG: Final = 4
"""Fewest held-out labels against the file by which a candidate can be supported: of 3 that all turn, the interval still holds 1/2."""


@dataclass(frozen=True)
class Settings:
    """How to look: the `share` held out, the `seed` of the split, at most `most` principles chosen, proposals from `pairs` pairs, and at
    most `limit` tokens.
    """

    share: float = 0.5
    seed: int = 0
    most: int = 5
    pairs: int = 20
    limit: int | None = None


@dataclass(frozen=True)
class Planned:
    """What would be asked. `proposing` is the most that proposals take, None with a pool; a candidate then takes `each` calls at most."""

    owed: Owed
    candidates: int
    proposing: Owed | None
    each: int
    more_rounds: bool


@dataclass(frozen=True)
class Disagreement:
    """The labelled pairs on which the file in force is not with people: `wrong` name the other response, `open` name none. `fit` and
    `held_out` are how many of both lie in each part.
    """

    wrong: int
    open: int
    fit: int
    held_out: int

    @property
    def too_little(self) -> bool:
        """Whether there are too few of them to choose a candidate, or to support one."""
        return self.fit == 0 or self.held_out < LEAST_WRONG


@dataclass(frozen=True)
class Suggested:
    """What was found: a plan alone for a dry run; `ranked` is None where there was nothing to explain."""

    file: Constitution
    named: str
    judge: str
    evidence: Evidence
    remarks: tuple[str, ...]
    planned: Planned | None = None
    disagreement: Disagreement | None = None
    ranked: Ranked | None = None
    taken: int = 0
    spent: Spent = field(default_factory=Spent)


def suggest(
    folder: Path, humans: Path, pool: Sequence[str], settings: Settings, console: Console, *, command: str, dry_run: bool
) -> Suggested:  # fmt: skip
    """Find which candidates explain the labels in `humans` that a run's file gets wrong; see `generate.suggest.score`.

    `pool` names files of candidates; where there is none, the judge proposes them.

    Raises:
        MissingInput, InvalidInput: the run, its principles, the labels or a pool cannot be read.
        UsageError: labels or candidates are of no use, see `Evidence.require_enough` and `candidates.for_file`.
        FingerprintMismatch: the judge is not the one that judged the run.
        JudgeUnfit: there is no pool, and the judge cannot propose.
        BudgetReached, TooManyFailures, Interrupted, EngineError: from asking; what was answered is kept.
    """
    with Run.read(folder) as run:
        config = config_of(run)
        file = load(config.principles)
        evidence = gather(run, read_labels(humans).labels, share=settings.share, seed=settings.seed)
        evidence.require_enough()
        given = for_file(read_pool(pool), file) if pool else None
        remarks = _remarks(run, file) + (given.remarks if given else ())
        answers = Answers(folder, command, console, config.max_failures)
        with judge_engine(config.judge) as engine:
            verdicts = Verdicts(engine, file, config.judge, config.seed, answers, limit=settings.limit)
            require_same_judge(run, verdicts.judge)
            found = Suggested(file, config.principles, engine.info.model, evidence, remarks)
            proposer = None if given else Proposer(engine)
            if dry_run:
                return replace(found, planned=_planned(verdicts, evidence, given, proposer, settings))
            disagreement = _disagreement(verdicts, evidence)
            found = replace(found, disagreement=disagreement)
            if disagreement.too_little:
                return _closed(found, answers)
            if proposer is not None:
                given = _proposed(proposer, verdicts, evidence, answers, settings, console)
                found = replace(found, remarks=found.remarks + given.remarks)
            assert given is not None
            ranked = rank(verdicts, given.principles, evidence.fit, evidence.held_out, most=settings.most)
            return _closed(replace(found, ranked=ranked), answers)


def _disagreement(verdicts: Verdicts, evidence: Evidence) -> Disagreement:
    verdicts.hear([()], evidence.pairs, "judging by the file in force")
    agreed = verdicts.agreement((), evidence.pairs)
    short = [one for one in evidence.pairs if agreed[one.key] < 1.0]
    wrong = sum(agreed[one.key] == 0.0 for one in short)
    held_out = sum(one.held_out for one in short)
    return Disagreement(wrong, len(short) - wrong, len(short) - held_out, held_out)


def _planned(
    verdicts: Verdicts, evidence: Evidence, given: Candidates | None, proposer: Proposer | None, settings: Settings
) -> Planned:
    new: tuple[Principle, ...] = given.principles if given else ()
    return Planned(
        verdicts.owed([(), *((one,) for one in new)], evidence.pairs),
        len(new),
        proposer.owed(evidence.fit, settings.pairs) if proposer else None,
        2 * len(evidence.pairs),
        verdicts.mode is Mode.WHOLE,
    )


def _proposed(
    proposer: Proposer, verdicts: Verdicts, evidence: Evidence, answers: Answers, settings: Settings, console: Console
) -> Candidates:
    agreed = verdicts.agreement((), evidence.fit)
    wrong = [one for one in evidence.fit if agreed[one.key] < 1.0]
    pairs = drawn(wrong, settings.pairs, settings.seed)
    require_room(proposer.owed(pairs, len(pairs)).tokens, answers.spent, settings.limit)
    return for_file(of_texts(propose(proposer, pairs, answers, console)), verdicts.file)


def _closed(found: Suggested, answers: Answers) -> Suggested:
    return replace(found, taken=answers.taken, spent=answers.spent)


def _remarks(run: Run, file: Constitution) -> tuple[str, ...]:
    told = run.fingerprint.growth.get(PRINCIPLES)
    if told in (None, file.digest):
        return ()
    return (f"{file.path} has changed since this run was judged; what is suggested is for the file as it is now",)
