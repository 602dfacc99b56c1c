"""The comparisons of a run as tasks: what a schedule asks, held against what the judgements stage has recorded.

`generate.rounds` says which questions are due; here they get their prompts, samples and content keys, shard by
shard and wave by wave. A wave's tasks follow from the answers of earlier waves, which no longer change while the
wave is at work, so they are the same whenever they are made. Knows no model beyond the making of questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from generate.context import Context, Step
from generate.orders import Asking, PositionBias, make_asking, position_bias
from generate.others import OnLoan
from generate.rounds import Question, Replay, Settled, Subject, calibration, in_showing_order, replay
from generate.schedule import field_of
from generate.shards import PROMPTS_PER_SHARD, LazyShards
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.config import as_json
from tenet.ids import Json, digest
from tenet.records import Judgement, Prompt, Sample
from tenet.runs import Stage
from tenet.workers.local import Task
from tenet.workers.survey import given_up_keys

RETRIES = 2
"""How often a failed question is asked again, as `tenet.workers.local.run_stage` has it, before it counts as settled."""


class Comparisons:
    """Every question of a run about two samples.

    `known` is what the stage should hold already, `wave(n)` what is asked in the n-th go; with a schedule that asks
    everything at once they are the same.
    """

    def __init__(
        self, context: Context, judge: PairwiseJudge, stage: Stage[Judgement], bias: PositionBias | None = None
    ) -> None:
        self.asking = make_asking(context.config.schedule, context.config.seed)
        self._context = context
        self._judge = judge
        self._stage = stage
        self._bias = bias
        self._first = LazyShards(len(context.shards), lambda shard: self._wave(shard, 1), self._count)

    @property
    def plan(self) -> str:
        """A name for everything that the questions depend on."""
        run, config = self._context.run, self._context.config
        states: list[Json] = [run.stage(Step.PROMPTS, Prompt).state, run.stage(Step.SAMPLES, Sample).state]
        identity: list[Json] = [self._judge.fingerprint, self._context.constitution.digest, config.seed]
        return digest([*identity, as_json(config.schedule), *states])

    @property
    def bias(self) -> PositionBias | None:
        """The judge's position bias; None where no wave has needed it yet. Given when this was made, it is not measured again."""
        return self._bias

    @property
    def waves(self) -> int:
        """How many waves the prompt with the most samples takes; 1 where no question depends on an answer."""
        if not self.asking.adaptive:
            return 1
        most = max((len(ids) for number in range(len(self._context.shards)) for ids in self._sizes(number)), default=0)
        return max(1, self.asking.waves(most))

    def wave(self, number: int) -> LazyShards[PairAsk]:
        """The tasks of one wave, from 1. Those of earlier waves must be settled, and the stage hold nothing else."""
        if number == 1:
            return self._first
        self._bias = self._bias or self._measured(current=True)
        return LazyShards(len(self._context.shards), lambda shard: self._wave(shard, number))

    def known(self, *, strict: bool) -> LazyShards[PairAsk]:
        """Everything that is due by what is recorded, for `generate.supersede`.

        Where a prompt is not done, an answer that may become due again is part of it, unless `strict`, which is for
        the end, when all waves are settled.
        """
        if not self.asking.adaptive:
            return self._first
        bias = self._bias if strict else self._measured(current=False)
        return LazyShards(len(self._context.shards), lambda shard: self._known(shard, bias, strict=strict))

    def _wave(self, shard: int, number: int) -> Iterator[Task[PairAsk]]:
        told = self._told(shard, current=True) if number > 1 else Told()
        for asker in self._askers(shard, told):
            waves = self._replayed(asker, self._bias).waves
            yield from asker.tasks(waves[number - 1] if len(waves) >= number else ())

    def _count(self, shard: int) -> int:
        """The number of questions of the first wave, without making them."""
        waves = (self._replayed(asker, None).waves[:1] for asker in self._askers(shard, Told()))
        return sum(len(wave) for (wave,) in filter(None, waves))

    def _known(self, shard: int, bias: PositionBias | None, *, strict: bool) -> list[Task[PairAsk]]:
        told = self._told(shard, current=strict)
        tasks: list[Task[PairAsk]] = []
        for asker in self._askers(shard, told):
            found = self._replayed(asker, bias)
            kept = [] if strict or found.finished else asker.recorded()
            tasks += asker.tasks(list(dict.fromkeys([*found.questions, *kept])))
        return tasks

    def _replayed(self, asker: Asker, bias: PositionBias | None) -> Replay:
        return replay(self.asking, asker.subject, asker.settled, bias, self._context.constitution)

    def _measured(self, *, current: bool) -> PositionBias | None:
        """The judge's position bias; None while a question that it is measured by is owed."""
        shards = range(calibration_shards(self.asking, self._context.shards.total))
        heard = heard_of(
            self.asking,
            (asker for shard in shards for asker in self._askers(shard, self._told(shard, current=current))),
        )
        return None if heard is None else position_bias(heard)

    def _told(self, shard: int, *, current: bool) -> Told:
        told = Told(current)
        told.add_all(self._stage, shard)
        return told

    def _askers(self, shard: int, told: Told) -> Iterator[Asker]:
        samples = self._context.samples(shard)
        for number, prompt in enumerate(self._context.shards[shard]):
            yield asker_of(self._judge, prompt, shard * PROMPTS_PER_SHARD + number, samples.get(prompt.id, ()), told)

    def _sizes(self, shard: int) -> Iterator[tuple[str, ...]]:
        return (field_of(samples).ids for samples in self._context.samples(shard).values())


def calibration_shards(asking: Asking, prompts: int) -> int:
    """In how many shards, from 0, the prompts lie that the position bias is measured on."""
    return -(-min(asking.orders.calibrating, prompts) // PROMPTS_PER_SHARD)


def heard_of(asking: Asking, askers: Iterable[Asker]) -> list[Judgement] | None:
    """The judgements that the position bias is measured from; None while a question that it is measured by is owed."""
    heard: list[Judgement] = []
    for asker in askers:
        for question in calibration(asking, asker.subject):
            settled = asker.settled(question)
            if settled is None:
                return None
            heard += [settled.judgement] if settled.judgement else []
    return heard


def asker_of(
    judge: PairwiseJudge, prompt: Prompt, place: int, samples: Sequence[Sample], told: Told | None = None
) -> Asker:
    """What makes and looks up the questions of one prompt, the `place`-th of its run from 0."""
    comparable = field_of(samples)
    subject = Subject(prompt.id, place, comparable.ids, judge.subjects(prompt))
    return Asker(judge, prompt, {sample.id: sample for sample in comparable.samples}, subject, told or Told())


@dataclass
class Told:
    """The settled rows of a shard by key, and by prompt and what they answer.

    `current` says that the stage holds no answer to a question of another wording (`generate.supersede` has been
    here): then an answer is found without making the question. `elsewhere` are answers that other runs have.
    """

    current: bool = False
    by_key: dict[str, Judgement | None] = field(default_factory=dict)
    by_question: dict[str, dict[Question, Judgement]] = field(default_factory=dict)
    nameless: bool = False
    elsewhere: OnLoan[Judgement] | None = None

    def add_all(self, stage: Stage[Judgement], shard: int) -> None:
        """Note the settled rows of a shard: those with an answer, and those that were given up."""
        tired = given_up_keys(stage, shard, RETRIES)
        for row in stage.rows(shard):
            if row.ok or row.key in tired:
                self.add(row.key, row.record)

    def add(self, key: str, record: Judgement | None) -> None:
        """Note a settled row; one that was given up may have no record."""
        self.by_key[key] = record
        if record is None:
            self.nameless = True
        else:
            question = Question(record.first_id, record.second_id, record.principle)
            self.by_question.setdefault(record.prompt_id, {})[question] = record


@dataclass
class Asker:
    """The questions of one prompt, each made once."""

    judge: PairwiseJudge
    prompt: Prompt
    samples: dict[str, Sample]
    subject: Subject
    told: Told
    made: dict[Question, PairAsk] = field(default_factory=dict)

    def ask(self, question: Question) -> PairAsk:
        """The question as the judge asks it."""
        if question not in self.made:
            first, second = self.samples[question.first_id], self.samples[question.second_id]
            (self.made[question],) = self.judge.asks(self.prompt, first, second, (question.principle,))
        return self.made[question]

    def settled(self, question: Question) -> Settled | None:
        """What is recorded of a question; None while it is owed."""
        told = self.told
        if told.current:
            record = told.by_question.get(self.prompt.id, {}).get(question)
            if record is not None or not told.nameless:
                return Settled(record) if record is not None else None
        if not told.by_key and not told.elsewhere:
            return None
        key = self.ask(question).record_id
        if key in told.by_key:
            return Settled(told.by_key[key])
        return Settled(told.elsewhere.get(key)) if told.elsewhere and key in told.elsewhere else None

    def lent(self, question: Question) -> bool:
        """Whether other runs have the answer, and this one has not."""
        elsewhere = self.told.elsewhere
        if not elsewhere:
            return False
        key = self.ask(question).record_id
        return key not in self.told.by_key and key in elsewhere

    def recorded(self) -> list[Question]:
        """The questions of today's wording that are answered, due or not."""
        return [
            question
            for question in self.told.by_question.get(self.prompt.id, {})
            if question.principle in self.subject.principles
            and {question.first_id, question.second_id} <= self.samples.keys()
            and self.ask(question).record_id in self.told.by_key
        ]

    def tasks(self, questions: Sequence[Question]) -> list[Task[PairAsk]]:
        """The questions as tasks, in showing order."""
        asks = [self.ask(question) for question in in_showing_order(questions, self.subject)]
        return [Task(ask.record_id, ask) for ask in asks]
