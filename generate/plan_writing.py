"""Counts the critiques of pairs that a judge will write; revisions are counted in `generate.plan_revising`. A part of `generate.plan`.

Which critiques are asked depends on which pairs come out; so they are exact once that is recorded, and between bounds before. Asks no
model, changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from constitution.model import Principle
from constitution.select import applying
from generate.amounts import Amount, total
from generate.byprompt import RATED, preferences_rated, weights_of
from generate.calibrated import AS_GIVEN, labelling_of
from generate.context import Step
from generate.deriving import pairs_of, preferences_of
from generate.forecast import Forecaster
from generate.judging import criticised
from generate.others import OnLoan, Others
from generate.plan_revising import Revising, settled
from generate.planned import Held, Line, Seen, blank_sample, written
from generate.prefixes import Prefixes
from judges.critique import CritiqueJudge
from judges.kinds.byprompt import RATINGS
from judges.registry import AnyJudge
from tenet.records import Critique, Judgement, Preference, PreferencePair, Prompt, Rating, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run


def writing(
    run: Run | None, others: Others | None, config: RunConfig, judge: AnyJudge, prompts: Sequence[Prompt], seen: Seen,
    forecaster: Forecaster, told: Iterable[Judgement] | None, shards: Collection[int],
) -> Iterator[Line]:  # fmt: skip
    """The lines of critiques and of revisions, where a run has them; `shards` are those in which the prompts are, `told` all
    that the judge says of them; None where something is still to be asked.

    Raises:
        JudgeUnfit: the judge does not write.
    """
    if config.critique != "none":
        critic = CritiqueJudge(judge.engine)
        known = settled(run, others, Step.CRITIQUES, Critique, shards)
        if told is not None:
            found = _preferences(run, config, judge, prompts, forecaster, told, shards)
            labelling = AS_GIVEN if run is None else labelling_of(run, config.pairs)
            one_order = forecaster.bias is not None and forecaster.bias.log_odds is not None
            pairs = pairs_of(prompts, found, config.pairs, config.seed, one_order=one_order, labelling=labelling)
            yield _decided(config, judge, critic, prompts, seen, known, pairs)
        else:
            yield _undecided(config, judge, critic, prompts, seen, known)
    if config.revise is not None:
        yield Revising(run, others, config, judge, seen, shards).line(prompts)


def _preferences(
    run: Run | None, config: RunConfig, judge: AnyJudge, prompts: Sequence[Prompt], forecaster: Forecaster,
    told: Iterable[Judgement], shards: Collection[int],
) -> list[Preference]:  # fmt: skip
    """What the recorded answers come to, once all of them are there."""
    kind = config.judge.kind
    if kind in RATED:
        weights = weights_of(config.judge)
        numbers = () if run is None else sorted(set(run.stage(RATINGS, Rating).shards()).intersection(shards))
        return [
            one
            for number in numbers
            if run is not None
            for one in preferences_rated(run, number, kind, prompts, judge.constitution, weights)
        ]
    bias = forecaster.bias.log_odds if forecaster.bias else None
    return preferences_of(prompts, [*told], judge.constitution, bias=bias)


def judged_in(run: Run | None, shards: Collection[int]) -> Iterator[Judgement]:
    """The run's own judgements in these shards."""
    if run is not None:
        stage = run.stage(Step.JUDGEMENTS, Judgement)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            yield from stage.records(shard, ok=None)


def _means(found: Mapping[str, Critique | None]) -> list[float]:
    """The mean length of what was written about each prompt."""
    lengths: dict[str, list[int]] = {}
    for one in found.values():
        if one is not None and one.completion_tokens is not None:
            lengths.setdefault(one.prompt_id, []).append(one.completion_tokens)
    return [sum(some) / len(some) for some in lengths.values()]


def _decided(
    config: RunConfig, judge: AnyJudge, critic: CritiqueJudge, prompts: Sequence[Prompt], seen: Seen,
    settled: Held[Critique], pairs: Sequence[PreferencePair],
) -> Line:  # fmt: skip
    """Critiques where every answer of the judge is recorded: the pairs, and so the questions, are known."""
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
    config: RunConfig, judge: AnyJudge, critic: CritiqueJudge, prompts: Sequence[Prompt], seen: Seen,
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
