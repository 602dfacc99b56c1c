"""The arithmetic of PPO for language models, as pure functions of tensors. Knows no model and no trainer.

A response y_1 .. y_T to a prompt x is an episode: the state s_t is x with y_<t, the action is the token y_t. Shapes are (rows, T)
with `mask` 1 on the response's tokens (they come first) and 0 on the padding behind them.

Sources: Schulman et al. 2016 (generalised advantage estimation, arXiv:1506.02438), Schulman et al. 2017 (PPO, arXiv:1707.06347),
Ziegler et al. 2019 (KL in the reward, adaptive weight, arXiv:1909.08593), Huang et al. 2024 (implementation details of RLHF with
PPO, arXiv:2403.17031), Schulman 2020 ("Approximating KL divergence": the estimators k1 and k3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

ERROR_CLIP: Final = 0.2
"""Largest relative error that the adaptive weight acts on at once (Ziegler et al. 2019, section 2.2)."""


def token_rewards(scores: Tensor, logps: Tensor, reference: Tensor, mask: Tensor, kl: float) -> Tensor:
    """Spread a response's reward over its tokens: the score on the last, on each the price of leaving the reference.

    r_t = -kl (log p(y_t | s_t) - log p_ref(y_t | s_t)) + [t = T] score. Summed over the response and in expectation that is
    score - kl x KL(p || p_ref), the objective of Ziegler et al. 2019 (their R).

    Args:
        scores: (rows,).
        logps: (rows, T) of the tokens by the policy that drew them.
        reference: (rows, T) by the reference.
        mask: (rows, T).
        kl: weight of the KL, nats to reward.
    """
    rewards = -kl * (logps - reference) * mask
    last = mask.sum(1).clamp(min=1).long() - 1
    spread: Tensor = rewards.scatter_add(1, last[:, None], scores[:, None].to(rewards.dtype)) * mask
    return spread


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Tensor:
    """Estimate the advantage of each token (Schulman et al. 2016, equation 16).

    delta_t = r_t + gamma V(s_t+1) - V(s_t), and A_t = delta_t + gamma lam A_t+1, with V and A 0 behind the last token: the
    episode ends there. lam = 1 gives the whole return minus V(s_t), without bias; lam = 0 the one-step error.

    Args:
        rewards: (rows, T).
        values: (rows, T), V(s_t) of the state that a token is chosen in.
        mask: (rows, T).
        gamma: discount.
        lam: how far rewards are trusted before values.
    """
    rewards, values = rewards * mask, values * mask
    advantages: Tensor = torch.zeros_like(values)
    following_value = torch.zeros_like(values[:, 0])
    following = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.size(1))):
        delta = rewards[:, t] + gamma * following_value - values[:, t]
        following = (delta + gamma * lam * following) * mask[:, t]
        following_value = values[:, t]
        advantages[:, t] = following
    return advantages


def moments(values: Tensor, mask: Tensor) -> Tensor:
    """Give count, sum and sum of squares (3,) of what the mask shows: sums that several processes can add up."""
    kept = values.double() * mask
    return torch.stack([mask.sum().double(), kept.sum(), (kept * values).sum()])


def whiten(values: Tensor, mask: Tensor, totals: Tensor) -> Tensor:
    """Bring what the mask shows to mean 0 and variance 1 by `moments` (3,) of the whole batch; the rest is 0.

    It makes the size of a step independent of the reward's unit (Huang et al. 2024).
    """
    count, total, squares = totals
    mean = total / count
    variance = ((squares - count * mean**2) / (count - 1).clamp(min=1)).clamp(min=0)
    whitened: Tensor = (values - mean) * torch.rsqrt(variance + 1e-8) * mask
    return whitened.to(values.dtype)


def value_loss(values: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Form the critic's loss, and the share of tokens where the clipped branch decides.

    L_t = 1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2): a value that has moved further than c from where it was
    when the responses were drawn, towards R, earns nothing more for it (Huang et al. 2024).

    Args:
        values: (rows, T), with gradient.
        old: (rows, T), at the time of the rollout.
        returns: (rows, T), A_t + V_old(s_t).
        mask: (rows, T).
        clip: c.
    """
    clipped = old + (values - old).clamp(-clip, clip)
    plain, bounded = (values - returns) ** 2, (clipped - returns) ** 2
    count = mask.sum().clamp(min=1)
    loss = 0.5 * (torch.maximum(plain, bounded) * mask).sum() / count
    share = ((bounded > plain).to(values.dtype) * mask).sum() / count
    return loss, share.detach()


def kl_k1(logps: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Estimate KL(policy || reference) of each response in nats, (rows,): sum of log p - log p_ref.

    Without bias, of high variance, and negative at times (k1 of Schulman 2020).
    """
    return ((logps - reference) * mask).sum(1)


def kl_k3(logps: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Estimate the same by sum of e^d - 1 - d with d = log p_ref - log p: never negative, of lower variance (k3).

    Each token's term has the expectation of that token's KL, given what stands before it.
    """
    d = (reference - logps) * mask
    return (torch.expm1(d) - d).sum(1)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Give 1 - Var(R - V) / Var(R) over the tokens: 1 where the critic foretells all, 0 where a constant would do as well."""
    shown = mask.bool()
    if int(shown.sum()) < 2:
        return float("nan")
    actual = returns[shown]
    return float(1.0 - (actual - values[shown]).var() / actual.var().clamp(min=1e-8))


@dataclass(frozen=True)
class AdaptiveKl:
    """Moves the weight of the KL towards a target, nats a response (Ziegler et al. 2019, equation 2).

    e = clip((KL - target) / target, -0.2, 0.2); weight <- weight (1 + rate e), once a rollout.
    """

    target: float
    rate: float = 0.1

    def next(self, weight: float, measured: float) -> float:
        """Give the weight for the next rollout."""
        error = (measured - self.target) / self.target
        return weight * (1.0 + self.rate * min(ERROR_CLIP, max(-ERROR_CLIP, error)))
