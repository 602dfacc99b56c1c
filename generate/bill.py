"""What a plan costs in money and in time, and how it compared with what then happened. Knows no prompt and no model.

Prices come from `prices:` in run.yaml and nowhere else. Time comes from `rates:`, else from what the run has recorded of the same
step so far (`stats.json`), else it is unknown. The same table is told before a run and after it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from generate.amounts import NOTHING, Amount
from generate.plan import Plan
from generate.planned import Line, sum_of
from generate.spending import POLICY, prices_of, role_of
from tenet.budget import Meter, Spent, cost
from tenet.ids import Json
from tenet.runconfig import PriceConfig, RunConfig

PLAN_FILE: Final = "plan.json"
USAGE: Final = "usage"
PLANS: Final = "plans"
"""Where `stats.json` has, by step, how the last command that asked for it compared with its plan."""
LEAST_CALLS: Final = 16
"""Fewest recorded calls of a step that tell its rate."""


@dataclass(frozen=True)
class Item:
    """One line of a plan with its price and its time; None where they are not known."""

    line: Line
    price: Amount | None
    seconds: Amount | None


@dataclass(frozen=True)
class Bill:
    """A plan with prices and times, step by step. `currency` is empty where there is no price at all."""

    plan: Plan
    items: tuple[Item, ...]
    currency: str = ""

    @property
    def lines(self) -> tuple[Line, ...]:
        """The plan's lines."""
        return self.plan.lines

    @property
    def price(self) -> Amount | None:
        """In all; None where a step that is owed has no price."""
        return _sum([item.price for item in self.items if item.line.owed.high > 0])

    @property
    def seconds(self) -> Amount | None:
        """In all; None where the rate of a step that is owed is not known."""
        return _sum([item.seconds for item in self.items if item.line.owed.high > 0])

    def as_json(self) -> dict[str, Json]:
        """For `--json` and `plan.json`."""
        found = cast("dict[str, Any]", self.plan.as_json())
        for step, item in zip(found["steps"], self.items, strict=True):
            step["price"] = item.price.as_json() if item.price else None
            step["seconds"] = item.seconds.as_json() if item.seconds else None
        found["currency"] = self.currency or None
        found["price"] = self.price.as_json() if self.price else None
        found["seconds"] = self.seconds.as_json() if self.seconds else None
        return found


def bill(plan: Plan, config: RunConfig, stats: Mapping[str, Json]) -> Bill:
    """Put prices and times to a plan; `stats` is what the run has recorded of itself."""
    prices = prices_of(config)
    items = tuple(
        Item(line, _price(line, prices[role_of(line.stage)]), _seconds(line, rate(line.stage, config, stats)))
        for line in plan.lines
    )
    return Bill(plan, items, config.prices.currency if config.prices else "")


def rate(step: str, config: RunConfig, stats: Mapping[str, Json]) -> float | None:
    """Tokens a second of a step, prompt and completion together; None where nobody knows."""
    rates = config.rates
    given = None if rates is None else rates.policy if role_of(step) == POLICY else rates.judge
    if given is not None:
        return given
    held = read_usage(stats).get(step, Spent())
    return held.tokens / held.seconds if held.calls >= LEAST_CALLS and held.seconds > 0 and held.tokens else None


def read_usage(stats: Mapping[str, Json]) -> dict[str, Spent]:
    """What the commands of a run so far have spent, by step, as `stats.json` has it."""
    held = stats.get(USAGE)
    found: dict[str, Spent] = {}
    for step, one in held.items() if isinstance(held, dict) else ():
        if isinstance(one, dict):
            found[step] = Spent(**{name: cast("Any", one.get(name, 0)) for name in Spent.__dataclass_fields__})
    return found


def _price(line: Line, price: PriceConfig | None) -> Amount | None:
    """Without a price for cached tokens the cache saves nothing; the upper end never counts on it."""
    if price is None:
        return None
    prompt, written, cached = line.prompt_tokens, line.completion_tokens, line.cached_tokens
    low = cost(price, prompt.low, written.low, min(cached.high, prompt.low))
    high = cost(price, prompt.high, written.high)
    if prompt.expected is None or written.expected is None:
        return Amount.bounds(low, high)
    spared = min(cached.expected or 0.0, prompt.expected)
    bounded = prompt.bounded or written.bounded or price.cached is not None
    return Amount(cost(price, prompt.expected, written.expected, spared), low, high, bounded)


def _seconds(line: Line, rate: float | None) -> Amount | None:
    return None if rate is None else (line.prompt_tokens + line.completion_tokens).scaled(1.0 / rate)


def _sum(amounts: list[Amount | None]) -> Amount | None:
    whole = NOTHING
    for amount in amounts:
        if amount is None:
            return None
        whole += amount
    return whole


def compare(planned: Bill, meter: Meter) -> list[Json]:
    """Plan against what happened, a row a step and one for all: for `stats.json` and the table at the end.

    What was asked beside the plan (the pre-flight) has a row without a plan.
    """
    lines: dict[str, Item] = {}
    for one in planned.items:
        held = lines.get(one.line.stage)
        lines[one.line.stage] = one if held is None else _together(held, one)
    rows: list[Json] = []
    for step in dict.fromkeys([*lines, *meter.spent]):
        spent, item = meter.spent.get(step, Spent()), lines.get(step)
        if spent.calls or (item is not None and item.line.owed.high > 0):
            rows.append(_row(step, item, spent, meter.prices.get(role_of(step))))
    return rows


def by_step(rows: Sequence[Json]) -> dict[str, Json]:
    """The rows of a comparison by their step."""
    return {str(row["step"]): row for row in rows if isinstance(row, dict)}


def _together(one: Item, other: Item) -> Item:
    """Several policies, or members of a panel, are one step."""
    return Item(sum_of([one.line, other.line]), _sum([one.price, other.price]), _sum([one.seconds, other.seconds]))


def _row(step: str, item: Item | None, spent: Spent, price: PriceConfig | None) -> dict[str, Json]:
    planned: dict[str, Amount | None] = {}
    if item is not None:
        line = item.line
        planned = {
            "calls": line.owed, "prompt_tokens": line.prompt_tokens, "cached_tokens": line.cached_tokens,
            "completion_tokens": line.completion_tokens, "seconds": item.seconds, "price": item.price,
        }  # fmt: skip
    happened: dict[str, Json] = {
        "calls": spent.calls, "prompt_tokens": spent.prompt_tokens,
        "cached_tokens": spent.cached_tokens if spent.told else None, "completion_tokens": spent.completion_tokens,
        "seconds": round(spent.seconds, 3), "price": None if price is None else round(spent.cost(price), 6),
    }  # fmt: skip
    told: dict[str, Json] = {name: amount.as_json() if amount else None for name, amount in planned.items()}
    return {"step": step, "planned": told if item is not None else None, "happened": happened}


def read_plan(folder: Path) -> dict[str, Json]:
    """The plan that the run's last asking command began with; empty where there is none."""
    path = folder / PLAN_FILE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
