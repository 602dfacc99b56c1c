"""Measures a judge on a run's own judgements: how far responses lie apart, and how noisy and biased its answers are.

The model, in log-odds for the response shown first of samples i and j of one prompt:

    l(i, j) = worth_i - worth_j + opinion_ij + position_bias + slip_ij,     opinion_ji = -opinion_ij

`worth` is what a full ranking could agree on; `opinion` is what the judge thinks of the pair beyond that, the same
both ways round (it makes cycles); `slip` is drawn anew for each order. Half the sum of the two orders holds bias and
slips, half the difference worth, opinion and slips. Least squares over a prompt's comparisons splits worth from
opinion; both variances are freed of what the estimates add to them (method of moments). What all its answers share
and people do not is out of sight here: right means right by the judge's own consistent view.

Answers of several principles about one pair are averaged as log-odds; votes, which have none, do not count. Only
prompts whose pairs were all answered in both orders are looked at, since pairs asked again because they were close are
no fair sample. Knows no file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from generate.schedule import Pair, pair_of
from judges.probability import logit, mean
from tenet.records import Judgement

Matrix = NDArray[np.float64]
LEAST_PAIRS = 40
LEAST_PROMPTS = 10


@dataclass(frozen=True)
class Noise:
    """Spreads (standard deviations) and the bias, in log-odds; see the module. `opinion` is 0 where no prompt has a cycle."""

    worth: float
    opinion: float
    slip: float
    position_bias: float

    @property
    def pair_accuracy(self) -> float:
        """How often one answer in one order, freed of the bias, names the truly better of two samples."""
        return 0.5 + float(np.arctan2(sqrt(2) * self.worth, sqrt(self.opinion**2 + self.slip**2))) / np.pi


@dataclass(frozen=True)
class Measured:
    """What a run's judgements show: the noise, over how many pairs and prompts, and what a prompt is like.

    `sizes` counts prompts by the number of samples compared; `questions` is how many principles are asked about a
    pair in one order, on average; `close` the share of answers within 1 log-odds of even, freed of the bias.
    """

    noise: Noise
    pairs: int
    prompts: int
    sizes: Mapping[int, int]
    questions: float
    close: float


class TooFew(Exception):
    """Not enough to measure: `pairs` answered in both orders, over `prompts` prompts."""

    def __init__(self, pairs: int, prompts: int) -> None:
        super().__init__(f"{pairs} pairs, {prompts} prompts")
        self.pairs = pairs
        self.prompts = prompts


@dataclass(frozen=True)
class _Prompt:
    """One prompt's pairs, smaller id first: log-odds for it when it is shown first, and when it is shown second."""

    pairs: Mapping[Pair, tuple[float, float]]
    questions: int


def measure(judgements: Iterable[Judgement]) -> Measured:
    """Fit the model to judgements, grouped by prompt or not.

    Raises:
        TooFew: fewer than `LEAST_PAIRS` pairs or `LEAST_PROMPTS` prompts are answered in both orders.
    """
    found = _complete(judgements)
    both = [orders for prompt in found for orders in prompt.pairs.values()]
    if len(both) < LEAST_PAIRS or len(found) < LEAST_PROMPTS:
        raise TooFew(len(both), len(found))
    bias = median((shown_first - shown_second) / 2.0 for shown_first, shown_second in both)
    slip = 2.0 * mean([((first - second) / 2.0 - bias) ** 2 for first, second in both])
    fits = [_fitted(prompt.pairs) for prompt in found]
    freedom = sum(fit.freedom for fit in fits)
    noise = sum(fit.residual for fit in fits) / freedom if freedom else slip / 2.0
    spread = [fit.variance - noise * fit.inflation for fit in fits]
    reads = [read for first, second in both for read in (first - bias, second + bias)]
    return Measured(
        Noise(sqrt(max(0.0, mean(spread))), sqrt(max(0.0, noise - slip / 2.0)), sqrt(slip), bias),
        pairs=len(both),
        prompts=len(found),
        sizes=dict(sorted(Counter(len({name for pair in one.pairs for name in pair}) for one in found).items())),
        questions=sum(one.questions for one in found) / len(both),
        close=sum(abs(read) < 1.0 for read in reads) / len(reads),
    )


def _complete(judgements: Iterable[Judgement]) -> list[_Prompt]:
    """The prompts whose every pair was answered in both orders under every principle asked about, by id."""
    heard: dict[str, dict[tuple[str, str], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    asked: dict[str, dict[Pair, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in judgements:
        asked[one.prompt_id][pair_of(one.first_id, one.second_id)].add(one.principle or "")
        if one.outcome.is_opinion and one.p_first is not None:
            heard[one.prompt_id][one.first_id, one.second_id][one.principle or ""] = logit(one.p_first)
    found = []
    for prompt_id in sorted(heard):
        told, pairs = heard[prompt_id], asked[prompt_id]
        if all(told[order].keys() == names for (a, b), names in pairs.items() for order in ((a, b), (b, a))):
            orders = {(a, b): (mean([*told[a, b].values()]), -mean([*told[b, a].values()])) for a, b in sorted(pairs)}
            found.append(_Prompt(orders, sum(map(len, pairs.values()))))
    return found


@dataclass(frozen=True)
class _Fit:
    """Least squares of one prompt: squared residuals and their degrees of freedom; the variance of the fitted worths,
    and how much of the noise's variance is in it.
    """

    residual: float
    freedom: int
    variance: float
    inflation: float


def _fitted(pairs: Mapping[Pair, tuple[float, float]]) -> _Fit:
    ids = sorted({name for pair in pairs for name in pair})
    place = {name: number for number, name in enumerate(ids)}
    design: Matrix = np.zeros((len(pairs), len(ids)))
    for row, (a, b) in enumerate(pairs):
        design[row, place[a]], design[row, place[b]] = 1.0, -1.0
    told = np.array([(first + second) / 2.0 for first, second in pairs.values()])
    inverse = np.linalg.pinv(design.T @ design, hermitian=True)
    worths = inverse @ design.T @ told
    free = len(ids) - 1
    residual = float(((told - design @ worths) ** 2).sum())
    return _Fit(residual, len(pairs) - free, float((worths**2).sum()) / free, float(np.trace(inverse)) / free)
