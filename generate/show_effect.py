"""Puts the effect of an edit into words for a terminal, and into plain values for `--json`. Knows no command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from constitution.diff import Change
from generate.bill import Bill
from generate.effect import Compared, Effect
from generate.relabel import Relabelling
from generate.show_plan import UNKNOWN, amount_text, money_text, time_text
from tenet.console import Console, harmless
from tenet.ids import Json
from tenet.records import Sample

_SHOWN: Final = 240
"""Most characters of a text in an example."""
BY_CHANGE: Final = ("principle", "change", "flips", "of all")
METHOD: Final = (
    "simple random sample of pairs without replacement; Wilson score interval with finite population correction"
)


def show_effect(effect: Effect, cost: Relabelling, console: Console, *, examples: int) -> None:
    """Print what flips, by which change, examples side by side, and the cost of relabelling."""
    for line in told(effect):
        console.data(line)
    if effect.flips:
        console.data("")
        console.table(BY_CHANGE, by_change(effect), title="Flips by the principle that turned them")
    if examples and effect.flips:
        shown: list[list[Json]] = [_example(one) for one in effect.flips[:examples]]
        columns = ["prompt", "wins by the first file", "wins by the second file", "P before", "P after", "turned by"]
        console.table(columns, shown, title="The flips that swing furthest")
    _show_cost(cost.bill, console)


def by_change(effect: Effect) -> list[list[Json]]:
    """The rows under `BY_CHANGE`."""
    return [
        [change.id, ", ".join(change.kinds), flips, f"{flips / len(effect.flips):.0%}"]
        for change, flips in effect.by_change()
    ]


def effect_json(effect: Effect, cost: Relabelling, *, examples: int) -> dict[str, Json]:
    """The effect for `--json`."""
    reach, spent = effect.reach, effect.spent
    return {
        "pairs": reach.pairs, "pairs_in_reach": reach.reached, "prompts_in_reach": reach.prompts,
        "sample": len(effect.compared), "flips": len(effect.flips), "lost": effect.lost, "gained": effect.gained,
        "flip_rate": {**effect.rate.as_json(), "method": METHOD}, "flip_rate_in_reach": effect.within.as_json(),
        "by_principle": [
            {"id": change.id, "kinds": list(change.kinds), "flips": flips} for change, flips in effect.by_change()
        ],
        "examples": [_example_json(one) for one in effect.flips[:examples]],
        "answers_taken": effect.taken,
        "asked": {"calls": spent.calls, "prompt_tokens": spent.prompt_tokens, "completion_tokens": spent.completion_tokens},
        "relabelling": cost.as_json(),
    }  # fmt: skip


def told(effect: Effect) -> Iterator[str]:
    """The effect in sentences."""
    reach, drawn = effect.reach, len(effect.compared)
    if not reach.reached:
        yield f"No verdict of the run can flip: none of its {reach.pairs:,} pairs is asked another question."
        return
    yield (
        f"The edit reaches {reach.reached:,} of the run's {reach.pairs:,} pairs, on {reach.prompts:,} prompts; "
        + (
            "all of them were judged under both files"
            if drawn == reach.reached
            else f"{drawn:,} were drawn and judged under both files"
        )
        + f" ({effect.taken:,} answers were recorded, {effect.spent.calls:,} asked)."
    )
    yield f"{len(effect.flips):,} of {drawn:,} verdicts flip{_of_the_run(effect)}."
    if effect.lost or effect.gained:
        yield f"{effect.lost:,} pairs had a winner and have none any more; {effect.gained:,} had none and have one now."


def _of_the_run(effect: Effect) -> str:
    """The share of the run's pairs that flip: as a number of pairs where all that can flip were judged, else with its interval."""
    share, pairs = effect.rate, effect.reach.pairs
    if share.low < share.high:
        return f": {share.value:.1%} (95 % interval {share.low:.1%} to {share.high:.1%}) of the run's pairs"
    if len(effect.compared) == pairs:
        return f", {share.value:.1%} of the run's pairs"
    return f": {len(effect.flips):,} of the run's {pairs:,} pairs, {share.value:.1%}"


def _example(one: Compared) -> list[Json]:
    before, after = winners(one)
    return [
        short(one.case.prompt.text), short(before.text), short(after.text),
        *(f"{p:.2f}" for p in before_and_after(one, before)), names(one.blamed),
    ]  # fmt: skip


def _example_json(one: Compared) -> dict[str, Json]:
    before, after = winners(one)
    p_before, p_after = before_and_after(one, before)
    return {
        "prompt_id": one.case.prompt.id, "prompt": one.case.prompt.text,
        "wins_before": {"id": before.id, "text": before.text}, "wins_after": {"id": after.id, "text": after.text},
        "p_of_the_first_winner": {"before": p_before, "after": p_after},
        "turned_by": [change.id for change in one.blamed],
    }  # fmt: skip


def winners(one: Compared) -> tuple[Sample, Sample]:
    """Who wins a flipped pair before, and who after."""
    case = one.case
    return (case.a, case.b) if one.before.winner == case.a.id else (case.b, case.a)


def before_and_after(one: Compared, winner: Sample) -> tuple[float, float]:
    """P(the first winner is better), before and after."""
    before, after = one.before.p_a or 0.0, one.after.p_a or 0.0
    return (before, after) if winner.id == one.case.a.id else (1.0 - before, 1.0 - after)


def names(changes: tuple[Change, ...]) -> str:
    """The changes that are to blame, with what each is."""
    return ", ".join(f"{change.id} ({', '.join(change.kinds)})" for change in changes)


def short(text: str, most: int = _SHOWN) -> str:
    """A text on one line, cut where it is longer than `most`."""
    line = harmless(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _show_cost(bill: Bill, console: Console) -> None:
    columns = ["step", "calls", "answered", "to be asked", "prompt tokens", "completion tokens", "time"]
    rows: list[list[Json]] = []
    for item in bill.items:
        line = item.line
        answered = line.calls.high - line.owed.high
        rows.append([
            line.stage, amount_text(line.calls), f"{answered:,.0f}" if line.owed.low == line.owed.high else UNKNOWN,
            amount_text(line.owed), amount_text(line.prompt_tokens), amount_text(line.completion_tokens),
            time_text(item.seconds) if item.seconds else UNKNOWN,
            *([money_text(item.price, bill.currency) if item.price else UNKNOWN] if bill.currency else []),
        ])  # fmt: skip
    console.table([*columns, *(["price"] if bill.currency else [])], rows, title="Relabelling the whole run")
