"""Finds the labels of people that are about a run's pairs. Knows labels and samples; nothing of what the judge said.

A label names its responses by their texts; a run by ids. Several labels of one pair are averaged, each weighing the
inverse of the chance with which its pair was drawn (Horvitz and Thompson 1952), scaled so that the mean over all labels
is 1. Labels of people are few beside judgements, and are held as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from generate.coverage.tally import Votes
from generate.schedule import field_of
from judges.aggregate import Pair, p_first
from judges.humans.labels import label_to_judgement
from judges.humans.matching import Texts
from tenet.records import Judgement, Label, Sample, prompt_id


@dataclass
class Told:
    """What people say of the pairs of one prompt: votes, the weight of each pair, and how many labels that took."""

    votes: Votes = field(default_factory=dict)
    weights: dict[Pair, float] = field(default_factory=dict)
    labels: int = 0


class People:
    """The labels of a run, by prompt."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._of: defaultdict[str, list[Label]] = defaultdict(list)
        self.total, weights = 0, 0.0
        for label in labels:
            self._of[prompt_id(label.prompt)].append(label)
            self.total += 1
            weights += 1.0 / label.inclusion_probability
        self._mean = weights / self.total if self.total else 1.0

    def told(self, prompt: str, samples: Sequence[Sample]) -> Told:
        """What people say of the pairs of a prompt whose samples are these."""
        own = self._of.get(prompt, [])
        if not own:
            return Told()
        texts = Texts(field_of(samples).samples)
        judged = [label_to_judgement(label, texts) for label in own]
        opinions = [one for one in judged if one is not None and one.outcome.is_opinion]
        return self._gathered(opinions)

    def _gathered(self, opinions: Sequence[Judgement]) -> Told:
        shares: defaultdict[Pair, defaultdict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        for one in opinions:
            p = p_first(one)
            assert p is not None
            a_first = one.first_id < one.second_id
            ends = (one.first_id, one.second_id) if a_first else (one.second_id, one.first_id)
            vote = p if a_first else 1.0 - p
            shares[one.prompt_id, *ends][one.principle or ""].append((vote, one.weight))
        told = Told(labels=len(opinions))
        told.votes = {
            pair: {name: _mean(votes) for name, votes in by_principle.items()} for pair, by_principle in shares.items()
        }
        for pair, by_principle in shares.items():
            weights = [weight for votes in by_principle.values() for _, weight in votes]
            told.weights[pair] = sum(weights) / len(weights) / self._mean
        return told


def _mean(votes: Sequence[tuple[float, float]]) -> float:
    """The weighted mean of votes."""
    return sum(vote * weight for vote, weight in votes) / sum(weight for _, weight in votes)
