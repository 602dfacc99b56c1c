"""What a run was to cost and what it did: per stage from its recorded rows and its statistics, priced by its own `prices:`.

Knows no records and no HTML; the words of a plan are those of the terminal (`generate.show_plan`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from generate.bill import PLANS, read_usage
from generate.context import Step
from generate.report.facts import Facts
from generate.report.model import CostRow, PlanRow
from generate.report.source import as_mapping
from generate.report.walk import Tokens, Walked
from generate.show_plan import UNKNOWN, cells
from generate.spending import POLICY, role_of
from tenet.budget import Spent
from tenet.ids import Json
from tenet.runconfig import PriceConfig

STAGES: Final = {
    Step.SAMPLES.value: "Sampling", "pre-flight": "Pre-flight", Step.JUDGEMENTS.value: "Judging",
    Step.CRITIQUES.value: "Critiques", Step.REVISIONS.value: "Revisions",
}  # fmt: skip
"""What the page calls the steps that ask a model, in their order."""
QUANTITIES: Final = ("calls", "prompt tokens", "of them cached", "tokens written", "time", "price")


def cost_rows(
    found: Walked, judge: str, policies: Facts, config: Mapping[str, Json], stats: Mapping[str, Json], critiques: int
) -> tuple[CostRow, ...]:
    """What each stage asked of its model: what its commands counted, or what is recorded where that is more (a run that was killed)."""
    drawn = " and ".join(dict.fromkeys(value for name, value in policies if name == "Model"))
    recorded = {
        Step.SAMPLES.value: found.sampling, Step.JUDGEMENTS.value: found.judging,
        Step.CRITIQUES.value: Tokens(critiques),
    }  # fmt: skip
    seconds, usage, prices = as_mapping(stats.get("seconds")), read_usage(stats), as_mapping(config.get("prices"))
    rows = []
    for step in dict.fromkeys([*STAGES, *usage]):
        role = role_of(step)
        took, spent = seconds.get(step), usage.get(step, Spent())
        row = _recorded(recorded.get(step, Tokens()), spent)
        if row.calls:
            rows.append(
                CostRow(
                    STAGES.get(step, step), drawn if role == POLICY else judge, row.calls, row.prompt, row.cached,
                    row.completion, float(took) if isinstance(took, int | float) else None, _price(row, prices.get(role)),
                )
            )  # fmt: skip
    return tuple(rows)


def total_of(rows: Sequence[CostRow]) -> CostRow:
    """All stages together; what no stage tells stays unknown, and so does the cached share where one stage does not tell it."""
    known = {
        name: [value for one in rows if (value := getattr(one, name)) is not None]
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "price")
    }
    sums = {name: sum(values) if values else None for name, values in known.items()}
    if len(known["cached_tokens"]) < len(known["prompt_tokens"]):
        sums["cached_tokens"] = None
    return CostRow("", "", sum(one.calls for one in rows), **sums)


def plan_rows(stats: Mapping[str, Json], currency: str) -> tuple[PlanRow, ...]:
    """Plan beside what happened, stage by stage; quantities of which neither is known are left out."""
    held = as_mapping(stats.get(PLANS))
    order = {step: place for place, step in enumerate(STAGES)}
    steps = sorted(held, key=lambda step: order.get(step, len(order)))
    return tuple(row for step in steps for row in _planned(step, as_mapping(held[step]), currency))


def currency_of(config: Mapping[str, Json]) -> str:
    """The currency of a run's prices; empty where it has none."""
    prices = as_mapping(config.get("prices"))
    return str(prices.get("currency") or "USD") if prices.get("policy") or prices.get("judge") else ""


def _planned(step: str, row: Mapping[str, Json], currency: str) -> Iterator[PlanRow]:
    planned, happened = row.get("planned"), row.get("happened")
    if not isinstance(planned, Mapping) or not isinstance(happened, Mapping):
        return
    for quantity, before, after in zip(QUANTITIES, cells(planned, currency), cells(happened, currency), strict=False):
        if UNKNOWN not in (before, after):
            yield PlanRow(STAGES.get(step, step), quantity, before, after)


def _recorded(recorded: Tokens, spent: Spent) -> Tokens:
    if spent.calls < recorded.calls or not spent.calls:
        return recorded
    return Tokens(
        spent.calls, spent.prompt_tokens, spent.cached_tokens if spent.told else None, spent.completion_tokens
    )


def _price(row: Tokens, given: Json) -> float | None:
    price = as_mapping(given)
    prompt, completion, cached = (price.get(name) for name in ("prompt", "completion", "cached"))
    if not isinstance(prompt, int | float) or not isinstance(completion, int | float) or row.prompt is None:
        return None
    rate = PriceConfig(prompt, completion, cached if isinstance(cached, int | float) else None)
    return Spent(row.calls, row.prompt, row.completion or 0, row.cached or 0).cost(rate)
