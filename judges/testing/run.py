"""Puts the tests of principles files to a judge, or to a record of its verdicts, and says how each one went.

Every pair is asked in both orders, which are averaged; a test on a prompt that the principle does not apply to needs
no judge. Knows no output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from constitution.model import Constitution, Principle, PrincipleTest, Status
from constitution.select import applies
from constitution.testrecord import Record, Verdict, digest_of
from engines.base import Engine
from judges.aggregate import differ
from judges.asks import load_template
from judges.bothways import Question, ask_both_ways
from judges.probability import mean
from tenet.console import Progress
from tenet.errors import UsageError
from tenet.records import Finish, Message, Prompt, Sample

LEAST_P: Final = 0.5
STALE: Final = "no recorded verdict: the principle, its question or the test has changed since, or is new"


class Result(StrEnum):
    """How a test went. All but PASSED are failures."""

    PASSED = "passed"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    STALE = "stale"


@dataclass(frozen=True)
class Case:
    """One test: the `number`-th, from 1, of a principle of `file` as the user named it."""

    file: str
    principle: Principle
    number: int
    test: PrincipleTest


@dataclass(frozen=True)
class Checked:
    """A test and how it went. `p` is P(the better response is better), both orders averaged; None where no judge answered."""

    case: Case
    result: Result
    verdict: Verdict | None = None
    reason: str = ""

    @property
    def p(self) -> float | None:
        """The mean over both orders."""
        return None if self.verdict is None else _mean(self.verdict)

    @property
    def flipped(self) -> bool:
        """Whether the two orders name different winners."""
        return self.verdict is not None and differ(self.verdict.better_first, self.verdict.worse_first)


def cases_of(file: str, constitution: Constitution, only: Sequence[str] = ()) -> Iterator[Case]:
    """Yield the tests of a file in its order, of the principles of these ids where any is named.

    Those of drafts are among them, those of retired principles are not.
    """
    for principle in constitution.principles:
        if principle.status is not Status.RETIRED and (not only or principle.id in only):
            yield from (Case(file, principle, number, test) for number, test in enumerate(principle.tests, 1))


def check_with_judge(
    engine: Engine, cases: Sequence[Case], least: float = LEAST_P, progress: Progress | None = None
) -> list[Checked]:
    """Put tests to a judge, in order. A test passes where P(better) is at least `least` and above one half.

    Raises:
        JudgeUnfit: see `judges.bothways.ask_both_ways`.
        EngineError: the engine itself has failed.
    """
    asked = [case for case in cases if case.test.applies]
    answers = iter(ask_both_ways(engine, [_question(case) for case in asked], progress))
    found: list[Checked] = []
    for case in cases:
        if case.test.applies:
            answer = next(answers)
            found.append(_settled(case, Verdict(answer.shown_a, answer.shown_b, answer.reason), least))
        else:
            found.append(_unasked(case))
    return found


def check_with_record(record: Record, cases: Iterable[Case], least: float = LEAST_P) -> list[Checked]:
    """Check tests against recorded verdicts; one without is STALE.

    Raises:
        UsageError: the record was made with another template than judges are asked with now.
    """
    if record.template != load_template("pairwise").digest:
        raise UsageError(
            f"the verdicts of {record.judge} were given to another template of questions",
            hint="record the tests again: tenet principles test FILE --judge MODEL --record FILE.json",
        )
    return [_recorded(case, record, least) if case.test.applies else _unasked(case) for case in cases]


def record_of(judge: str, engine: Engine, checked: Iterable[Checked]) -> Record:
    """Make the record of a judge's verdicts, the unreadable ones too."""
    told = {digest_of(one.case.principle, one.case.test): one for one in checked if one.verdict is not None}
    model = engine.info.as_json()
    assert isinstance(model, dict)
    return Record(
        judge=judge,
        model=model,
        template=load_template("pairwise").digest,
        verdicts={name: one.verdict for name, one in told.items() if one.verdict is not None},
        about={
            name: {"file": one.case.file, "principle": one.case.principle.id, "prompt": one.case.test.prompt}
            for name, one in told.items()
        },
    )


def _question(case: Case) -> Question:
    prompt = Prompt.of([Message("user", case.test.prompt)], tags=case.test.tags)
    better, worse = (
        Sample(name, prompt.id, index, text, "test", Finish.GIVEN)
        for index, (name, text) in enumerate((("better", case.test.better), ("worse", case.test.worse)))
    )
    return Question(case.principle, prompt, better, worse)


def _unasked(case: Case) -> Checked:
    if applies(case.principle, case.test.tags, case.test.prompt):
        return Checked(case, Result.FAILED, reason="the principle applies to a prompt that it should leave alone")
    return Checked(case, Result.PASSED)


def _recorded(case: Case, record: Record, least: float) -> Checked:
    verdict = record.verdicts.get(digest_of(case.principle, case.test))
    return Checked(case, Result.STALE, reason=STALE) if verdict is None else _settled(case, verdict, least)


def _settled(case: Case, verdict: Verdict, least: float) -> Checked:
    p = _mean(verdict)
    if p is None:
        return Checked(case, Result.UNREADABLE, verdict, verdict.reason)
    if p > 0.5 and p >= least:
        return Checked(case, Result.PASSED, verdict)
    wanted = f"at least {least:g}" if least > 0.5 else "more than 0.5"
    return Checked(case, Result.FAILED, verdict, f"P(better) is {p:.3f}; {wanted} is needed")


def _mean(verdict: Verdict) -> float | None:
    if verdict.better_first is None or verdict.worse_first is None:
        return None
    return mean([verdict.better_first, verdict.worse_first])
