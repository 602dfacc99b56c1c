"""Counts what a run would cost before anything is spent: calls and tokens, step by step, less what is recorded already, in this run or in
others that it takes from.

Every prompt is tokenised by the real tokenizers. What cannot be known before it is drawn is the length of responses: where a prompt's
samples are recorded their own count, elsewhere they are predicted from those that are, with an interval (`generate.amounts`), and
where too few are drawn there are bounds: no token, and `max_tokens`. Where later questions depend on earlier answers, calls are an
expectation between bounds (`generate.forecast`). Asks no model, loads no weights, changes nothing; prices are in `generate.bill`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypeVar

from generate.amounts import Amount, Kind, loosened, predicted
from generate.calibrated import PANEL_FILE
from generate.context import Step, by_prompt
from generate.forecast import Forecast, Forecaster
from generate.intake import PROMPTS, Input
from generate.orders import Asking, make_asking
from generate.others import OnLoan, Others
from generate.panel import Member
from generate.plan_byprompt import prompt_line
from generate.plan_texts import recorded_texts, with_texts
from generate.plan_writing import judged_in, writing
from generate.planned import Line, Seen, blank_sample, sum_of, written
from generate.prefixes import Prefixes
from generate.prompt_shards import PromptShards
from generate.questions import RETRIES, Asker, Told, asker_of, heard_of
from generate.sampling import Policy
from generate.schedule import field_of
from generate.shards import PROMPTS_PER_SHARD
from generate.spending import READ
from judges.kinds.byprompt import PromptJudge
from judges.pairwise import PairwiseJudge
from judges.registry import AnyJudge
from tenet.ids import Json, content_id
from tenet.records import Finish, Judgement, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.workers.survey import given_up_keys

T = TypeVar("T")

RUN_FILE: Final = "run.json"
MOST_SHARDS: Final = 8
"""Most shards that a plan in passing reads."""


@dataclass(frozen=True)
class Plan:
    """What an order would cost. `undecided` counts the prompts to which no principle applies: they are never judged.

    `drawn` prompts have all their responses; `counted` were looked at, the others taken to be like them.
    """

    prompts: int
    lines: tuple[Line, ...]
    undecided: int = 0
    drawn: int = 0
    counted: int = 0

    @property
    def owes(self) -> bool:
        """Whether anything would be asked."""
        return any(line.owed.high > 0 for line in self.lines)

    @property
    def reuses(self) -> bool:
        """Whether other runs have answers for this one."""
        return any(line.reused.high > 0 for line in self.lines)

    def as_json(self) -> dict[str, Json]:
        """The plan for `--json` and `plan.json`."""
        return {
            "prompts": self.prompts,
            "prompts_drawn": self.drawn,
            "prompts_counted": self.counted,
            "no_principle_applies": self.undecided,
            "steps": [line.as_json() for line in self.lines],
        }


def plan(
    config: RunConfig, folder: Path, policies: Sequence[Policy], judge: AnyJudge, found: Input,
    members: Sequence[Member] = (), *, others: Others | None = None, most: int | None = None,
) -> Plan:  # fmt: skip
    """Count an order's calls and tokens from where the run in `folder` stands; a folder that is not there stands at nothing. What
    `others` have answered is not owed.

    `most` looks at so many prompts, chosen by content, and takes the others to be like them: for a plan in passing. Of a panel each of
    the `members` is asked, and `judge`, the first of them, writes.
    """
    with ExitStack() as stack:
        run = stack.enter_context(Run.read(folder)) if (folder / RUN_FILE).exists() else None
        everyone = PromptShards(run.stage(PROMPTS, Prompt) if run else None, found.spool)
        whole = most is None or everyone.total <= most
        placed = _placed(everyone, range(len(everyone))) if whole else _chosen(everyone, most or 0, config.seed)
        prompts = [prompt for prompt, _ in placed]
        places = {prompt.id: place for prompt, place in placed}
        ids = places.keys()
        shards = {places[prompt.id] // PROMPTS_PER_SHARD for prompt in prompts}
        lent = OnLoan(others, Step.SAMPLES, Sample)
        drawn, settled = _recorded(run, found, ids, shards)
        drawn = _borrowed(policies, prompts, drawn, settled, lent, config.seed)
        seen = _seen(policies, judge, prompts, drawn, settled, config.seed)
        lines = [_sampling(policy, prompts, drawn, settled, lent.taken, config.seed) for policy in policies]
        asking = make_asking(config.schedule, config.seed)
        answered = OnLoan(others, Step.JUDGEMENTS, Judgement, keys_alone=not asking.adaptive)
        forecaster = Forecaster.of(asking, judge.constitution, None)
        judging: list[Line] = []
        if isinstance(judge, PromptJudge):
            judging.append(prompt_line(run, others, judge, prompts, seen, shards))
        for one, name in _asked(judge, members):
            answered = OnLoan(others, name, Judgement, keys_alone=not asking.adaptive)
            told = _told(run, name, asking, shards, answered)
            lengths = seen if one is judge else _seen(policies, one, prompts, drawn, settled, config.seed)
            askers = {
                prompt.id: asker_of(one, prompt, places[prompt.id], seen.complete[prompt.id], told)
                for prompt in prompts
                if prompt.id in seen.complete
            }
            measured = [askers.get(prompt.id) for prompt in islice(everyone.everyone(), asking.orders.calibrating)]
            known = heard_of(asking, (asker for asker in measured if asker)) if all(measured) else None
            forecaster = Forecaster.of(asking, judge.constitution, known)
            line = _judging(one, forecaster, askers, places, prompts, lengths)
            judging.append(with_texts(line, one, recorded_texts(run, name, one, shards), len(prompts)))
        heard = run is not None and (not members or (run.path / PANEL_FILE).exists())
        decided = sum_of(judging).owed.high == 0 and (heard or (not members and bool(answered.taken)))
        told_all = chain(judged_in(run, shards), answered.records() if not members else ()) if decided else None
        lines += [*judging, *writing(run, others, config, judge, prompts, seen, forecaster, told_all, shards)]
    factor = everyone.total / len(prompts) if prompts else 1.0
    undecided = sum(not judge.principles(prompt) for prompt in prompts)
    return Plan(
        everyone.total, tuple(line if factor == 1.0 else line.scaled(factor) for line in lines),
        round(undecided * factor), round(len(seen.complete) * factor), len(prompts),
    )  # fmt: skip


def _placed(everyone: PromptShards, shards: Iterable[int]) -> list[tuple[Prompt, int]]:
    """The prompts of these shards in their order, with their places."""
    return [
        (prompt, place) for shard in shards for place, prompt in enumerate(everyone[shard], shard * PROMPTS_PER_SHARD)
    ]


def _chosen(everyone: PromptShards, most: int, seed: int) -> list[tuple[Prompt, int]]:
    """So many prompts with their places, drawn by content from at most `MOST_SHARDS` shards drawn so, in their order: of a large run no
    more than that is held.
    """

    def first(items: Iterable[T], count: int, name: Callable[[T], Json]) -> list[T]:
        return sorted(items, key=lambda item: content_id("planned", seed, name(item)))[:count]

    opening = {number: shard[0].id for number, shard in enumerate(everyone) if shard}
    shards = sorted(first(opening, MOST_SHARDS, lambda shard: opening[shard]))
    found = first(_placed(everyone, shards), most, lambda one: one[0].id)
    return sorted(found, key=lambda one: one[1])


def _recorded(
    run: Run | None, found: Input, ids: Collection[str], shards: Collection[int]
) -> tuple[Mapping[str, Sequence[Sample]], set[str]]:
    """The samples that the run has, by prompt, and the keys of draws that are not asked for again."""
    given = found.spool.given(ids)
    settled: set[str] = set()
    samples: list[Sample] = []
    if run is not None:
        stage = run.stage(Step.SAMPLES, Sample)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            tired = given_up_keys(stage, shard, RETRIES)
            settled |= tired
            for row in stage.rows(shard):
                if row.record is not None and row.record.prompt_id in ids and (row.ok or row.key in tired):
                    settled.add(row.key)
                    samples.append(row.record)
    return {**by_prompt(samples), **given}, settled


def _borrowed(
    policies: Sequence[Policy], prompts: Sequence[Prompt], drawn: Mapping[str, Sequence[Sample]], settled: set[str],
    lent: OnLoan[Sample], seed: int,
) -> Mapping[str, Sequence[Sample]]:  # fmt: skip
    """The samples by prompt with those that other runs lend; their keys are settled too."""
    if not lent:
        return drawn
    here = {sample.id: sample for samples in drawn.values() for sample in samples}
    for policy in policies:
        for prompt in prompts:
            for one in policy.draws(prompt, seed):
                held = here.get(one.key)
                if (held is None or held.finish is Finish.ERROR) and (sample := lent.get(one.key)) is not None:
                    settled.add(one.key)
                    here[one.key] = sample
    return by_prompt(here.values())


def _seen(
    policies: Sequence[Policy], judge: AnyJudge, prompts: Sequence[Prompt], drawn: Mapping[str, Sequence[Sample]],
    settled: set[str], seed: int,
) -> Seen:  # fmt: skip
    """The prompts all of whose responses are there."""
    complete = {
        prompt.id: drawn[prompt.id]
        for prompt in prompts
        if drawn.get(prompt.id) and all(one.key in settled for policy in policies for one in policy.draws(prompt, seed))
    }
    count = judge.engine.tokenizer.count
    lengths = {
        name: [count(sample.text.strip()) for sample in field_of(samples).samples] for name, samples in complete.items()
    }
    most = max((_longest(policy, judge, prompts) for policy in policies), default=0)
    return Seen(drawn, complete, sum(policy.samples for policy in policies), most, lengths)


def _longest(policy: Policy, judge: AnyJudge, prompts: Sequence[Prompt]) -> int:
    """`max_tokens` in the judge's tokens: more of them where its tokenizer cuts the prompts finer than the policy's."""
    writer, reader = policy.engine.tokenizer, judge.engine.tokenizer
    if writer.tokenizer_hash == reader.tokenizer_hash:
        return policy.params.max_tokens
    texts = [prompt.text for prompt in prompts[:256]]
    ratio = max((reader.count(text) / max(1, writer.count(text)) for text in texts), default=1.0)
    return round(policy.params.max_tokens * max(1.0, ratio))


def _sampling(
    policy: Policy, prompts: Sequence[Prompt], drawn: Mapping[str, Sequence[Sample]], settled: set[str], lent: set[str],
    seed: int,
) -> Line:  # fmt: skip
    prefixes = Prefixes.of(policy.engine.capabilities)
    calls = tokens = reused = 0
    owed: list[int] = []
    known: list[float] = []
    for prompt in prompts:
        draws = list(policy.draws(prompt, seed))
        new = [one for one in draws if one.key not in settled]
        keys = {one.key for one in draws}
        calls += len(draws)
        reused += sum(one.key in lent for one in draws)
        tokens += sum(len(one.request.tokens) for one in new)
        prefixes.count(one.request.tokens for one in new)
        if new:
            owed.append(len(new))
            continue
        told = [s.completion_tokens for s in drawn.get(prompt.id, ()) if s.id in keys and s.finish is not Finish.ERROR]
        if counted := [one for one in told if one is not None]:
            known.append(sum(counted) / len(counted))
    return Line(
        Step.SAMPLES, policy.name, Amount.exact(calls), Amount.exact(reused), Amount.exact(sum(owed)), Amount.exact(tokens),
        Amount.exact(prefixes.cached), written(known, owed, policy.params.max_tokens), prefixes.shared,
    )  # fmt: skip


def _asked(judge: AnyJudge, members: Sequence[Member]) -> list[tuple[PairwiseJudge, str]]:
    """Who is asked about pairs, each with the stage of its answers."""
    if isinstance(judge, PairwiseJudge) and not members:
        return [(judge, Step.JUDGEMENTS)]
    return [(each.judge, each.stage) for each in members]


def _told(run: Run | None, name: str, asking: Asking, shards: Collection[int], lent: OnLoan[Judgement]) -> Told:
    """What is recorded of the comparisons, here or in other runs; of answers on which nothing depends the keys alone."""
    told = Told(elsewhere=lent)
    if run is not None:
        stage = run.stage(name, Judgement)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            tired = given_up_keys(stage, shard, RETRIES)
            if asking.adaptive:
                told.add_all(stage, shard)
            else:
                told.by_key.update((key, None) for key, ok in stage.keys(shard).items() if ok or key in tired)
            for key in tired:
                if key in lent:
                    del told.by_key[key]
    return told


def _judging(
    judge: PairwiseJudge, forecaster: Forecaster, askers: Mapping[str, Asker], places: Mapping[str, int],
    prompts: Sequence[Prompt], seen: Seen,
) -> Line:  # fmt: skip
    """The comparisons: counted where a prompt's samples are there, else predicted."""
    prefixes = Prefixes.of(judge.engine.capabilities)
    whole = Forecast()
    coming: list[_Coming] = []
    tails: dict[str | None, int] = {}
    for prompt in prompts:
        asker = askers.get(prompt.id)
        if asker is not None:
            whole += forecaster.drawn(asker, prefixes)
            asker.made.clear()
        elif subjects := judge.subjects(prompt):
            blank = judge.asks(prompt, blank_sample(prompt, 0), blank_sample(prompt, 1))
            if missing := [subject for subject in subjects if subject not in tails]:
                tails |= _tails(judge, prompt, missing)
            frames = [len(ask.tokens) for ask in blank]
            frame = sum(frames) / len(frames)
            head = min(length - tails[ask.principle] for length, ask in zip(frames, blank, strict=True))
            coming.append(_Coming(places[prompt.id], len(subjects), frame, head))
    more = _predicted(forecaster, coming, seen)
    cached = whole.cached + _cached(forecaster, coming, seen, prefixes)
    owed = Amount.bounds(whole.owed_at_least, whole.owed_at_most, whole.owed) + more.owed
    tokens = Amount.bounds(whole.tokens_at_least, whole.tokens_at_most, whole.tokens) + more.prompt_tokens
    return Line(
        Step.JUDGEMENTS, judge.name, Amount.bounds(whole.calls_at_least, whole.calls_at_most, whole.calls) + more.calls,
        Amount.bounds(whole.reused_at_least, whole.reused_at_most, whole.reused), owed, tokens,
        Amount.exact(cached) if tokens.kind is Kind.EXACT else prefixes.between(cached, tokens.high),
        Amount.bounds(0, owed.high * READ, owed.expected), prefixes.head * max(0.0, (owed.expected or 0.0) - 1),
    )  # fmt: skip


@dataclass(frozen=True)
class _Coming:
    """A prompt whose samples are not there: its place, its principles, tokens of a question with empty responses, and those of
    them in front of the first response.
    """

    place: int
    principles: int
    frame: float
    head: int


def _tails(judge: PairwiseJudge, prompt: Prompt, subjects: Sequence[str | None]) -> dict[str | None, int]:
    """By subject, how many tokens of a question come after where the first response begins."""
    from engines.batching import common_length

    empty, other = blank_sample(prompt, 0), blank_sample(prompt, 1)
    asked = judge.asks(prompt, empty, other, subjects)
    marked = judge.asks(prompt, replace(empty, text="x"), other, subjects)
    return {
        one.principle: len(one.tokens) - common_length(one.tokens, two.tokens)
        for one, two in zip(asked, marked, strict=True)
    }


def _predicted(forecaster: Forecaster, coming: Sequence[_Coming], seen: Seen) -> Line:
    """Comparisons of the prompts to come."""
    import numpy as np

    pairs = forecaster.asking.schedule.pairs
    asked = np.array([forecaster.asked_of(one.place, 1.0) for one in coming]).reshape(-1, 3)
    per = np.array([one.principles for one in coming], float)
    frames = np.array([one.frame for one in coming], float)
    counts = (asked * per[:, None]).sum(axis=0) if coming else np.zeros(3)
    if not coming or not seen.enough:
        full = pairs(seen.total)
        ceiling = float((asked[:, 2] * per * (frames + 2 * seen.most)).sum()) * full
        calls = Amount.bounds(0, float(counts[2]) * full, float(counts[1]) * full)
        return Line(Step.JUDGEMENTS, "", calls, owed=calls, prompt_tokens=Amount.bounds(0, ceiling))
    known = []
    for lengths in seen.lengths.values():
        compared = pairs(len(lengths))
        known.append((compared, 2 * compared * sum(lengths) / max(1, len(lengths))))
    rows = np.array(known, float)
    calls = _spread([predicted((asked[:, n] * per)[:, None], rows[:, :1]) for n in range(3)])
    tokens = _spread(
        [predicted(np.stack([asked[:, n] * per * frames, asked[:, n] * per], axis=1), rows) for n in range(3)]
    )
    most = float(counts[2]) * pairs(seen.total)
    unlike = loosened(calls, len(rows), most * (1 - 2 / max(2, seen.total)), most).within(0, most)
    ceiling = float((asked[:, 2] * per * (frames + 2 * seen.most)).sum()) * pairs(seen.total)
    tokens = loosened(_fewer(tokens, calls, unlike), len(rows), 0.0, ceiling).within(0, ceiling)
    calls = unlike
    return Line(Step.JUDGEMENTS, "", calls, owed=calls, prompt_tokens=tokens)


def _fewer(tokens: Amount, calls: Amount, loose: Amount) -> Amount:
    """Tokens of calls that may turn out fewer than any drawn prompt shows; the two errors are independent."""
    if tokens.expected is None or not loose.expected or calls.low == loose.low:
        return tokens
    lost = tokens.expected * (1 - loose.low / loose.expected)
    return replace(tokens, low=tokens.expected - math.hypot(tokens.expected - tokens.low, lost))


def _spread(found: Sequence[Amount]) -> Amount:
    """One amount of three: at least, expected, at most."""
    least, expected, most = found
    return Amount(expected.expected, least.low, most.high)


def _cached(forecaster: Forecaster, coming: Sequence[_Coming], seen: Seen, prefixes: Prefixes) -> float:
    """Tokens that questions of prompts to come should find cached, with responses of the mean length that is known (else half of
    the most).
    """
    length = seen.mean if seen.lengths else seen.most / 2
    found, lost = 0.0, (prefixes.block - 1) / 2 if prefixes.works else 0.0
    if not prefixes.works:
        return 0.0
    common = min((one.head for one in coming), default=0)
    for one in coming:
        same, first, others = forecaster.opening(one.place, seen.total, one.principles)
        held = same * (one.head + 2 * length) + first * (one.head + length) + max(0, others - 1) * one.head
        found += held + min(others, 1) * min(prefixes.head or common, common) - lost * (same + first + others)
    return max(0.0, found)
