"""What of a run people can be asked about: candidates for a queue, the queue kept in the run, and its pairs with all that a person sees.

The judge's p goes through the run's calibration where there is one. Candidates are numbers and ids alone; texts are read for the
pairs of the queue only. Asks no model and draws nothing itself (`judges.humans.queue`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from constitution.model import Principle
from generate.calibrated import subject_of
from generate.context import FOR_PEOPLE, Step
from generate.deriving import recorded_bias
from generate.report.source import principles_of
from generate.report.walk import records_of, shards
from judges.aggregate import Opinion, Pair, combined, opinions_of
from judges.calibration.store import read_calibration
from judges.humans.designs import Design, read_designs, write_designs
from judges.humans.page.session import Item
from judges.humans.queue import Candidate, Plan, Queue, draw, inclusion, strata_of
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, PreferencePair, Prompt, Sample
from tenet.runs import Run

SAFETY_TAGS: Final = ("safety", "unsafe", "harm", "harmful", "danger", "risky")


@dataclass(frozen=True)
class Wanted:
    """Which queue is asked for. `exported`: of the pairs that are exported or left to people, else of all judged ones."""

    kind: Queue = Queue.RANDOM
    budget: int = 200
    seed: int = 0
    exported: bool = True
    safety_tags: tuple[str, ...] = SAFETY_TAGS

    def as_json(self) -> dict[str, Json]:
        """For the file of the queue."""
        return {
            "queue": self.kind.value, "budget": self.budget, "seed": self.seed, "exported": self.exported,
            "safety_tags": sorted(self.safety_tags),
        }  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A queue with the texts of its pairs; `kept`: it is one that the run had already. `designs` are all queues of the run, of which
    this one has the `number`.
    """

    items: tuple[Item, ...]
    kept: bool
    designs: tuple[Design, ...]
    number: int

    @property
    def plan(self) -> Plan:
        """The queue as it was drawn."""
        return self.designs[self.number].plan


def prepare(path: Path, wanted: Wanted) -> Drawn:
    """Draw a queue of a run and keep it there beside the earlier ones; the same wish gives the kept one again, whatever was labelled or
    fitted since.

    Raises:
        MissingInput: there is no run, or a shard does not read back.
        UsageError: no pair can be labelled, or the queue has nothing to go by.
        InvalidInput: the kept queues do not read back.
        FingerprintMismatch: the calibration is another judge's.
        StorageFailed: the disk is full or not writable.
    """
    with Run.read(path) as run:
        candidates = candidates_of(run, wanted)
        designs = read_designs(path)
        number = next((place for place, one in enumerate(designs) if one.wanted == wanted.as_json()), len(designs))
        kept = number < len(designs)
        if not kept:
            plan = draw(candidates, wanted.kind, wanted.budget, wanted.seed, number)
            chances = inclusion(candidates, wanted.kind, min(wanted.budget, len(candidates)))
            designs = (*designs, Design.of(wanted.as_json(), plan, chances))
            write_designs(path, designs)
        items = _items(run, designs[number].plan, {one.pair: one for one in candidates})
        return Drawn(items, kept, designs, number)


def candidates_of(run: Run, wanted: Wanted) -> list[Candidate]:
    """The pairs that people may be asked about.

    Raises:
        MissingInput: a shard does not read back.
        UsageError: there is no pair.
    """
    file, bias = principles_of(run).file, recorded_bias(run)
    known = {one.id: one for one in file.principles} if file else {}
    calibration = read_calibration(run.path)
    if calibration is not None:
        calibration.require(subject_of(run))
    tags, names = set(wanted.safety_tags), dict[Pair, tuple[str, ...]]()
    found: list[tuple[Pair, float, float, bool]] = []
    for shard in shards(run):
        prompts = {one.id: one for one in records_of(run, Step.PROMPTS, Prompt, shard)}
        judgements = records_of(run, Step.JUDGEMENTS, Judgement, shard)
        exported = _exported(run, shard) if wanted.exported else None
        apart = _disagreement(judgements, known, bias)
        for pair, opinions in opinions_of(judgements).items():
            if (exported is not None and pair not in exported) or pair[0] not in prompts:
                continue
            p, own = combined(opinions, known, bias), prompts[pair[0]].tags
            names[pair] = tuple(one.principle for one in opinions if one.principle) or own
            p = p if calibration is None else calibration.fit(p)
            found.append((pair, p, apart[pair], not tags.isdisjoint(own)))
    if not found:
        raise UsageError(
            f"{run.path} has no {'exported' if wanted.exported else 'judged'} pair to label",
            hint="label all judged pairs with --pairs judged"
            if wanted.exported
            else "judge the run first: tenet generate",
        )
    strata = strata_of(names)
    return [Candidate(pair, p, far, safety, strata[pair]) for pair, p, far, safety in found]


def _exported(run: Run, shard: int) -> set[Pair]:
    found = set()
    for stage in (Step.PAIRS, FOR_PEOPLE):
        for one in records_of(run, stage, PreferencePair, shard):
            a, b = sorted((one.chosen_id, one.rejected_id))
            found.add((one.prompt_id, a, b))
    return found


def _disagreement(
    judgements: Sequence[Judgement], known: Mapping[str, Principle], bias: float | None
) -> dict[Pair, float]:
    """How far apart the two orders of one question, or two judges, are at most."""
    by_judge: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        by_judge[one.judge].append(one)
    ps: defaultdict[Pair, list[float]] = defaultdict(list)
    orders: defaultdict[Pair, float] = defaultdict(float)
    for own in by_judge.values():
        for pair, opinions in opinions_of(own).items():
            ps[pair].append(combined(opinions, known, bias))
            orders[pair] = max(orders[pair], *(_between_orders(one) for one in opinions))
    return {pair: max(orders[pair], max(told) - min(told)) for pair, told in ps.items()}


def _between_orders(one: Opinion) -> float:
    """The gap between the two orders where they name different winners, else 0: less sure in one order is no disagreement."""
    return abs((one.shown_a or 0.0) - (one.shown_b or 0.0)) if one.flipped else 0.0


def _items(run: Run, plan: Plan, candidates: Mapping[Pair, Candidate]) -> tuple[Item, ...]:
    """The pairs of a queue with their texts, in its order; those that the run has no longer are left out."""
    file = principles_of(run).file
    texts = {one.id: one.text for one in file.active} if file else {}
    wanted = {one.pair for one in plan.chosen}
    ids, named = {one for pair in wanted for one in pair[1:]}, {pair[0] for pair in wanted}
    prompts: dict[str, Prompt] = {}
    samples: dict[str, str] = {}
    asked: defaultdict[Pair, tuple[str, ...]] = defaultdict(tuple)
    for shard in shards(run):
        prompts |= {one.id: one for one in records_of(run, Step.PROMPTS, Prompt, shard) if one.id in named}
        samples |= {one.id: one.text for one in records_of(run, Step.SAMPLES, Sample, shard) if one.id in ids}
        judged = [one for one in records_of(run, Step.JUDGEMENTS, Judgement, shard) if one.prompt_id in named]
        for pair, opinions in opinions_of(judged).items():
            asked[pair] = tuple(one.principle for one in opinions if one.principle)
    found = []
    for one in plan.chosen:
        prompt, a, b = one.pair
        if one.pair in candidates and prompt in prompts and a in samples and b in samples:
            shown = asked[one.pair] or tuple(texts)
            found.append(
                Item(
                    one.pair, prompts[prompt].messages, samples[a], samples[b], one.probability, candidates[one.pair].p,
                    one.doubt, tuple((name, texts[name]) for name in shown if name in texts),
                )
            )  # fmt: skip
    if not found:
        raise UsageError("the run has none of the queue's pairs any more", hint="draw another: --seed 1")
    return tuple(found)
