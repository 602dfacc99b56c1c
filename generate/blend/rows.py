"""Makes the rows of a blend, shard by shard: gives each pair what its strategy decides, turned round where people prefer the other side.

Writes nothing. `Tally` counts what became of the pairs, for the manifest. Weights are the run's design: one over the pairs of a prompt
where the run takes all pairs, and for a pair that stands for others that nobody labelled, the inverse chance of its draw besides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from generate.blend.config import BlendConfig
from generate.blend.gather import Material, key_of
from generate.export import PairRow
from judges.aggregate import Pair
from judges.blending.decide import Believed, Decision, Dropped, Opinions, Source
from judges.blending.people import reliabilities
from judges.blending.trust import group_of, trust
from judges.probability import mean
from tenet.ids import Json, unit_interval
from tenet.records import PreferencePair


@dataclass
class Tally:
    """What became of the pairs: rows by source, the mean p and the weight of each; pairs left out by reason."""

    pairs: int = 0
    p: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    weight: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    dropped: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    turned: int = 0

    @property
    def rows(self) -> int:
        """How many pairs were kept."""
        return sum(map(len, self.p.values()))

    @property
    def human_share(self) -> float:
        """The share of kept pairs in which people were heard."""
        heard = len(self.p.get(Source.HUMAN.value, ())) + len(self.p.get(Source.BLEND.value, ()))
        return heard / self.rows if self.rows else 0.0

    def as_json(self) -> dict[str, Json]:
        """For the manifest."""
        return {
            "pairs": self.pairs,
            "rows": self.rows,
            "sources": {
                name: {"rows": len(ps), "mean_p_chosen": mean(ps), "weight": sum(self.weight[name])}
                for name, ps in sorted(self.p.items())
            },
            "dropped": {reason.value: self.dropped[reason.value] for reason in Dropped if self.dropped[reason.value]},
            "conflicts": self.conflicts,
            "turned_round": self.turned,
        }


class Blend:
    """The pairs of a run under a strategy. `rows` may be called again; `tally` is that of the last call, once it is through."""

    def __init__(self, material: Material, config: BlendConfig) -> None:
        self.material = material
        self.config = config
        apart = config.by == "principle"
        self.believed = Believed(
            reliabilities(material.votes.values()), trust(material.anchors, config.stated, apart=apart), config.rule
        )
        self.tally = Tally()
        self._axes = tuple(one.axis for one in config.axes)
        self._people = self._drawn() if config.strategy == "fraction" else frozenset()

    def rows(self) -> Iterator[PairRow]:
        """Yield the pairs that are kept, prompt by prompt."""
        self.tally = Tally()
        for rows, said in self._prompts():
            yield from self._settled(rows, said)

    def _prompts(self) -> Iterator[tuple[list[PairRow], Mapping[Pair, float]]]:
        """The pairs of each prompt, and what the judge said of pairs as it said it."""
        for shard in range(len(self.material.source.shards)):
            told = self.material.preferences(shard)
            said = {(one.prompt_id, one.a_id, one.b_id): one.p_a for one in told}
            rows = self.material.source.pairs_of(shard, self.material.more(shard, told))
            for _, group in groupby(rows, key=lambda row: row.prompt.id):
                yield list(group), said

    def _opinions(self, row: PairRow, said: Mapping[Pair, float]) -> Opinions:
        pair, key = row.pair, key_of(row.pair)
        exported = pair.p_chosen if pair.chosen_id == key[1] else 1.0 - pair.p_chosen
        votes = self.material.votes.get(key, ())
        return Opinions(
            exported, said.get(key), votes, group_of(pair.principles), row.prompt.tags, frozenset(pair.principles)
        )

    def _decide(self, row: PairRow, told: Opinions) -> Decision:
        strategy, believed = self.config.strategy, self.believed
        if strategy == "human-first":
            return believed.human_first(told)
        if strategy == "weighted":
            return believed.weighted(told)
        if strategy == "routed":
            return believed.routed(told)
        if strategy == "by-axis":
            otherwise = None if self.config.otherwise == "drop" else Source(self.config.otherwise)
            return believed.by_axis(told, self._axes, otherwise)
        return believed.pure(told, Source.HUMAN if row.pair.id in self._people else Source.AI)

    def _settled(self, rows: Sequence[PairRow], said: Mapping[Pair, float]) -> Iterator[PairRow]:
        kept: list[tuple[PairRow, Decision]] = []
        reasons: list[Dropped] = []
        for row in rows:
            decision = self._decide(row, self._opinions(row, said))
            self.tally.pairs += 1
            self.tally.conflicts += decision.conflict
            reason = decision.dropped
            if reason is None and decision.p_a == 0.5 and not self.config.keep_ties:
                reason = Dropped.TIE
            if reason is not None:
                self.tally.dropped[reason.value] += 1
                reasons.append(reason)
            else:
                kept.append((row, decision))
        unlabelled = sum(reason is Dropped.NO_LABEL for reason in reasons)
        for row, decision in kept:
            done = self._labelled(row, decision, self._weight(row, decision, len(kept), unlabelled))
            self.tally.turned += done.pair.chosen_id != row.pair.chosen_id
            self.tally.p[done.pair.source].append(done.pair.p_chosen)
            self.tally.weight[done.pair.source].append(done.pair.weight)
            yield done

    def _weight(self, row: PairRow, decision: Decision, kept: int, unlabelled: int) -> float:
        """The weight by design of a row of a prompt of which so many pairs are kept and so many wait for a label."""
        chance = 1.0
        if decision.by_label and decision.source is not Source.AI:
            chance = self.material.weight.get(key_of(row.pair), 1.0)
        stands_for = kept + (unlabelled if chance > 1.0 else 0)  # the prompt's pairs share its weight, seen or not
        return (1.0 / stands_for if self.material.pairs.select == "all" else 1.0) * chance

    def _labelled(self, row: PairRow, decision: Decision, weight: float) -> PairRow:
        pair, key = row.pair, key_of(row.pair)
        p = decision.p_a if pair.chosen_id == key[1] else 1.0 - decision.p_a
        if decision.source is Source.AI and abs(p - pair.p_chosen) < 1e-15:
            p = pair.p_chosen  # not 1 - (1 - p): what the judge alone labels is the run's own row, to the bit
        source = pair.source if decision.source is Source.AI else decision.source.value
        labelled = replace(pair, p_chosen=p, weight=weight, source=source)
        if p >= 0.5:
            return replace(row, pair=labelled)
        return replace(row, pair=turned(labelled), chosen=row.rejected, rejected=row.chosen)

    def _drawn(self) -> Collection[str]:
        """The ids of the pairs that people label in a fraction: the first so many in an order that follows from the seed alone, so that
        a larger share holds a smaller one.
        """
        pool = [
            row.pair.id
            for rows, said in self._prompts()
            for row in rows
            if self.believed.in_both(self._opinions(row, said))
        ]
        pool.sort(key=lambda name: (unit_interval("blend", self.config.seed, name), name))
        return frozenset(pool[: round((self.config.share or 0.0) * len(pool))])


def turned(pair: PreferencePair) -> PreferencePair:
    """The pair told of the other direction; scores go with their responses, so the judge's margin changes its sign."""
    return replace(
        pair, chosen_id=pair.rejected_id, rejected_id=pair.chosen_id, p_chosen=1.0 - pair.p_chosen,
        score_chosen=pair.score_rejected, score_rejected=pair.score_chosen,
    )  # fmt: skip
