"""What a meter counts, and that a limit is never passed, whatever is in flight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tenet.budget import Limits, Meter, Spent, cost
from tenet.errors import BudgetReached
from tenet.records import Finish, Sample
from tenet.runconfig import PriceConfig
from tenet.runs import Row
from tenet.workers.local import Task

PRICE = PriceConfig(prompt=2.0, completion=8.0, cached=0.5)
MOST = 50


def row(key: str, written: int = 10, cached: int | None = 40) -> Row[Sample]:
    sample = Sample(key, "p", 0, "x", "m", Finish.STOP, 0, 100, written, "", cached)
    return Row(key, sample, ok=True)


class InFlight:
    """Work that takes up to `width` tasks before it answers the oldest; notes how many were out at once."""

    def __init__(self, width: int, written: int = 10) -> None:
        self.width, self.written, self.peaks = width, written, list[int]()

    def __call__(self, tasks: Iterable[Task[int]]) -> Iterator[Row[Sample]]:
        waiting: list[str] = []
        for task in tasks:
            waiting.append(task.key)
            if len(waiting) == self.width:
                self.peaks.append(len(waiting))
                yield row(waiting.pop(0), self.written)
        self.peaks.append(len(waiting))
        while waiting:
            yield row(waiting.pop(0), self.written)


def tasks(count: int) -> list[Task[int]]:
    return [Task(f"t{number}", number) for number in range(count)]


def test_a_price_by_hand() -> None:
    assert cost(PRICE, 1_000_000, 500_000, 400_000) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert cost(PriceConfig(2.0, 8.0), 1_000_000, 0, 400_000) == pytest.approx(2.0)
    assert Spent(1, 100, 10).cost(None) == 0.0


def test_the_share_that_was_cached_is_that_of_the_calls_that_say() -> None:
    spent = Spent.of(row("a").record) + Spent.of(row("b", cached=None).record) + Spent.of(None)
    assert (spent.calls, spent.prompt_tokens, spent.cached_tokens, spent.told) == (3, 200, 40, 100)
    assert spent.cached_share == 0.4
    assert Spent().cached_share is None


def test_without_a_limit_everything_is_counted_and_nothing_is_held_up() -> None:
    meter, work = Meter({"judge": PRICE}), InFlight(8)
    found = list(meter.watched("judging", "judge", work, lambda _: (100, MOST))(tasks(20)))
    assert [one.key for one in found] == [f"t{number}" for number in range(20)]
    spent = meter.spent["judging"]
    assert (spent.calls, spent.tokens) == (20, 20 * 110)
    assert meter.cost == pytest.approx(20 * cost(PRICE, 100, 10, 40))
    assert max(work.peaks) == 8


@pytest.mark.parametrize("width", [1, 3, 8, 64])
@pytest.mark.parametrize("written", [0, 10, MOST])
@pytest.mark.parametrize("limit", [100, 1000, 1234, 2000])
def test_a_token_limit_is_used_up_and_never_passed(width: int, written: int, limit: int) -> None:
    meter = Meter({}, Limits(max_tokens=limit, resume="tenet generate --max-tokens 9"))
    work = meter.watched("judging", "judge", InFlight(width, written), lambda _: (100, MOST))
    found, spent = list[str](), list[int]()

    def carry_out() -> None:
        for one in work(tasks(100)):
            found.append(one.key)
            spent.append(meter.tokens)

    with pytest.raises(BudgetReached, match="go on with a larger limit: tenet generate --max-tokens 9"):
        carry_out()
    assert max(spent, default=0) <= limit
    assert found == [f"t{number}" for number in range(len(found))]
    assert limit - meter.tokens < 100 + MOST  # there was no room for one more at its most


def test_what_earlier_commands_spent_counts() -> None:
    limits = Limits(max_tokens=1000, spent=800)
    with pytest.raises(BudgetReached, match=r"910 of 1,000 tokens spent, 800 tokens of it by earlier commands"):
        list(Meter({}, limits).watched("judging", "judge", InFlight(4), lambda _: (100, MOST))(tasks(9)))


def test_a_limit_of_money_counts_cached_tokens_only_when_they_are_reported() -> None:
    most = cost(PRICE, 100, MOST)
    meter = Meter({"judge": PRICE}, Limits(max_cost=10 * most, currency="EUR"))
    with pytest.raises(BudgetReached, match=r"of 0\.006 EUR spent"):
        list(meter.watched("judging", "judge", InFlight(3), lambda _: (100, MOST))(tasks(500)))
    assert meter.cost <= 10 * most
    assert 10 * most - meter.cost < most
    free = Meter({"judge": None}, Limits(max_cost=1e-9))
    assert len(list(free.watched("judging", "judge", InFlight(3), lambda _: (100, MOST))(tasks(5)))) == 5


def test_a_stop_at_a_limit_is_no_failure() -> None:
    assert BudgetReached("x").exit_code == 0
