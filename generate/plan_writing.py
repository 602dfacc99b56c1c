"""Counts what a judge will write: critiques of pairs, and critique-and-revision. A part of `generate.plan`.

Which critiques are asked depends on which pairs come out, and which revisions on what the critiques say; so they are exact once what
they depend on is recorded, and between bounds before. Asks no model, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from constitution.model import Principle
from constitution.select import applying, draw
from generate.amounts import NOTHING, Amount, total
from generate.context import Step
from generate.deriving import pairs_of, preferences_of
from generate.forecast import Forecaster
from generate.judging import criticised
from generate.others import OnLoan, Others
from generate.planned import Held, Line, Seen, blank_sample, written
from generate.prefixes import Prefixes
from generate.questions import RETRIES
from generate.revising import CRITIQUES, stage_name
from generate.revision_pairs import JUDGEMENTS
from generate.schedule import field_of, round_robin
from generate.spending import READ
from judges.asks import Ask
from judges.critique import CritiqueJudge
from judges.pairwise import PairwiseJudge
from judges.revise import ReviseAsk, Reviser, as_sample
from tenet.ids import seed_from
from tenet.records import Critique, Judgement, Prompt, Revision, Sample, Verdict
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.runs.codec import R
from tenet.workers.survey import given_up_keys


def writing(
    run: Run | None, others: Others | None, config: RunConfig, judge: PairwiseJudge, prompts: Sequence[Prompt], seen: Seen,
    forecaster: Forecaster, judging: Line, answered: OnLoan[Judgement], shards: Collection[int],
) -> Iterator[Line]:  # fmt: skip
    """The lines of critiques and of revisions, where a run has them; `shards` are those in which the prompts are, `answered` the
    comparisons that other runs lend.

    Raises:
        JudgeUnfit: the judge does not write.
    """
    if config.critique != "none":
        critic = CritiqueJudge(judge.engine)
        settled = _settled(run, others, Step.CRITIQUES, Critique, shards)
        if judging.owed.high == 0 and (run is not None or answered.taken):
            told = [*_judged(run, shards), *answered.records()]
            yield _decided(config, judge, critic, prompts, seen, forecaster, settled, told)
        else:
            yield _undecided(config, judge, critic, prompts, seen, settled)
    if config.revise is not None:
        yield _Revising(run, others, config, judge, seen, shards).line(prompts)


def _judged(run: Run | None, shards: Collection[int]) -> Iterator[Judgement]:
    """The run's own judgements."""
    if run is not None:
        stage = run.stage(Step.JUDGEMENTS, Judgement)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            yield from stage.records(shard, ok=None)


def _settled(run: Run | None, others: Others | None, name: str, kind: type[R], shards: Collection[int]) -> Held[R]:
    """What is recorded in a stage, by key: answers, here and in other runs, and what was given up."""
    found: dict[str, R | None] = {}
    lent = OnLoan(others, name, kind)
    if run is not None and name in run.manifest.stages:
        stage = run.stage(name, kind)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            tired = given_up_keys(stage, shard, RETRIES)
            wanted = {key for key in tired if key not in lent}
            found.update((row.key, row.record) for row in stage.rows(shard) if row.ok or row.key in wanted)
    return Held(found, lent)


def _means(found: Mapping[str, Critique | None]) -> list[float]:
    """The mean length of what was written about each prompt."""
    lengths: dict[str, list[int]] = {}
    for one in found.values():
        if one is not None and one.completion_tokens is not None:
            lengths.setdefault(one.prompt_id, []).append(one.completion_tokens)
    return [sum(some) / len(some) for some in lengths.values()]


def _decided(
    config: RunConfig, judge: PairwiseJudge, critic: CritiqueJudge, prompts: Sequence[Prompt], seen: Seen,
    forecaster: Forecaster, settled: Held[Critique], told: Sequence[Judgement],
) -> Line:  # fmt: skip
    """Critiques where every judgement is recorded (`told`): the pairs, and so the questions, are known."""
    bias = forecaster.bias.log_odds if forecaster.bias else None
    found = preferences_of(prompts, told, judge.constitution, bias=bias)
    pairs, _ = pairs_of(prompts, found, config.pairs, config.seed, one_order=bias is not None)
    wanted = criticised(judge.constitution, prompts, seen.samples, pairs, whole=config.critique == "all")
    asks = [ask for prompt, sample, principle in wanted for ask in critic.asks(prompt, sample, principle)]
    new = [ask for ask in asks if ask.record_id not in settled]
    reused = {ask.record_id for ask in asks if ask.record_id not in settled.own and ask.record_id in settled.lent}
    prefixes = Prefixes.of(judge.engine.capabilities)
    prefixes.count(ask.tokens for ask in new)
    per: dict[str, int] = {}
    for ask in new:
        per[ask.prompt_id] = per.get(ask.prompt_id, 0) + 1
    return Line(
        Step.CRITIQUES, judge.name, Amount.exact(len({ask.key for ask in asks})), Amount.exact(len(reused)),
        Amount.exact(len(new)), Amount.exact(sum(len(ask.tokens) for ask in new)), Amount.exact(prefixes.cached),
        written(_means(settled.own), list(per.values()), critic.params.max_tokens), prefixes.shared,
    )  # fmt: skip


def _undecided(
    config: RunConfig, judge: PairwiseJudge, critic: CritiqueJudge, prompts: Sequence[Prompt], seen: Seen,
    settled: Held[Critique],
) -> Line:  # fmt: skip
    """Critiques before the pairs are known: expected as if every prompt came to a pair, and at most. What other runs have criticised is
    expected to be asked first, for it came to a pair there.
    """
    prefixes = Prefixes.of(judge.engine.capabilities)
    whole, every = config.critique == "all", config.pairs.select == "all"
    calls: list[Amount] = []
    reused: list[Amount] = []
    owing: list[Amount] = []
    tokens: list[Amount] = []
    for prompt in prompts:
        decided = len(judge.principles(prompt))
        applied = list(applying(judge.constitution, prompt))
        lengths = seen.lengths.get(prompt.id)
        count = seen.total if lengths is None else len(lengths)
        if not applied or not count:
            continue
        paired = 0 if count < 2 or not decided else count if every else 2
        expected = paired * decided + (count - paired if whole else 0) * len(applied)
        most = count * len(applied) if whole else expected
        (frame,) = critic.asks(prompt, blank_sample(prompt, 0), applied[0])
        prefixes.count([frame.tokens])
        samples = seen.complete.get(prompt.id, ()) if settled.lent else ()
        lent, possible = _on_loan(critic, prompt, samples, applied, settled.lent)
        calls.append(Amount.bounds(0, most, expected))
        reused.append(Amount.bounds(0, min(most, lent), min(expected, lent)))
        most = min(most, possible - lent) if lent else most
        expected = min(most, max(0, expected - lent))
        known = sum(lengths) / len(lengths) if lengths else seen.mean if seen.enough else None
        longest = max(lengths) if lengths else seen.most
        guess = None if known is None else expected * (len(frame.tokens) + known)
        tokens.append(Amount.bounds(0, most * (len(frame.tokens) + longest), guess))
        owing.append(Amount.bounds(0, most, expected))
    asked, prompted = total(owing), total(tokens)
    owed = Amount.bounds(0, asked.high, max(0.0, (asked.expected or 0.0) - len(settled.own)))
    share = (owed.expected or 0.0) / asked.expected if asked.expected else 0.0
    lasting = None if prompted.expected is None else prompted.expected * share
    text = written(_means(settled.own), [owed.expected or 0.0], critic.params.max_tokens)
    ceiling = owed.high * critic.params.max_tokens
    return Line(
        Step.CRITIQUES, judge.name, total(calls), total(reused), owed, Amount.bounds(0, prompted.high, lasting),
        prefixes.between(prefixes.head * (owed.expected or 0.0), prompted.high), Amount.bounds(0, ceiling, text.expected),
        prefixes.head * (owed.expected or 0.0),
    )  # fmt: skip


def _on_loan(
    critic: CritiqueJudge, prompt: Prompt, samples: Sequence[Sample], principles: Sequence[Principle], lent: OnLoan[Critique]
) -> tuple[int, int]:  # fmt: skip
    """How many of all critiques that may be asked of these samples other runs have, and how many those are."""
    asks = [
        ask for sample in samples if sample.usable for principle in principles for ask in critic.asks(prompt, sample, principle)
    ]  # fmt: skip
    return sum(ask.record_id in lent for ask in asks), len(asks)


@dataclass
class _Count:
    """Questions of one kind: how many, how many other runs have answered, how many are not recorded anywhere, and tokens of those."""

    calls: Amount = NOTHING
    reused: Amount = NOTHING
    owed: Amount = NOTHING
    prompt: Amount = NOTHING
    completion: Amount = NOTHING

    def known(self, ask: Ask, settled: Held[Any], most: int) -> None:
        """A question that will be asked, or was."""
        self.calls += Amount.exact(1)
        if ask.record_id in settled.own:
            return
        if ask.record_id in settled.lent:
            self.reused += Amount.exact(1)
        else:
            self.owed += Amount.exact(1)
            self.prompt += Amount.exact(len(ask.tokens))
            self.completion += Amount.bounds(0, most)

    def possible(self, least: float, number: float, low: float, high: float, most: int) -> None:
        """Questions of which `least` to `number` will be asked, each of `low` to `high` tokens."""
        self.calls += Amount.bounds(least, number)
        self.owed += Amount.bounds(least, number)
        self.prompt += Amount.bounds(least * low, number * high)
        self.completion += Amount.bounds(0, number * most)


@dataclass
class _Revising:
    """Follows each prompt through the rounds, as far as critiques and revisions are recorded."""

    run: Run | None
    others: Others | None
    config: RunConfig
    judge: PairwiseJudge
    seen: Seen
    shards: Collection[int]
    count: _Count = field(default_factory=_Count)

    def __post_init__(self) -> None:
        self.critic, self.reviser = CritiqueJudge(self.judge.engine), Reviser(self.judge.engine)
        self.rounds = self.config.revise.rounds if self.config.revise else 0
        numbers = range(1, self.rounds + 1)
        self.critiques = {number: self._settled(f"{CRITIQUES}-{number}", Critique) for number in numbers}
        self.revisions = {number: self._settled(stage_name(number), Revision) for number in numbers}
        self.judged = self._settled(JUDGEMENTS, Judgement)
        self.prefixes = Prefixes.of(self.judge.engine.capabilities)

    def _settled(self, name: str, kind: type[R]) -> Held[R]:
        return _settled(self.run, self.others, name, kind, self.shards)

    def line(self, prompts: Sequence[Prompt]) -> Line:
        """All rounds of all prompts, and the judging of what they come to."""
        for prompt in prompts:
            self._follow(prompt)
        count = self.count
        return Line(
            Step.REVISIONS, self.judge.name, count.calls, count.reused, count.owed, count.prompt,
            self.prefixes.between(self.prefixes.head * count.owed.low, count.prompt.high), count.completion,
            self.prefixes.head * count.owed.low,
        )  # fmt: skip

    def _follow(self, prompt: Prompt) -> None:
        samples = self.seen.complete.get(prompt.id)
        usable = None if samples is None else field_of(samples).samples[:1]
        if usable == ():
            return
        original: Sample | None = usable[0] if usable else None
        current: Sample | Revision | None = original
        for number in range(1, self.rounds + 1):
            principle = draw(self.judge.constitution, prompt, seed_from(self.config.seed, "revise", number))
            if principle is None:
                continue
            if current is None or original is None:
                self._unknown(prompt, principle)
                continue
            shown = as_sample(current, original) if isinstance(current, Revision) else current
            (ask,) = self.critic.asks(prompt, shown, principle)
            recorded = ask.record_id in self.critiques[number]
            self.count.known(ask, self.critiques[number], self.critic.params.max_tokens)
            self.prefixes.count([] if recorded else [ask.tokens])
            critique = self.critiques[number].get(ask.record_id)
            if not recorded:
                self._rewriting(len(ask.tokens))
                current = None
            elif critique is not None and critique.verdict is Verdict.NO:
                (rewrite,) = self.reviser.asks(prompt, current, principle, critique)
                current = self._rewritten(rewrite, number, current)
        self._judging(prompt, original, current)

    def _rewritten(self, ask: ReviseAsk, number: int, current: Sample | Revision) -> Sample | Revision | None:
        found = self.revisions[number]
        self.count.known(ask, found, self.reviser.params.max_tokens)
        if ask.record_id not in found:
            return None
        revision = found.get(ask.record_id)
        return revision if revision is not None and revision.text else current

    def _unknown(self, prompt: Prompt, principle: Principle) -> None:
        """A round that looks at a text that is not there yet."""
        (frame,) = self.critic.asks(prompt, blank_sample(prompt, 0), principle)
        length = len(frame.tokens)
        self.prefixes.count([frame.tokens])
        least = 1 if prompt.id in self.seen.complete else 0
        most = max(self.seen.most, self.reviser.params.max_tokens)
        self.count.possible(least, 1, length, length + most, self.critic.params.max_tokens)
        self._rewriting(length + most)

    def _rewriting(self, criticised_tokens: int) -> None:
        """A revision that may be asked for: what the critic read, and the critique."""
        most = criticised_tokens + self.critic.params.max_tokens
        self.count.possible(0, 1, 0, most, self.reviser.params.max_tokens)

    def _judging(self, prompt: Prompt, original: Sample | None, end: Sample | Revision | None) -> None:
        """The comparison of the original with what it came to, in both orders."""
        if original is not None and isinstance(end, Revision):
            for first, second in round_robin([original, as_sample(end, original)]):
                for ask in self.judge.asks(prompt, first, second):
                    self.count.known(ask, self.judged, READ)
        elif end is None and self.rounds:
            frames = [len(a.tokens) for a in self.judge.asks(prompt, blank_sample(prompt, 0), blank_sample(prompt, 1))]
            longest = self.seen.most + self.reviser.params.max_tokens
            for frame in frames:
                self.count.possible(0, 2, frame, frame + longest, READ)
