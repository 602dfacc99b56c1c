"""Rows of many requests in batches: how they are cut, what a failure costs, where the bound is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from tenet.errors import EngineError
from train.serving.batching import Batcher, Full, ScoringFailed, Watch

T = TypeVar("T")


class Doubler:
    """Twice each number; waits for `gate`, fails on 13, finds the engine dead on 99, and cannot say anything of -1."""

    def __init__(self, *, shut: bool = False) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.batches: list[list[float]] = []
        if not shut:
            self.gate.set()

    def __call__(self, rows: Sequence[float]) -> list[float | None]:
        self.batches.append(list(rows))
        self.begun.set()
        self.gate.wait(30)
        if 13 in rows:
            raise ValueError("unlucky")
        if 99 in rows:
            raise EngineError("the engine is gone")
        return [None if row == -1 else 2.0 * row for row in rows]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


async def begun(score: Doubler) -> None:
    await asyncio.to_thread(score.begun.wait, 30)


def test_what_waits_goes_together_up_to_a_batch() -> None:
    async def work() -> None:
        score = Doubler(shut=True)
        batcher: Batcher[float] = Batcher(score, batch=4)
        batcher.start()
        first = asyncio.create_task(batcher.score([1]))
        await begun(score)
        others = [asyncio.create_task(batcher.score([2, 3, 4])), asyncio.create_task(batcher.score([5, 6, -1]))]
        await asyncio.sleep(0)
        score.gate.set()
        assert await first == [2]
        assert await asyncio.gather(*others) == [[4, 6, 8], [10, 12, None]]
        assert score.batches == [[1], [2, 3, 4, 5], [6, -1]]
        await batcher.close()

    run(work())


def test_over_the_bound_a_request_is_refused_at_once() -> None:
    async def work() -> None:
        score, waiting = Doubler(shut=True), []
        batcher: Batcher[float] = Batcher(score, batch=1, queue=3, watch=Watch(waiting=waiting.append))
        batcher.start()
        first = asyncio.create_task(batcher.score([1]))
        await begun(score)
        held = asyncio.create_task(batcher.score([2, 3]))
        await asyncio.sleep(0)
        with pytest.raises(Full) as error:
            await batcher.score([4, 5])
        assert error.value.again >= 1
        fits = asyncio.create_task(batcher.score([6]))
        await asyncio.sleep(0)
        score.gate.set()
        assert [await first, await held, await fits] == [[2], [4, 6], [12]]
        assert max(waiting) == 3
        assert waiting[-1] == 0
        await batcher.close()

    run(work())


def test_long_rows_fill_the_queue_sooner() -> None:
    async def work() -> None:
        score = Doubler(shut=True)
        batcher: Batcher[float] = Batcher(score, batch=1, queue=100, weigh=int, weight=10)
        batcher.start()
        tasks = [asyncio.create_task(batcher.score([1]))]
        await begun(score)
        tasks.append(asyncio.create_task(batcher.score([8])))
        await asyncio.sleep(0)
        with pytest.raises(Full):
            await batcher.score([3])
        tasks.append(asyncio.create_task(batcher.score([2])))
        await asyncio.sleep(0)
        score.gate.set()
        assert await asyncio.gather(*tasks) == [[2], [16], [4]]
        await batcher.close()

    run(work())


def test_a_row_that_breaks_the_model_fails_alone() -> None:
    async def work() -> None:
        score, errors = Doubler(shut=True), []
        batcher: Batcher[float] = Batcher(score, batch=8, watch=Watch(failed=errors.append))
        batcher.start()
        tasks = [asyncio.create_task(batcher.score([1]))]
        await begun(score)
        tasks += [asyncio.create_task(batcher.score(rows)) for rows in ([2], [13, 3], [4])]
        await asyncio.sleep(0)
        score.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [found[0], found[1], found[3]] == [[2], [4], [8]]
        assert isinstance(found[2], ScoringFailed)
        assert str(found[2]) == "ValueError"
        assert [str(one) for one in errors] == ["unlucky"]
        assert not batcher.failing
        await batcher.close()

    run(work())


def test_an_engine_that_is_gone_fails_the_batch_without_being_asked_again() -> None:
    async def work() -> None:
        score = Doubler()
        batcher: Batcher[float] = Batcher(score, batch=8)
        batcher.start()
        with pytest.raises(ScoringFailed, match="EngineError"):
            await batcher.score([99, 1, 2])
        assert score.batches == [[99, 1, 2]]
        assert batcher.failing
        assert await batcher.score([1]) == [2]
        assert not batcher.failing
        await batcher.close()

    run(work())


def test_closing_finishes_what_waits() -> None:
    async def work() -> None:
        score = Doubler(shut=True)
        batcher: Batcher[float] = Batcher(score, batch=2)
        batcher.start()
        tasks = [asyncio.create_task(batcher.score([number])) for number in range(5)]
        await begun(score)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        score.gate.set()
        await closing
        assert await asyncio.gather(*tasks) == [[0], [2], [4], [6], [8]]

    run(work())


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_reward(odd: float) -> None:
    async def work() -> None:
        batcher: Batcher[int] = Batcher(lambda rows: [odd for _ in rows])
        batcher.start()
        assert await batcher.score([1]) == [None]
        await batcher.close()

    run(work())


def test_a_source_that_loses_rows_is_an_error() -> None:
    async def work() -> None:
        batcher: Batcher[int] = Batcher(lambda rows: [])
        batcher.start()
        with pytest.raises(ScoringFailed):
            await batcher.score([1, 2])
        await batcher.close()

    run(work())
