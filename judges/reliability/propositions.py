"""Propositions: many yes/no judges of one response, described one by one and weighed together. Knows numbers and names, no text.

Each proposition (a principle, asked as yes or no) is one judge of a response; what it says is a probability or 0 or 1. A fitted weight
says how much log-odds of the wanted class a yes brings. As in rule-based rewards (Mu et al. 2024) a response's score is the weighted
sum, and two responses compare by the difference of their scores; a rule is no summand but a veto: of two responses the one that
violates a rule which the other keeps loses, whatever the sum.

A proposition with one answer only in the data tells nothing and gets the weight 0: `estimable` says so, and no number stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from judges.probability import LOGIT_CLIP
from judges.reliability.votes import Array
from tenet.errors import UsageError

STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Inverse strengths of the ridge that cross-validation chooses from."""
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class Described:
    """One proposition: the share of responses that it is true of, the other one that it repeats most, and how it goes with the class.

    `redundancy` and `association` are phi coefficients (Pearson's of two binary variables) with `redundant_with` and with the class.
    Where `estimable` is false (one answer only) these are None.
    """

    name: str
    fires: float
    estimable: bool
    association: float | None
    redundancy: float | None
    redundant_with: str | None


def describe(said: ArrayLike, wanted: ArrayLike, names: Sequence[str]) -> list[Described]:
    """Describe each proposition: what was said [responses, propositions] of responses, and whether each is of the wanted class.

    Raises:
        UsageError: shapes that do not fit, something that is no probability, or one class only.
    """
    x, y = _checked(said, wanted)
    if len(names) != x.shape[1]:
        raise UsageError(f"{len(names)} names for {x.shape[1]} propositions")
    varies = np.ptp(x, axis=0) > 0
    live = np.flatnonzero(varies)
    phi = np.full((x.shape[1] + 1,) * 2, np.nan)
    at = np.append(live, x.shape[1])
    phi[np.ix_(at, at)] = np.corrcoef(np.column_stack([x[:, live], y]), rowvar=False)
    found = []
    for j, name in enumerate(names):
        if not varies[j]:
            found.append(Described(name, float(x[:, j].mean()), False, None, None, None))
            continue
        others = [k for k in live if k != j]
        nearest = max(others, key=lambda k: abs(phi[j, k]), default=None)
        found.append(
            Described(
                name, float(x[:, j].mean()), True, float(phi[j, -1]),
                None if nearest is None else float(phi[j, nearest]),
                None if nearest is None else names[nearest],
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class PropositionWeights:
    """Log-odds of the wanted class that each proposition brings [propositions], and where nothing is said; `strength` was chosen."""

    values: Array
    intercept: float
    strength: float

    def scores(self, said: ArrayLike) -> Array:
        """Log-odds of the wanted class, [responses]."""
        return np.asarray(np.asarray(said, dtype=np.float64) @ self.values + self.intercept)

    def p(self, said: ArrayLike) -> Array:
        """P(the wanted class), [responses]."""
        return np.asarray(expit(self.scores(said)))

    def p_first(self, first: ArrayLike, second: ArrayLike, rules: ArrayLike | None = None) -> Array:
        """P(the first response is better), [pairs], from what was said of each side [pairs, propositions].

        `rules` [propositions] marks those that a response violates by a yes (0.5 or more): one side alone violating any loses, at
        log-odds of `LOGIT_CLIP`. Rules weigh nothing in the sum besides. Scores' difference is clipped there too.
        """
        x, z = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        rule = np.zeros(len(self.values), dtype=bool) if rules is None else np.asarray(rules, dtype=bool)
        odds = (x - z) @ np.where(rule, 0.0, self.values)
        broken = (z[:, rule] >= 0.5).any(axis=1).astype(float) - (x[:, rule] >= 0.5).any(axis=1)
        return np.asarray(expit(np.clip(np.where(broken == 0.0, odds, broken * LOGIT_CLIP), -LOGIT_CLIP, LOGIT_CLIP)))


def fit(said: ArrayLike, wanted: ArrayLike, *, seed: int = 0) -> PropositionWeights:
    """Fit weights by ridge-penalised logistic regression, its strength chosen by log loss in stratified cross-validation.

    Raises:
        UsageError: as `describe`, or fewer responses of a class than folds.
    """
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold

    x, y = _checked(said, wanted)
    fewest = int(min(y.sum(), len(y) - y.sum()))
    if fewest < FOLDS:
        raise UsageError(
            f"{fewest} responses of the rarer class are too few to fit weights with; {FOLDS} are the least",
            hint="label more responses of that class",
        )
    varies = np.ptp(x, axis=0) > 0
    if not varies.any():
        raise UsageError("no proposition varies: there is nothing to fit", hint="ask about more responses")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    model = LogisticRegressionCV(
        Cs=STRENGTHS, cv=folds, scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False, l1_ratios=(0.0,)
    )
    model.fit(x[:, varies], y)
    values = np.zeros(x.shape[1])
    values[varies] = model.coef_[0]
    return PropositionWeights(values, float(model.intercept_[0]), float(np.ravel(model.C_)[0]))


def _checked(said: ArrayLike, wanted: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(said, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape or y.shape != (len(x),):
        raise UsageError(f"propositions of shape {x.shape} and classes of shape {y.shape} do not fit together")
    if not ((x >= 0.0) & (x <= 1.0)).all():
        raise UsageError(
            "what a proposition says is no probability", hint="leave responses with unanswered questions out"
        )
    if set(np.unique(y)) != {0.0, 1.0}:
        raise UsageError(
            "the classes must be two, 0 and 1, and both occur", hint="label responses of the other class too"
        )
    return x, y
