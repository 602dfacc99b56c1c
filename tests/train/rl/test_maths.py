"""The arithmetic of PPO against numbers worked by hand, and the estimators against the KL that they estimate."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from train.rl.maths import (
    AdaptiveKl,
    explained_variance,
    gae,
    kl_k1,
    kl_k3,
    moments,
    token_rewards,
    value_loss,
    whiten,
)


def rows(*values: list[float]) -> Tensor:
    return torch.tensor(values)


def test_the_score_stands_on_the_last_token_and_the_kl_on_each() -> None:
    """kl 0.1: 0.1 x (-1.0 + 1.5) = 0.05 is taken off the first token; the second gets 0.1 x 1.0 and its score."""
    logps, reference = rows([-1.0, -2.0, -9.0], [-1.0, -1.0, -1.0]), rows([-1.5, -1.0, -1.0], [-1.0, -1.0, -2.0])
    mask = rows([1.0, 1.0, 0.0], [1.0, 1.0, 1.0])
    found = token_rewards(torch.tensor([2.0, -1.0]), logps, reference, mask, 0.1)
    assert torch.allclose(found, rows([-0.05, 2.1, 0.0], [0.0, 0.0, -1.1]))
    total = found.sum(1) - torch.tensor([2.0, -1.0])
    assert torch.allclose(total, -0.1 * kl_k1(logps, reference, mask))


def test_advantages_worked_by_hand() -> None:
    """Rewards 0, 0, 1 and values 0.5, 0.6, 0.7: the errors are 0.1, 0.1, 0.3.

    With lam 0.5: A3 = 0.3, A2 = 0.1 + 0.5 x 0.3 = 0.25, A1 = 0.1 + 0.5 x 0.25 = 0.225.
    """
    rewards, values, mask = rows([0.0, 0.0, 1.0]), rows([0.5, 0.6, 0.7]), torch.ones(1, 3)
    assert torch.allclose(gae(rewards, values, mask, 1.0, 0.5), rows([0.225, 0.25, 0.3]))
    assert torch.allclose(gae(rewards, values, mask, 1.0, 0.0), rows([0.1, 0.1, 0.3]))  # the one-step errors
    assert torch.allclose(gae(rewards, values, mask, 1.0, 1.0), rows([0.5, 0.4, 0.3]))  # the return less the value


def test_discounted_advantages_worked_by_hand() -> None:
    """gamma 0.5, rewards 1, 2, values 1, 1: errors 1 + 0.5 - 1 = 0.5 and 2 - 1 = 1; A1 = 0.5 + 0.5 x 0.8 x 1 = 0.9."""
    found = gae(rows([1.0, 2.0]), rows([1.0, 1.0]), torch.ones(1, 2), 0.5, 0.8)
    assert torch.allclose(found, rows([0.9, 1.0]))


def test_padding_changes_nothing() -> None:
    short = gae(rows([0.0, 1.0]), rows([0.3, 0.6]), torch.ones(1, 2), 1.0, 0.95)
    mask = rows([1.0, 1.0, 0.0, 0.0])
    padded = gae(rows([0.0, 1.0, 5.0, 5.0]), rows([0.3, 0.6, 7.0, 7.0]), mask, 1.0, 0.95)
    assert torch.allclose(padded, torch.cat([short, torch.zeros(1, 2)], 1))


def test_whitened_over_all_processes() -> None:
    """1, 2, 3 have mean 2 and variance 1; what two processes see adds up to the same."""
    mask = rows([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])
    values = rows([1.0, 2.0, 50.0], [3.0, 50.0, 50.0])
    found = whiten(values, mask, moments(values, mask))
    assert torch.allclose(found, rows([-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]), atol=1e-6)
    parts = moments(values[:1], mask[:1]) + moments(values[1:], mask[1:])
    assert torch.allclose(parts, moments(values, mask))
    far = values + 1e6  # a reward of any size
    assert torch.allclose(whiten(far, mask, moments(far, mask)), found, atol=1e-2)


@pytest.mark.parametrize(
    ("value", "old", "target", "loss", "clipped"),
    [
        (1.0, 0.5, 2.0, 0.5 * 1.3**2, 1.0),  # moved further than 0.2 towards the return: 0.7 counts, without gradient
        (0.6, 0.5, 2.0, 0.5 * 1.4**2, 0.0),  # within 0.2
        (0.0, 0.5, 2.0, 0.5 * 2.0**2, 0.0),  # moved away: the plain error is the larger one
    ],
)
def test_the_critics_loss_worked_by_hand(value: float, old: float, target: float, loss: float, clipped: float) -> None:
    values = torch.tensor([[value, 9.0]], requires_grad=True)
    mask = rows([1.0, 0.0])
    found, share = value_loss(values, rows([old, 0.0]), rows([target, 0.0]), mask, 0.2)
    assert float(found.detach()) == pytest.approx(loss)
    assert float(share) == clipped
    found.backward()
    assert values.grad is not None
    assert values.grad[0].tolist() == pytest.approx([0.0 if clipped else value - target, 0.0])


def test_the_estimators_mean_the_kl() -> None:
    """One response whose reference holds its token for twice as likely: k1 = -log 2, k3 = 2 - 1 - log 2."""
    logps, reference, mask = rows([math.log(0.25), -3.0]), rows([math.log(0.5), -9.0]), rows([1.0, 0.0])
    assert float(kl_k1(logps, reference, mask)) == pytest.approx(-math.log(2))
    assert float(kl_k3(logps, reference, mask)) == pytest.approx(1 - math.log(2))
    p, q = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.3, 0.3, 0.4])
    exact = float((p * (p / q).log()).sum())
    drawn = (p.log()[:, None], q.log()[:, None], torch.ones(3, 1))
    assert float((p * kl_k1(*drawn)).sum()) == pytest.approx(exact)
    assert float((p * kl_k3(*drawn)).sum()) == pytest.approx(exact)
    assert bool((kl_k3(*drawn) >= 0).all())
    assert bool((kl_k1(*drawn) < 0).any())


def test_the_weight_of_the_kl_follows_the_target() -> None:
    """Target 6: 9 is half too much, which counts as a fifth: 0.1 x 1.02. 5.4 is a tenth too little: 0.1 x 0.99."""
    adapt = AdaptiveKl(6.0)
    assert adapt.next(0.1, 9.0) == pytest.approx(0.102)
    assert adapt.next(0.1, 5.4) == pytest.approx(0.099)
    assert adapt.next(0.1, -60.0) == pytest.approx(0.098)
    assert adapt.next(0.1, 6.0) == 0.1


def test_explained_variance() -> None:
    returns, mask = rows([1.0, 2.0, 3.0, 99.0]), rows([1.0, 1.0, 1.0, 0.0])
    assert explained_variance(returns.clone(), returns, mask) == pytest.approx(1.0)
    assert explained_variance(torch.full((1, 4), 5.0), returns, mask) == pytest.approx(0.0)
    assert explained_variance(-returns, returns, mask) == pytest.approx(-3.0)
    assert math.isnan(explained_variance(returns, returns, rows([1.0, 0.0, 0.0, 0.0])))
