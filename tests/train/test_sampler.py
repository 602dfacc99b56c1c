"""Rows of like length together, every row once, and an order that depends on seed and epoch alone."""

import random

import pytest

pytest.importorskip("torch")

from train.sampler import LengthSampler

DRAW = random.Random(0)
LENGTHS = [DRAW.randint(10, 500) for _ in range(1_003)]


def waste(order: list[int], batch: int) -> float:
    """Share of a batch that is padding, over all batches."""
    batches = [[LENGTHS[row] for row in order[start : start + batch]] for start in range(0, len(order), batch)]
    padded = sum(max(one) * len(one) for one in batches)
    return 1 - sum(map(sum, batches)) / padded


def test_every_row_once_and_little_padding() -> None:
    order = list(LengthSampler(LENGTHS, 8, seed=1))
    assert sorted(order) == list(range(1_003))
    assert waste(order, 8) < 0.05
    assert waste(list(range(1_003)), 8) > 0.3


def test_the_order_follows_from_seed_and_epoch() -> None:
    first, second = LengthSampler(LENGTHS, 8, seed=1), LengthSampler(LENGTHS, 8, seed=1)
    second.set_epoch(1)
    again = list(second)
    assert again != list(first)
    first.set_epoch(1)
    assert list(first) == again
    assert list(LengthSampler(LENGTHS, 8, seed=2)) != list(LengthSampler(LENGTHS, 8, seed=1))


def test_the_smaller_batch_comes_last() -> None:
    order = list(LengthSampler(list(range(10)), 4, seed=0))
    assert sorted(order[8:]) == [0, 1]  # the shortest are left over
    assert len(order) == 10


def test_fewer_rows_than_a_batch() -> None:
    assert sorted(LengthSampler([3, 1, 2], 8, seed=0)) == [0, 1, 2]
    assert len(LengthSampler([3, 1, 2], 8, seed=0)) == 3
