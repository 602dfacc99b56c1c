"""Walks a run folder once, shard by shard, and counts. Knows records and stages; nothing of words or of the page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from generate.byprompt import RATED, kind_of
from generate.context import FOR_PEOPLE, PREFERENCES, Step, by_prompt, member_stages
from generate.rank import rank
from generate.report.examples import Pick, pick, view
from generate.report.model import Lengths, PolicyRow
from generate.report.tally import MeanTally, RateTally
from generate.report.verdicts import VerdictTally
from generate.report.views import Example
from generate.revision_chain import critique_stage_name, rounds_of, stage_name
from generate.revision_pairs import JUDGEMENTS as REVISION_JUDGEMENTS
from generate.schedule import field_of
from judges.kinds.byprompt import LISTINGS, RATINGS
from tenet.records import (
    Critique,
    Finish,
    Judgement,
    Listing,
    Preference,
    PreferencePair,
    Prompt,
    Rating,
    Revision,
    Sample,
)
from tenet.runs import Run
from tenet.runs.codec import R

J = TypeVar("J", Judgement, Preference)


@dataclass
class Tokens:
    """Tokens summed over calls; None until a call says how many it spent."""

    calls: int = 0
    prompt: int | None = None
    cached: int | None = None
    completion: int | None = None

    def add(self, *, prompt: int | None = None, cached: int | None = None, completion: int | None = None) -> None:
        """Add one call."""
        self.calls += 1
        self.prompt = _plus(self.prompt, prompt)
        self.cached = _plus(self.cached, cached)
        self.completion = _plus(self.completion, completion)


@dataclass
class Walked:
    """What the walk found.

    `versions` counts judgements by principle and wording, those of revisions too, where one principle was asked and its
    wording recorded; `critique_versions` and `revision_versions` count critiques and revisions likewise.
    `given` samples came with the prompts and cost nothing; `finishes` counts how samples ended; `unusable` and
    `identical` ones were never compared (see `generate.schedule`), `comparable` counts the unordered pairs left. `cut`
    counts the judgements whose text before the verdict ended at its limit. `ratings` and `listings` are the answers of a judge that
    rates single responses or ranks.
    """

    verdicts: VerdictTally = field(default_factory=VerdictTally)
    prompts: int = 0
    answered: int = 0
    samples: int = 0
    given: int = 0
    pairs: int = 0
    paired: int = 0
    finishes: Counter[str] = field(default_factory=Counter)
    unusable: int = 0
    identical: int = 0
    comparable: int = 0
    sampling: Tokens = field(default_factory=Tokens)
    judging: Tokens = field(default_factory=Tokens)
    cut: int = 0
    ratings: int = 0
    listings: int = 0
    policies: Counter[str] = field(default_factory=Counter)
    longer: RateTally = field(default_factory=RateTally)
    chosen_length: MeanTally = field(default_factory=MeanTally)
    rejected_length: MeanTally = field(default_factory=MeanTally)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    critique_versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    revision_versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    policy_wins: defaultdict[str, RateTally] = field(default_factory=lambda: defaultdict(RateTally))

    @property
    def lengths(self) -> Lengths | None:
        """How length and preference go together; None without pairs of unequal length."""
        longer, chosen, rejected = self.longer.rate, self.chosen_length.mean, self.rejected_length.mean
        if longer is None or chosen is None or rejected is None:
            return None
        return Lengths(longer, chosen, rejected)

    @property
    def policy_rows(self) -> tuple[PolicyRow, ...]:
        """The mixed policies, best first; empty for a single one."""
        if len(self.policies) < 2:
            return ()
        rows = [
            PolicyRow(name, count, round(self.policy_wins[name].units), self.policy_wins[name].rate)
            for name, count in self.policies.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-(row.wins.value if row.wins else 0.0), row.name)))


def walk(run: Run) -> Walked:
    """Count everything in a run."""
    found = Walked()
    schedule = run.config.get("schedule")
    lean = isinstance(schedule, Mapping) and schedule.get("second_order") == "close"
    for shard in shards(run):
        texts = {sample.id: sample for sample in records_of(run, Step.SAMPLES, Sample, shard)}
        _count_samples(found, texts.values())
        found.prompts += len(records_of(run, Step.PROMPTS, Prompt, shard))
        preferences = _grouped(records_of(run, PREFERENCES, Preference, shard))
        judgements = _grouped(records_of(run, Step.JUDGEMENTS, Judgement, shard))
        _count_alone(found, run, shard)
        for prompt_id in dict.fromkeys([*judgements, *preferences]):
            told, own = judgements.get(prompt_id, []), preferences.get(prompt_id, [])
            found.verdicts.add(told, own, rank(prompt_id, own, one_order=lean))
            _count_policies(found, own, texts)
        # Votes out of rankings took no tokens of their own.
        for name in () if found.listings else member_stages(run) or [Step.JUDGEMENTS]:
            for one in records_of(run, name, Judgement, shard):
                found.judging.add(
                    prompt=one.prompt_tokens, cached=one.cached_tokens,
                    completion=one.completion_tokens if one.critique or one.thinking else None,
                )  # fmt: skip
                found.cut += one.cut
        revised = records_of(run, REVISION_JUDGEMENTS, Judgement, shard)
        for one in chain(revised, *judgements.values()):
            if one.principle and one.principle_digest:
                found.versions[one.principle, one.principle_digest] += 1
        _count_wordings(found, run, shard)
        _count_pairs(found, list(records_of(run, Step.PAIRS, PreferencePair, shard)), texts)
    return found


def _count_alone(found: Walked, run: Run, shard: int) -> None:
    """Count the answers of a judge that is not asked about pairs."""
    if kind_of(run.config) in RATED:
        for one in records_of(run, RATINGS, Rating, shard):
            found.ratings += 1
            found.verdicts.add_rating(one)
            found.judging.add(prompt=one.prompt_tokens, cached=one.cached_tokens)
            if one.principle and one.principle_digest:
                found.critique_versions[one.principle, one.principle_digest] += 1
    for told in records_of(run, LISTINGS, Listing, shard):
        found.listings += 1
        if not told.outcome.is_opinion:
            found.verdicts.outcomes[told.outcome.value] += 1
        found.judging.add(prompt=told.prompt_tokens, cached=told.cached_tokens, completion=told.completion_tokens)


def examples(run: Run) -> tuple[Example, ...]:
    """The pairs that a report shows in full, with their texts."""
    picks = pick(pair for shard in shards(run) for pair in records_of(run, Step.PAIRS, PreferencePair, shard))
    if not picks:
        return ()
    wanted = {sample for one in picks for sample in (one.pair.chosen_id, one.pair.rejected_id)}
    prompts = {one.pair.prompt_id for one in picks}
    samples: dict[str, Sample] = {}
    turns: dict[str, Prompt] = {}
    preferences: dict[frozenset[str], Preference] = {}
    critiques: defaultdict[str, list[Critique]] = defaultdict(list)
    pairs = {_sides(one.pair) for one in picks}
    written: defaultdict[frozenset[str], list[Judgement]] = defaultdict(list)
    for shard in shards(run):
        turns |= {one.id: one for one in records_of(run, Step.PROMPTS, Prompt, shard) if one.id in prompts}
        samples |= {one.id: one for one in records_of(run, Step.SAMPLES, Sample, shard) if one.id in wanted}
        told = (one for one in records_of(run, PREFERENCES, Preference, shard) if one.prompt_id in prompts)
        preferences |= {frozenset((one.a_id, one.b_id)): one for one in told}
        for critique in records_of(run, Step.CRITIQUES, Critique, shard):
            if critique.sample_id in wanted:
                critiques[critique.sample_id].append(critique)
        for judgement in records_of(run, Step.JUDGEMENTS, Judgement, shard):
            sides = frozenset((judgement.first_id, judgement.second_id))
            if sides in pairs and (judgement.critique or judgement.thinking):
                written[sides].append(judgement)
    return tuple(_view(one, turns, samples, critiques, preferences, written) for one in picks)


def _sides(pair: PreferencePair) -> frozenset[str]:
    return frozenset((pair.chosen_id, pair.rejected_id))


def _view(
    one: Pick,
    prompts: Mapping[str, Prompt],
    samples: Mapping[str, Sample],
    critiques: Mapping[str, Sequence[Critique]],
    preferences: Mapping[frozenset[str], Preference],
    written: Mapping[frozenset[str], Sequence[Judgement]],
) -> Example:
    sides = _sides(one.pair)
    prompt, told = prompts.get(one.pair.prompt_id), sorted(written.get(sides, ()), key=lambda judgement: judgement.id)
    return view(one, prompt, samples, critiques, preferences.get(sides), told)


def shards(run: Run) -> list[int]:
    """Every shard number that any stage has, rising; a shard holds the same prompts in all stages."""
    stages = run.manifest.stages
    return sorted(
        {number for name, kind in STAGE_TYPES.items() if name in stages for number in run.stage(name, kind).shards()}
    )


def records_of(run: Run, name: str, kind: type[R], shard: int) -> list[R]:
    """The records of one shard, failures too; none where the run has no such stage."""
    return list(run.stage(name, kind).records(shard, ok=None)) if name in run.manifest.stages else []


def _count_wordings(found: Walked, run: Run, shard: int) -> None:
    numbers = rounds_of(run)
    for name in (Step.CRITIQUES, *map(critique_stage_name, numbers)):
        told = records_of(run, name, Critique, shard)
        found.critique_versions.update((one.principle, one.principle_digest) for one in told if one.principle_digest)
    for name in map(stage_name, numbers):
        made = records_of(run, name, Revision, shard)
        found.revision_versions.update((one.principle, one.principle_digest) for one in made if one.principle_digest)


def _count_samples(found: Walked, samples: Iterable[Sample]) -> None:
    for group in by_prompt(samples).values():
        comparable = field_of(group)
        found.unusable += comparable.unusable
        found.identical += comparable.identical
        found.comparable += comparable.pairs
        found.answered += bool(comparable.samples)
        for sample in group:
            _count_sample(found, sample)


def _count_sample(found: Walked, sample: Sample) -> None:
    found.samples += 1
    found.policies[sample.policy] += 1
    found.finishes[sample.finish.value] += 1
    if sample.finish is Finish.GIVEN:
        found.given += 1
    else:
        found.sampling.add(prompt=sample.prompt_tokens, completion=sample.completion_tokens)


def _count_pairs(found: Walked, pairs: Sequence[PreferencePair], samples: Mapping[str, Sample]) -> None:
    found.pairs += len(pairs)
    gaps_of: defaultdict[str, list[int]] = defaultdict(list)
    for pair in pairs:
        chosen, rejected = samples.get(pair.chosen_id), samples.get(pair.rejected_id)
        gaps = gaps_of[pair.prompt_id]
        if chosen is None or rejected is None:
            continue
        found.chosen_length.add(len(chosen.text))
        found.rejected_length.add(len(rejected.text))
        if len(chosen.text) != len(rejected.text):
            gaps.append(len(chosen.text) - len(rejected.text))
    found.paired += len(gaps_of)
    for gaps in gaps_of.values():
        found.longer.add(sum(gap > 0 for gap in gaps), len(gaps))


def _count_policies(found: Walked, preferences: Sequence[Preference], samples: Mapping[str, Sample]) -> None:
    """Wins of each policy over the others at one prompt; an even verdict is half a win for each."""
    wins: defaultdict[str, float] = defaultdict(float)
    games: Counter[str] = Counter()
    for one in preferences:
        a, b = samples.get(one.a_id), samples.get(one.b_id)
        if a is None or b is None or a.policy == b.policy:
            continue
        won = 0.5 if one.p_a == 0.5 else float(one.p_a > 0.5)
        wins[a.policy] += won
        wins[b.policy] += 1.0 - won
        games.update((a.policy, b.policy))
    for name, count in games.items():
        found.policy_wins[name].add(wins[name], count)


def _grouped(records: Iterable[J]) -> dict[str, list[J]]:
    grouped: defaultdict[str, list[J]] = defaultdict(list)
    for one in records:
        grouped[one.prompt_id].append(one)
    return grouped


def _plus(total: int | None, more: int | None) -> int | None:
    return total if more is None else (total or 0) + more


STAGE_TYPES: Mapping[str, type[Any]] = {
    Step.PROMPTS: Prompt,
    Step.SAMPLES: Sample,
    Step.JUDGEMENTS: Judgement,
    PREFERENCES: Preference,
    Step.PAIRS: PreferencePair,
    FOR_PEOPLE: PreferencePair,
    Step.CRITIQUES: Critique,
}
