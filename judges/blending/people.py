"""How often each person names the better response, from labels alone, and the probability that several labels of one pair come to.

One-coin model (Dawid and Skene 1979) with a prior: person j is right with chance s_j on every pair, and people err independently. EM
finds the s_j of greatest posterior density under Beta priors whose mean is `PRIOR` and whose weight is that of `PRIOR_LABELS` labels, so
that somebody whose labels nobody repeats stays at the prior, and a few labels move nobody far. `PRIOR` is what two people who agree on
72.6 % of pairs (InstructGPT's labellers; Ouyang et al. 2022) must be if both are right equally often: s^2 + (1 - s)^2 = 0.726.

A tie names no side: it says nothing about a person and moves no pair. Knows no judge, no run and no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from scipy.special import expit

from judges.probability import logit, sigmoid
from tenet.ids import Json
from tenet.records import Choice

PRIOR: Final = (1.0 + math.sqrt(2.0 * 0.726 - 1.0)) / 2.0
"""How often a person is right of whom nothing is known; 0.836."""
PRIOR_LABELS: Final = 20.0
"""How many labels the prior weighs."""
_ROUNDS: Final = 500
_STILL: Final = 1e-7
_SIGN: Final = {Choice.A: 1, Choice.B: -1, Choice.TIE: 0}


@dataclass(frozen=True, slots=True)
class Vote:
    """What a person said of a pair (a, b); never a skip."""

    annotator: str
    choice: Choice

    @property
    def sign(self) -> int:
        """1 for a, -1 for b, 0 for a tie."""
        return _SIGN[self.choice]


@dataclass(frozen=True)
class People:
    """How often each person is right, and how many of a person's labels stand beside another person's."""

    reliability: Mapping[str, float] = field(default_factory=dict)
    shared: Mapping[str, int] = field(default_factory=dict)

    def log_odds(self, votes: Iterable[Vote]) -> float:
        """Log-odds for a of the votes on one pair: each brings its person's own, clipped as everywhere (`judges.probability`)."""
        return math.fsum(vote.sign * logit(self.reliability.get(vote.annotator, PRIOR)) for vote in votes)

    def p(self, votes: Iterable[Vote]) -> float:
        """P(a is better) by people alone."""
        return sigmoid(self.log_odds(votes))

    def as_json(self) -> dict[str, Json]:
        """For the manifest: by person, in the order of names."""
        return {
            name: {"reliability": value, "labels_beside_others": self.shared.get(name, 0)}
            for name, value in sorted(self.reliability.items())
        }


def reliabilities(pairs: Iterable[Sequence[Vote]]) -> People:
    """Fit people's reliability to the votes on pairs, one a person and pair."""
    sided = [[vote for vote in votes if vote.sign] for votes in pairs]
    names = sorted({vote.annotator for votes in sided for vote in votes})
    if not names:
        return People()
    place = {name: number for number, name in enumerate(names)}
    item = np.array([number for number, votes in enumerate(sided) for _ in votes])
    person = np.array([place[vote.annotator] for votes in sided for vote in votes])
    sign = np.array([vote.sign for votes in sided for vote in votes], dtype=np.float64)
    given = np.bincount(person, minlength=len(names)).astype(np.float64)
    beside = np.array([len(votes) > 1 for votes in sided])[item]
    s = np.full(len(names), PRIOR)
    for _ in range(_ROUNDS):
        odds = np.bincount(item, sign * (np.log(s) - np.log1p(-s))[person], minlength=len(sided))
        right = np.bincount(person, expit(sign * odds[item]), minlength=len(names))
        fitted = (right + PRIOR * PRIOR_LABELS) / (given + PRIOR_LABELS)
        moved = float(np.abs(fitted - s).max())
        s = fitted
        if moved < _STILL:
            break
    shared = np.bincount(person[beside], minlength=len(names))
    return People(dict(zip(names, s.tolist(), strict=True)), dict(zip(names, shared.tolist(), strict=True)))
