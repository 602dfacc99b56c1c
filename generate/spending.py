"""What a run has spent so far by its records, and what a stage's tasks need: the way between records and `tenet.budget`.

Knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engines.base import SamplingParams
from generate.context import Step
from judges.asks import Ask
from tenet.budget import Limits, Meter, Spent
from tenet.runconfig import PriceConfig, RunConfig
from tenet.runs import Run
from tenet.usage import ANSWERS, Usage
from tenet.usage import JUDGE as JUDGE
from tenet.usage import POLICY as POLICY

READ: Final = 1
"""Most tokens that are written for a read of labels."""


def role_of(step: str) -> str:
    """Who is asked in a step."""
    return POLICY if step == Step.SAMPLES else JUDGE


def prices_of(config: RunConfig) -> Mapping[str, PriceConfig | None]:
    """The prices by role."""
    prices = config.prices
    return {POLICY: prices.policy if prices else None, JUDGE: prices.judge if prices else None}


def need(params: SamplingParams | None) -> Callable[[Ask], tuple[int, int]]:
    """What a question needs: its tokens, and what may be written for it; without `params` a label is read."""
    written = params.max_tokens if params else READ
    return lambda ask: (0, 0) if ask.problem else (len(ask.tokens), written)


def spent_before(run: Run) -> dict[str, Spent]:
    """What the rows of a run took, by role; those that were superseded count, attempts that failed and were asked again do not."""
    found = {POLICY: Spent(), JUDGE: Spent()}
    for stage, spent in Usage(run.path).read().items():
        found[ANSWERS[run.manifest.stages[stage].record]] += spent
    return found


def make_meter(
    run: Run, config: RunConfig, *, max_tokens: int | None = None, max_cost: float | None = None, resume: str = "",
    unrecorded: Spent | None = None,
) -> Meter:  # fmt: skip
    """A meter for one command. Earlier commands are counted only where there is a limit: by their records, and the judge's answers
    that left none (`unrecorded`).
    """
    prices = prices_of(config)
    if max_tokens is None and max_cost is None:
        return Meter(prices)
    before = spent_before(run)
    before[JUDGE] += unrecorded or Spent()
    limits = Limits(
        max_tokens, max_cost, config.prices.currency if config.prices else "",
        sum(spent.tokens for spent in before.values()),
        sum(spent.cost(prices[role]) for role, spent in before.items()), resume,
    )  # fmt: skip
    return Meter(prices, limits)
