"""Has the run's judge propose principles from labels that its verdicts go against: one question a pair, one to three lines an answer.

The method is that of inverse constitutional AI (Findeis et al. 2024), with the merging of near duplicates in the place of clusters. An
answer is read strictly: a line is a candidate if it has the form that the template asks for, and any other line is counted and dropped.
Answers are kept beside those about pairs, so that the same question is asked once. Knows nothing of how good a proposal is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

from constitution.lint.words import plain
from engines.base import Completion, Engine, SamplingParams
from generate.answers import Answers
from generate.others import Others
from generate.suggest.evidence import Labelled
from generate.suggest.verdicts import Owed
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.critique import require_generation
from tenet.console import Console
from tenet.errors import JudgeUnfit
from tenet.ids import unit_interval
from tenet.records import Finish
from tenet.runs import Row, Run
from tenet.workers.local import Task, run_stage

PARAMS: Final = SamplingParams(max_tokens=256, temperature=0.0)
STAGE: Final = "proposals"
_LINE: Final = re.compile(r"(?:[-*•]\s+|\d{1,2}[.)]\s+)?Principle:\s*(The response\b.{5,300})", re.IGNORECASE)
_GIVE_A_POOL: Final = "give candidates yourself: --pool FILE"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the judge wrote about one pair; its lines are read when they are needed."""

    id: str
    prompt_id: str
    judge: str
    text: str
    finish: Finish
    reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


class Proposer:
    """The judge's model as an author of principles.

    Raises:
        JudgeUnfit: the engine does not generate text.
    """

    def __init__(self, engine: Engine) -> None:
        try:
            require_generation(engine)
        except JudgeUnfit as error:
            told = f"the engine {engine.info.engine} does not generate text: it cannot propose principles"
            raise JudgeUnfit(told, hint=_GIVE_A_POOL) from error
        self.engine = engine
        self._questions = Questionnaire(engine, load_template("propose"), "propose", PARAMS.as_json())

    def ask(self, one: Labelled) -> Ask:
        """The question about one pair."""
        case = one.case
        preferred, other = (case.a, case.b) if one.a_wins else (case.b, case.a)
        tokens = self._questions.tokens(
            prompt=conversation(case.prompt), preferred=preferred.text.strip(), other=other.text.strip()
        )
        key = self._questions.key((case.prompt.id, preferred.id, other.id), tokens)
        return Ask(
            key=key, prompt_id=case.prompt.id, principle=None, tokens=tokens, problem=self._questions.problem(tokens)
        )

    def owed(self, pairs: Iterable[Labelled], most: int) -> Owed:
        """The most that asking about `most` of these pairs may take, with no answer recorded."""
        sizes = sorted((len(self.ask(one).tokens) + PARAMS.max_tokens for one in pairs), reverse=True)[:most]
        return Owed(len(sizes), sum(sizes))

    def work(self, tasks: Iterable[Task[Ask]]) -> Iterator[Row[Proposal]]:
        """Answer questions, as the engine has room for them."""
        asks = (task.payload for task in tasks)
        for ask, answer in answered(asks, partial(self.engine.stream_completions, params=PARAMS)):
            found = self._record(ask, answer)
            yield Row(found.id, found, ok=found.finish is not Finish.ERROR, reason=found.reason)

    def _record(self, ask: Ask, answer: Completion | None) -> Proposal:
        return Proposal(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            judge=self.engine.info.model,
            text=answer.text.strip() if answer else "",
            finish=answer.finish if answer else Finish.ERROR,
            reason=answer.error if answer else ask.problem,
            prompt_tokens=answer.usage.prompt_tokens if answer else None,
            completion_tokens=answer.usage.completion_tokens if answer else None,
            cached_tokens=answer.usage.cached_tokens if answer else None,
        )


def drawn(wrong: Sequence[Labelled], most: int, seed: int) -> list[Labelled]:
    """Draw the pairs to propose from, by their content: at most `most`, one a prompt as long as there are prompts."""
    ordered = sorted(wrong, key=lambda one: unit_interval("propose", seed, *one.key))
    rounds: Counter[str] = Counter()
    placed = []
    for one in ordered:
        placed.append((rounds[one.case.prompt.id], one))
        rounds[one.case.prompt.id] += 1
    return [one for _, one in sorted(placed, key=lambda found: found[0])][:most]


def propose(proposer: Proposer, pairs: Sequence[Labelled], answers: Answers, console: Console) -> list[str]:
    """The texts of principles that the judge proposes from these pairs, those proposed most often first, no two alike.

    Raises:
        JudgeUnfit: no line of any answer has the form of a principle.
        TooManyFailures, Interrupted, EngineError, RunLocked: as `generate.answers.Answers.get`; what was answered is kept.
    """
    asks = {ask.record_id: ask for ask in map(proposer.ask, pairs)}
    known = _recorded(answers, asks)
    owed = [Task(key, ask) for key, ask in asks.items() if key not in known]
    if owed:
        with answers.opened(proposer.engine) as cache, console.progress("proposing principles") as progress:
            stage = cache.stage(STAGE, Proposal)
            run_stage(stage, [owed], proposer.work, progress=progress, max_failures=1.0, retry_failed=True)
            answers.count(row.record for row in stage.rows(0) if row.key in asks and row.key not in known)
        known = _recorded(answers, asks)
    found = [parse(known[key].text) for key in asks if key in known]
    texts = [text for lines, _ in found for text in lines]
    unread = sum(dropped for _, dropped in found)
    if not texts:
        raise JudgeUnfit(
            f"the judge {proposer.engine.info.model} proposed nothing that can be read: of its {len(found):,} answers about "
            f"{len(asks):,} pairs no line has the form `Principle: The response ...`",
            hint=f"a small model may not be able to; {_GIVE_A_POOL}",
        )
    first: dict[str, str] = {}
    count = Counter(plain(text) for text in texts)
    for text in texts:
        first.setdefault(plain(text), text)
    console.say(
        f"The judge proposed {len(texts):,} principles from {len(found):,} pairs, {len(first):,} of them different"
        + (f"; {unread:,} lines of other forms were dropped" if unread else "")
    )
    return [text for key, text in sorted(first.items(), key=lambda one: -count[one[0]])]


def parse(answer: str) -> tuple[list[str], int]:
    """Read an answer: its lines that are principles, and how many are not. Empty lines are neither."""
    lines = [line.strip() for line in answer.splitlines() if line.strip()]
    found = [match[1].strip() for line in lines if (match := _LINE.fullmatch(line))]
    return found, len(lines) - len(found)


def _recorded(answers: Answers, keys: Iterable[str]) -> dict[str, Proposal]:
    if not (answers.cache / "run.json").exists():
        return {}
    with closing(Others([Run.read(answers.cache, say=lambda _: None)])) as others:
        rows = others.rows(STAGE, Proposal, set(keys))
    return {row.key: row.record for _, row in rows if row.record is not None}
