"""Counts what critique and revision will ask: a part of `generate.plan`.

Which principle a round asks, and whether it rewrites, depends on what the rounds before came to; so a response is followed as far as it is
recorded, and what comes after that lies between bounds. Asks no model, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from constitution.model import Principle
from constitution.select import applying
from generate.amounts import NOTHING, Amount
from generate.context import Step
from generate.others import OnLoan, Others
from generate.planned import Held, Line, Seen, blank_sample
from generate.prefixes import Prefixes
from generate.questions import RETRIES
from generate.revising import make_reviser
from generate.revision_chain import Chain, critique_stage_name, follow, next_principle, stage_name, to_revise
from generate.revision_pairs import JUDGEMENTS, checks
from judges.asks import Ask
from judges.critique import CritiqueJudge
from judges.pairwise import Mode, PairwiseJudge
from judges.registry import AnyJudge
from tenet.records import Critique, Judgement, Prompt, Revision, Sample, Verdict
from tenet.runconfig import ReviseConfig, RunConfig
from tenet.runs import Run
from tenet.runs.codec import R
from tenet.workers.survey import given_up_keys


def settled(run: Run | None, others: Others | None, name: str, kind: type[R], shards: Collection[int]) -> Held[R]:
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


@dataclass
class _Count:
    """Questions of one kind: how many, how many other runs have answered, how many are not recorded anywhere, and tokens of those."""

    calls: Amount = NOTHING
    reused: Amount = NOTHING
    owed: Amount = NOTHING
    prompt: Amount = NOTHING
    completion: Amount = NOTHING

    def known(self, ask: Ask, settled: Held[Any], most: int, further: int = 0) -> None:
        """A question that will be asked, or was. `most` tokens are written for it, and as many as `further` read beside its own."""
        self.calls += Amount.exact(1)
        if ask.record_id in settled.own:
            return
        if ask.record_id in settled.lent:
            self.reused += Amount.exact(1)
        else:
            self.owed += Amount.exact(1)
            self.prompt += Amount.bounds(len(ask.tokens), len(ask.tokens) + further)
            self.completion += Amount.bounds(0, most)

    def possible(self, least: float, number: float, low: float, high: float, most: int) -> None:
        """Questions of which `least` to `number` will be asked, each of `low` to `high` tokens."""
        self.calls += Amount.bounds(least, number)
        self.owed += Amount.bounds(least, number)
        self.prompt += Amount.bounds(least * low, number * high)
        self.completion += Amount.bounds(0, number * most)


@dataclass
class Revising:
    """Follows each prompt through the rounds, as far as critiques and revisions are recorded."""

    run: Run | None
    others: Others | None
    config: RunConfig
    judge: AnyJudge
    seen: Seen
    shards: Collection[int]
    count: _Count = field(default_factory=_Count)
    lengths: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.told = self.config.revise or ReviseConfig()
        self.critic, self.reviser = CritiqueJudge(self.judge.engine), make_reviser(self.judge.engine, self.told)
        numbers = range(1, self.told.rounds + 1)
        self.critiques = {number: self._settled(critique_stage_name(number), Critique) for number in numbers}
        self.revisions = {number: self._settled(stage_name(number), Revision) for number in numbers}
        self.judged = self._settled(JUDGEMENTS, Judgement)
        self.prefixes = Prefixes.of(self.judge.engine.capabilities)

    def _settled(self, name: str, kind: type[R]) -> Held[R]:
        return settled(self.run, self.others, name, kind, self.shards)

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
        frames = _Frames(self, prompt, applying(self.judge.constitution, prompt))
        if not frames.principles:
            return
        samples = self.seen.complete.get(prompt.id)
        if samples is not None:
            for original in to_revise(samples, self.told):
                self._chain(frames, original)
            return
        for _ in range(self.seen.total if self.told.samples == "all" else 1):
            for _round in range(self.told.rounds):
                self._unknown(frames, least=0)
            self._possibly_judged(frames)

    def _chain(self, frames: _Frames, original: Sample) -> None:
        """Follow a response as far as it is recorded; from there on its text, or the next principle, is not known."""
        chain, known, stopped = Chain(original), True, 0
        for number in range(1, self.told.rounds + 1):
            if not known:
                asked = (
                    len(chain.asked) + number - stopped
                )  # where the text does not change, one principle more a round
                self._unknown(frames, least=int(asked < len(frames.principles)))
                continue
            found = next_principle(self.judge.constitution, frames.prompt, self.config.seed, number, chain.asked)
            if found is None:
                break
            after = self._round(frames, chain, number, found)
            known, stopped = after is not None, number
            chain = after or chain
        if not known:
            self._possibly_judged(frames)
        elif chain.kept and self.told.check and isinstance(self.judge, PairwiseJudge):
            for ask in checks(self.judge, frames.prompt, chain):
                most, written = self.judge.need(ask)
                self.count.known(ask, self.judged, written, most - len(ask.tokens))

    def _round(self, frames: _Frames, chain: Chain, number: int, principle: Principle) -> Chain | None:
        """Count a round whose text is known; None where what it comes to is not recorded yet."""
        (ask,) = self.critic.asks(frames.prompt, chain.shown, principle)
        held = self.critiques[number]
        self.count.known(ask, held, self.critic.params.max_tokens)
        if ask.record_id not in held:
            self.prefixes.count([ask.tokens])
            self._rewriting(len(ask.tokens) + frames.longer_to_rewrite)
            return None
        critique = held.get(ask.record_id)
        if critique is None:
            return chain
        if critique.verdict is not Verdict.NO:
            return follow(chain, number, critique, None)
        (rewrite,) = self.reviser.asks(frames.prompt, chain.current, principle, critique)
        revisions = self.revisions[number]
        self.count.known(rewrite, revisions, self.reviser.params.max_tokens)
        if rewrite.record_id not in revisions:
            return None
        return follow(chain, number, critique, revisions.get(rewrite.record_id))

    def _unknown(self, frames: _Frames, *, least: int) -> None:
        """A round that looks at a text that is not there yet, or under a principle that is not drawn yet."""
        self.prefixes.count([frames.head])
        most = frames.longest + max(self.seen.most, self.reviser.params.max_tokens)
        self.count.possible(least, 1, frames.shortest, most, self.critic.params.max_tokens)
        self._rewriting(most + frames.longer_to_rewrite)

    def _rewriting(self, criticised_tokens: int) -> None:
        """A revision that may be asked for: what the critic read, and the critique."""
        most = criticised_tokens + self.critic.params.max_tokens
        self.count.possible(0, 1, 0, most, self.reviser.params.max_tokens)

    def _possibly_judged(self, frames: _Frames) -> None:
        """The comparison of the original with what it may come to, in both orders, under the principles it may be revised by."""
        if not self.told.check or not isinstance(self.judge, PairwiseJudge):
            return
        ids = [principle.id for principle in frames.principles]
        first, second = (blank_sample(frames.prompt, place) for place in (0, 1))
        lengths = sorted(
            ((len(ask.tokens), ask.principle) for ask in self.judge.asks_under(frames.prompt, first, second, ids)),
            key=lambda one: -one[0],
        )
        number = len(lengths) if self.judge.mode is not Mode.SAMPLED else min(len(lengths), self.told.rounds)
        longest = self.seen.most + self.reviser.params.max_tokens
        for length, principle in lengths[:number]:
            most, written = self.judge.most(length + longest, principle)
            self.count.possible(0, 2, length, most, written)


class _Frames:
    """How long the questions about a prompt are without the response, under each principle that applies.

    One question is written out for each prompt; what another principle makes of its length is measured on one prompt for all.
    """

    def __init__(self, of: Revising, prompt: Prompt, principles: Sequence[Principle]) -> None:
        self.prompt, self.principles = prompt, principles
        if not principles:
            return
        blank = blank_sample(prompt, 0)
        (ask,) = of.critic.asks(prompt, blank, principles[0])
        self.head = ask.tokens
        for principle in principles:
            if principle.id not in of.lengths:
                of.lengths[principle.id] = _lengths(of, prompt, blank, principle)
        first = of.lengths[principles[0].id][0]
        reads = [of.lengths[principle.id][0] - first for principle in principles]
        self.shortest, self.longest = len(ask.tokens) + min(reads), len(ask.tokens) + max(reads)
        more = [of.lengths[principle.id][1] - of.lengths[principle.id][0] for principle in principles]
        self.longer_to_rewrite = max(0, *more)


def _lengths(of: Revising, prompt: Prompt, blank: Sample, principle: Principle) -> tuple[int, int]:
    """Tokens of a critique's question and of a revision's about an empty response, under a principle."""
    (ask,) = of.critic.asks(prompt, blank, principle)
    nothing = Critique(ask.record_id, prompt.id, blank.id, "", principle.id, "", Verdict.NO)
    (rewrite,) = of.reviser.asks(prompt, blank, principle, nothing)
    return len(ask.tokens), len(rewrite.tokens)
