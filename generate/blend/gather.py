"""Reads what a blend is made of from a run folder: people's votes on its pairs, and what the judge said of the labelled ones.

Asks no model. In memory: the labels and their pairs; the other pairs of the run stream by when rows are made (`generate.blend.rows`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final

from generate.calibrated import LABELLING, Labelling
from generate.calibrating import judged_samples
from generate.context import FOR_PEOPLE, PREFERENCES, Step
from generate.deriving import pairs_of, recorded_bias
from generate.exporting import RunSource
from generate.prompt_shards import PromptShards
from generate.rank import both_orders
from generate.report.data import STATS
from generate.report.source import as_mapping, read_json
from judges.aggregate import Pair
from judges.anchors import Anchor, Unused, make_anchors
from judges.blending.people import Vote
from judges.blending.trust import group_of
from judges.calibration.maps import Slope, map_from_json
from judges.calibration.store import AnchorRow
from judges.humans.designs import run_labels
from judges.humans.importer import read_labels
from judges.humans.labels import label_to_judgement
from judges.humans.matching import Texts
from tenet.errors import MissingInput, UsageError
from tenet.ids import digest
from tenet.records import Choice, Judgement, Label, Outcome, Preference, PreferencePair, Prompt, prompt_id
from tenet.runconfig import PairsConfig
from tenet.runs import Run

_CHOICE: Final = {Outcome.FIRST: Choice.A, Outcome.SECOND: Choice.B, Outcome.TIE: Choice.TIE}


@dataclass(frozen=True)
class Material:
    """A run with people's labels of its pairs.

    `votes` and `weight` (the inverse chance of having been drawn for labelling) are by pair; `anchors` are the pairs of which judge and
    people both gave an opinion, each with the principles that the judge was asked about. `unused` counts labels that say nothing here.
    """

    run: Run
    source: RunSource
    labels: int
    labels_digest: str
    unused: Mapping[str, int]
    votes: Mapping[Pair, tuple[Vote, ...]]
    weight: Mapping[Pair, float]
    anchors: tuple[tuple[str, AnchorRow], ...]
    labelling: Labelling
    one_order: bool

    @property
    def pairs(self) -> PairsConfig:
        """How the run chose its pairs."""
        given = as_mapping(self.run.config.get("pairs"))
        return PairsConfig(**{one.name: given[one.name] for one in fields(PairsConfig) if one.name in given})  # type: ignore[arg-type]

    @property
    def seed(self) -> int:
        """The run's seed."""
        given = self.run.config.get("seed")
        return given if isinstance(given, int) else 0

    @cached_property
    def _labelled(self) -> frozenset[str]:
        """The prompts that people labelled pairs of."""
        return frozenset(prompt for prompt, _, _ in self.votes)

    def preferences(self, shard: int) -> list[Preference]:
        """What the judge said of a shard's pairs, as far as it was asked in both orders (or in one, where the run asks no more)."""
        found = self.run.stage(PREFERENCES, Preference).records(shard)
        return [one for one in found if self.one_order or both_orders(one)]

    def more(self, shard: int, told: Sequence[Preference]) -> Iterator[PreferencePair]:
        """Pairs of a shard that the run did not export: those that it left to people, and those that people labelled all the same."""
        seen = {one.id for one in self.run.stage(Step.PAIRS, PreferencePair).records(shard)}
        waiting: Iterable[PreferencePair] = ()
        if FOR_PEOPLE in self.run.manifest.stages:
            waiting = self.run.stage(FOR_PEOPLE, PreferencePair).records(shard)
        everything = replace(self.pairs, select="all", min_margin=0.0, keep_ties=True, min_agreement=None)
        prompts = [one for one in self.source.shards[shard] if one.id in self._labelled]
        here = {one.id for one in prompts}
        labelled = pairs_of(
            prompts, [one for one in told if one.prompt_id in here], everything, self.seed, one_order=self.one_order,
            labelling=self.labelling,
        )  # fmt: skip
        for pair in chain(waiting, (replace(one, weight=1.0) for one in labelled if key_of(one) in self.votes)):
            if pair.id not in seen:
                seen.add(pair.id)
                yield pair


def key_of(pair: PreferencePair) -> Pair:
    """The prompt and the two responses of a pair, without its direction."""
    a, b = sorted((pair.chosen_id, pair.rejected_id))
    return pair.prompt_id, a, b


def gather(run: Run, labels: Path | None = None) -> Material:
    """Read the labels of a file, or those in the run, and find their pairs.

    Raises:
        MissingInput: the run has no pairs yet, the file is not there, or a shard does not read back.
        UsageError: there are labels, and none is an opinion on a pair of this run.
        InvalidInput: the file is no file of labels.
    """
    if Step.PAIRS not in run.manifest.stages:
        raise MissingInput(f"{run.path} has no pairs yet.", hint=f"make them with: {run.command}")
    told = _labels(run, labels)
    source = RunSource(run, PromptShards(run.stage(Step.PROMPTS, Prompt)))
    one_order = recorded_bias(run) is not None
    wanted = {prompt_id(label.prompt) for label in told}
    find = Texts()
    said: dict[Pair, Preference] = {}
    for number, shard in enumerate(source.shards):
        here = {one.id for one in shard} & wanted
        if here:
            find.add(judged_samples(run, number, here))
            for one in run.stage(PREFERENCES, Preference).records(number):
                if one.prompt_id in here and (one_order or both_orders(one)):
                    said[one.prompt_id, one.a_id, one.b_id] = one

    anchors = make_anchors(told, find)
    unused = dict(anchors.unused)
    kept = {_pair(one): one for one in anchors.anchors if _pair(one) in said}
    if missing := sum(one.people for one in anchors.anchors) - sum(one.people for one in kept.values()):
        unused[Unused.NOT_JUDGED.value] = missing
    votes = {pair: found for pair, found in _votes(told, find).items() if pair in kept}
    fit = as_mapping(as_mapping(read_json(run.path / STATS).get(LABELLING)).get("fit"))
    return Material(
        run, source, len(told), digest(sorted(one.id for one in told)), unused, votes,
        {pair: one.weight for pair, one in kept.items()},
        tuple((group_of(said[pair].principles), AnchorRow(one, said[pair].p_a)) for pair, one in kept.items()),
        Labelling(map_from_json(fit) if fit else Slope(1.0)), one_order,
    )  # fmt: skip


def _labels(run: Run, named: Path | None) -> tuple[Label, ...]:
    if named is None:
        return run_labels(run.path)
    found = read_labels(named).labels
    if not found:
        raise UsageError(f"{named} holds no label", hint="leave `labels` out to take those in the run")
    return found


def _votes(labels: Iterable[Label], find: Callable[[str, str], str | None]) -> dict[Pair, tuple[Vote, ...]]:
    """The last vote of each person on each pair, as `judges.anchors` counts them."""
    found: defaultdict[Pair, dict[str, Judgement]] = defaultdict(dict)
    for label in labels:
        told = label_to_judgement(label, find) if label.principle is None else None
        if told is not None and told.first_id != told.second_id and told.outcome.is_opinion:
            one = told if told.first_id < told.second_id else told.flipped()
            found[one.prompt_id, one.first_id, one.second_id][label.annotator] = one
    return {
        pair: tuple(Vote(name, _CHOICE[one.outcome]) for name, one in sorted(by_person.items()))
        for pair, by_person in found.items()
    }


def _pair(anchor: Anchor) -> Pair:
    return anchor.prompt_id, anchor.a_id, anchor.b_id
