"""Where audits ask: the run's judge, its sample of pairs, and answers that come from what is recorded before anything is asked.

A question is one about two responses in one order, under one of the principles by which the run judges that prompt. Kept answers lie in
the run's `audits/`. With `Counting` in the place of `generate.answers.Answers` nothing is asked and the questions are counted; an answer
that is not there is then taken for a decided one, so that the questions which follow on it are counted too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Protocol

from generate.answers import Answers
from generate.audit.cases import Case
from judges.aggregate import DECIDED, p_first
from judges.audit.control import RandomText
from judges.bothways import Asker
from judges.pairwise import PairAsk, PairwiseJudge
from judges.probability import mean
from tenet.budget import Spent
from tenet.ids import content_id
from tenet.records import Finish, Judgement, Prompt, Sample

CACHE: Final = "audits"


class Source(Protocol):
    """Gives answers by the ids of the questions; `spent` is what that took."""

    spent: Spent

    def get(self, judge: PairwiseJudge, asks: Iterable[PairAsk], title: str) -> Mapping[str, Judgement]:
        """The answers that there are."""
        ...


class Counting:
    """Asks nothing: recorded answers are given, and what would be asked is counted in `spent`."""

    def __init__(self, answers: Answers) -> None:
        self.spent = Spent()
        self._answers = answers
        self._seen: set[str] = set()

    def get(self, judge: PairwiseJudge, asks: Iterable[PairAsk], title: str) -> Mapping[str, Judgement]:  # noqa: ARG002
        """The recorded answers."""
        wanted = {ask.record_id: ask for ask in asks}
        known = self._answers.recorded(wanted)
        for key, ask in wanted.items():
            if key not in known and key not in self._seen:
                self._seen.add(key)
                self.spent += Spent(1, len(ask.tokens))
        return known


@dataclass(frozen=True, slots=True)
class Question:
    """Is `first`, shown first, better than `second`? `subject` is a principle, None for the whole constitution."""

    prompt: Prompt
    subject: str | None
    first: Sample
    second: Sample

    def turned(self) -> Question:
        """The same in the other order."""
        return replace(self, first=self.second, second=self.first)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A clean answer: P(`first` is better) to a question about a pair of the run."""

    question: Question
    p: float

    @property
    def decided(self) -> bool:
        """Whether it names a winner clearly."""
        return max(self.p, 1.0 - self.p) >= DECIDED

    @property
    def first_lost(self) -> bool:
        """Whether the response shown first lost."""
        return self.p < 0.5

    @property
    def loser(self) -> Sample:
        """The response that lost."""
        return self.question.first if self.first_lost else self.question.second

    @property
    def winner(self) -> Sample:
        """The response that won."""
        return self.question.second if self.first_lost else self.question.first


@dataclass
class Bench:
    """A judge, a sample of pairs, and a source of answers. `words` are what random text is made of: by default those of the sample."""

    judge: PairwiseJudge
    cases: Sequence[Case]
    source: Source
    seed: int = 0
    counting: bool = False
    words: Sequence[str] = ()
    questions: int = 0

    def read(self, questions: Sequence[Question], title: str) -> list[float | None]:
        """P(first is better) for each question, in order; None where there is no opinion, or the judge cannot take the question."""
        asks = [self._ask(one) for one in questions]
        sent = {ask.record_id: ask for ask in asks if ask is not None}
        self.questions += len(sent)
        known = self.source.get(self.judge, sent.values(), title) if sent else {}
        return [None if ask is None else self._p(known.get(ask.record_id)) for ask in asks]

    def read_both(self, questions: Sequence[Question], title: str) -> list[float | None]:
        """P(`first` is better), the mean of both orders; None unless both are answered."""
        found = self.read([one for question in questions for one in (question, question.turned())], title)
        return [
            None if forth is None or back is None else mean([forth, 1.0 - back])
            for forth, back in zip(found[::2], found[1::2], strict=True)
        ]

    def ask_all(self, title: str) -> Asker:
        """Questions of other judges on the same engine, answered from the same source."""

        def ask(judge: PairwiseJudge, asks: Sequence[PairAsk]) -> Mapping[str, Judgement]:
            sent = [one for one in asks if not one.problem]
            self.questions += len(sent)
            return self.source.get(judge, sent, title)

        return ask

    def subjects(self, case: Case) -> tuple[str | None, ...]:
        """What the run asks about the pairs of a prompt."""
        return self.judge.subjects(case.prompt)

    @cached_property
    def clean(self) -> tuple[Verdict, ...]:
        """The answers to the run's own questions about the sample, in both orders."""
        asked = [
            question
            for case in self.cases
            for subject in self.subjects(case)
            for question in (
                Question(case.prompt, subject, case.a, case.b),
                Question(case.prompt, subject, case.b, case.a),
            )
        ]
        found = zip(asked, self.read(asked, "the clean verdicts"), strict=True)
        return tuple(Verdict(question, p) for question, p in found if p is not None)

    @cached_property
    def decided(self) -> tuple[Verdict, ...]:
        """The clean verdicts that name a winner clearly."""
        return tuple(one for one in self.clean if one.decided)

    @cached_property
    def random_text(self) -> RandomText:
        """Random text in the judge's tokens."""
        texts = [text for case in self.cases for text in (case.prompt.text, case.a.text, case.b.text)]
        words = self.words or sorted({word for text in texts for word in text.split()})
        return RandomText(self.judge.engine.tokenizer, words, self.seed)

    def tokens(self, text: str) -> int:
        """How many tokens a text takes."""
        return self.judge.engine.tokenizer.count(text)

    def _ask(self, question: Question) -> PairAsk | None:
        asks = self.judge.asks(question.prompt, question.first, question.second, only=[question.subject])
        return asks[0] if asks and not asks[0].problem else None

    def _p(self, told: Judgement | None) -> float | None:
        if told is None:
            return 1.0 if self.counting else None
        return p_first(told) if told.outcome.is_opinion else None


def changed(sample: Sample, text: str) -> Sample:
    """A sample with another text, under an id of its own."""
    return replace(sample, id=content_id("changed", sample.id, text), text=text)


def invented(prompt: Prompt, text: str) -> Sample:
    """A response that no policy wrote."""
    return Sample(content_id("invented", prompt.id, text), prompt.id, 0, text, "audit", Finish.GIVEN)
