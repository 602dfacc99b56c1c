"""Tells a person at a terminal what a run would cost, and afterwards how that compared with what happened. Words and tables only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from generate.amounts import Amount, Kind, total
from generate.bill import Bill
from generate.context import Step
from generate.planned import Line
from generate.spending import role_of
from tenet.console import Console, draw_table, duration, money
from tenet.ids import Json

_UNITS: Final = ((1e9, " G"), (1e6, " M"), (1e5, " k"))
UNKNOWN: Final = "unknown"
_COLUMNS: Final = ("calls", "prompt tokens", "cached", "completion tokens", "time")
_FIELDS: Final = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "price")


def amount_text(amount: Amount) -> str:
    """An amount in one cell: `720`, `12.3 M (11.8-12.9)` for an interval, `at most 5.1 M` for bounds."""
    if amount.kind is Kind.EXACT:
        return f"{amount.high:,.0f}"
    unit, sign = next(((size, sign) for size, sign in _UNITS if amount.high >= size), (1.0, ""))
    if sign == " k":
        unit = 1e3
    return _ranged(amount, lambda value: _figure(value / unit, whole=unit == 1.0), sign)


def money_text(amount: Amount, currency: str) -> str:
    """A price in one cell."""
    if amount.kind is Kind.EXACT:
        return f"{money(amount.high)} {currency}"
    return _ranged(amount, money, f" {currency}")


def time_text(amount: Amount) -> str:
    """A time in one cell."""
    return _time(amount.high) if amount.kind is Kind.EXACT else _ranged(amount, _time, "")


def _time(seconds: float) -> str:
    return "<1s" if 0 < seconds < 1 else duration(seconds)


def _ranged(amount: Amount, text: Any, sign: str) -> str:
    low, high = text(amount.low), text(amount.high)
    middle = None if amount.expected is None else text(amount.expected)
    if amount.kind is Kind.INTERVAL:
        return f"{middle}{sign} ({low}-{high})" if low != high else f"{middle}{sign}"
    most = f"at most {high}{sign}"
    if middle is None:
        return most if amount.low == 0 else f"{low} to {high}{sign}"
    return most if middle == high else f"{middle}{sign} ({most})"


def _figure(value: float, *, whole: bool) -> str:
    if whole or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show_plan(bill: Bill, console: Console, *, probed: int = 0) -> None:
    """Print a plan: a table on stdout, what it rests on and its caveats on stderr; `probed` prompts were drawn for it."""
    if console.json:
        console.data(bill.as_json())
        return
    plan = bill.plan
    columns = ["step", "model", "calls", "still owed", "prompt tokens", "of them cached", "completion tokens", "time"]
    names = ["calls", "owed", "prompt_tokens", "cached_tokens", "completion_tokens"]
    if plan.reuses:
        columns.insert(3, "from reused runs")
        names.insert(1, "reused")
    rows: list[list[Json]] = []
    for item in bill.items:
        line = item.line
        rows.append([
            line.stage, line.note, *(amount_text(getattr(line, name)) for name in names),
            time_text(item.seconds) if item.seconds else UNKNOWN,
        ])  # fmt: skip
    lines = plan.lines
    rows.append([
        "total", "", *(amount_text(total([getattr(line, name) for line in lines])) for name in names),
        time_text(bill.seconds) if bill.seconds else UNKNOWN,
    ])  # fmt: skip
    if bill.currency:
        columns.append("price")
        prices = [*(item.price for item in bill.items), bill.price]
        for row, price in zip(rows, prices, strict=True):
            row.append(money_text(price, bill.currency) if price else UNKNOWN)
    console.table(columns, rows, title=f"{plan.prompts:,} prompts, all tokenised")
    for words in _caveats(bill):
        console.say(words)
    drew = (
        f"Nothing was asked beyond the probe of {probed:,} prompts, which is kept." if probed else "Nothing was asked."
    )
    console.say(f"{drew} Leave out --dry-run to begin.")


def _caveats(bill: Bill) -> Iterator[str]:
    yield from _basis(bill)
    if bill.plan.reuses:
        figures = ", ".join(f"{amount_text(line.reused)} {line.stage}" for line in bill.lines if line.reused.high > 0)
        yield f"From reused runs: {figures}. They are taken, not asked; calls still owed, tokens, time and price are without them."
    for line in bill.plan.lines:
        if line.stage == Step.JUDGEMENTS and line.calls.bounded and bill.plan.drawn == bill.plan.prompts:
            yield (
                f"Later {line.stage} depend on earlier ones: {line.calls.expected:,.0f} calls are expected, "
                f"{line.calls.high:,.0f} at most."
            )
    yield from _cache(bill.plan.lines)
    if bill.plan.undecided:
        yield f"{bill.plan.undecided:,} prompts are never judged: no principle applies to them."
    owed = [item for item in bill.items if item.line.owed.high > 0]
    if not bill.currency and owed:
        yield "No price: none is in run.yaml. Per million tokens: prices: {policy: {prompt: X, completion: Y}, judge: {...}}"
    elif unpriced := sorted({role_of(item.line.stage) for item in owed if item.price is None}):
        yield f"No price of the {' and the '.join(unpriced)} is in run.yaml (prices)."
    if slow := sorted({item.line.stage for item in owed if item.seconds is None}):
        yield (
            f"Time unknown for {', '.join(slow)}: this run has recorded too little of it. Tokens a second may be given in "
            "run.yaml: rates: {policy: X, judge: Y}"
        )


def _basis(bill: Bill) -> Iterator[str]:
    """What the numbers rest on."""
    plan = bill.plan
    missing = plan.prompts - plan.drawn
    if not missing:
        yield "All responses are drawn: calls and prompt tokens of the comparisons are counted, not estimated."
        return
    if any(line.stage == Step.JUDGEMENTS and line.prompt_tokens.kind is Kind.INTERVAL for line in plan.lines) or any(
        line.stage == Step.SAMPLES and line.completion_tokens.kind is Kind.INTERVAL for line in plan.lines
    ):
        yield (
            f"{plan.drawn:,} of {plan.prompts:,} prompts have their responses; the other {missing:,} are predicted from them, "
            "with 95 % intervals in brackets."
        )
    else:
        yield (
            f"{plan.drawn:,} of {plan.prompts:,} prompts have their responses, too few to predict the others from: those count "
            "with bounds, from nothing to max_tokens. Draw some for real, to be kept: --dry-run --probe 200"
        )
    yield "Identical and empty responses are not compared, so fewer pairs may be judged than planned."


def _cache(lines: Sequence[Line]) -> Iterator[str]:
    """What a prefix cache spares."""
    for line in lines:
        prompt, cached = line.prompt_tokens.expected, line.cached_tokens.expected
        if prompt and cached:
            yield (
                f"{line.stage}: with the prefix cache {_short(prompt - cached)} prompt tokens are computed instead of "
                f"{_short(prompt)}; {_short(line.shared_tokens)} of those spared are what every prompt begins with."
            )


def _short(value: float) -> str:
    return amount_text(Amount(value, value - 1e-9, value + 1e-9)) if value >= 1e5 else f"{value:,.0f}"


def settlement(rows: Sequence[Json], currency: str) -> str:
    """Plan against what happened, two lines a step and two for all, as a table in text."""
    columns = ["step", "", *_COLUMNS, *(["price"] if currency else [])]
    told = [row for row in rows if isinstance(row, Mapping)]
    shown: list[list[Json]] = []
    for row in told:
        planned, happened = row.get("planned"), row["happened"]
        if isinstance(planned, Mapping):
            shown.append([str(row["step"]), "planned", *cells(planned, currency)])
        name = "" if isinstance(planned, Mapping) else str(row["step"])
        shown.append([name, "happened", *cells(happened, currency)])
    return draw_table(columns, shown, title="Plan and what happened").rstrip()


def cells(values: Any, currency: str) -> Iterator[str]:
    """The amounts of one step in cells: calls, tokens, time, and with a currency the price."""
    for name in _FIELDS if currency else _FIELDS[:-1]:
        value = values.get(name)
        if value is None:
            yield UNKNOWN
            continue
        amount = _amount(value) if isinstance(value, Mapping) else Amount.exact(float(value))
        if name == "price":
            yield money_text(amount, currency)
        else:
            yield time_text(amount) if name == "seconds" else amount_text(amount)


def _amount(value: Mapping[str, Any]) -> Amount:
    return Amount(value["expected"], value["low"], value["high"], value["kind"] == Kind.BOUNDS)
