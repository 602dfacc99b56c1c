"""Losses that learn from P(chosen is better) instead of from a bare order: pure tensor functions.

Knows no trainer, no tokenizer and no file. One formula serves both methods, for both model a pair by a gap d
in log-odds that chosen is better: a reward model by the difference of its two rewards, DPO by `beta` times
the difference of the two log-ratios.

Derivation. Bradley and Terry (1952): P(chosen better) = s(d), s the logistic function. The cross-entropy of
that against a label p is

    L(d, p) = -p log s(d) - (1 - p) log s(-d) = -log s(d) + (1 - p) d          since log s(-d) = log s(d) - d

with dL/dd = s(d) - p: the gap is pulled to logit(p) and no further. p = 1 is the stock loss of TRL's
RewardTrainer and of its DPO (`sigmoid`), and a constant p = 1 - e is the conservative DPO of Mitchell (2023,
"A note on DPO with noisy preferences", eq. 2). DPO's gap: Rafailov et al. (2023, arXiv:2305.18290, eq. 7).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_preference_loss(gap: Tensor, p: Tensor | None = None) -> Tensor:
    """Cross-entropy of s(gap) against the label p, row by row.

    Args:
        gap: (rows,) log-odds that chosen is better, by the model that learns. Any float type; computed in
            float32.
        p: (rows,) P(chosen is better) in [0, 1]; None means 1 everywhere, the stock loss.

    Returns:
        (rows,) float32, each at least the entropy of its p.
    """
    d = gap.float()
    loss = -F.logsigmoid(d)
    return loss if p is None else loss + (1.0 - p.float()) * d


def weighted_mean(loss: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of weight * loss over the rows of a batch, a scalar.

    The divisor is the number of rows and not the sum of the batch's weights. With weights of mean 1 over the
    data set (`normalised`), the average over micro-batches or processes then equals the one big batch; a
    division by each batch's own sum would count a row for more the lighter its neighbours are.

    Args:
        loss: (rows,) one loss a row.
        weight: (rows,) non-negative; None means 1 everywhere.
    """
    return loss.mean() if weight is None else (weight.float() * loss).mean()


def normalised(weights: Tensor) -> Tensor:
    """Scale weights to mean 1: once over the whole data set, before it is cut into batches.

    Args:
        weights: (rows,) finite, non-negative, at least one of them positive.

    Raises:
        ValueError: a weight is negative or not finite, or none is positive.
    """
    scaled = weights.double()
    if not bool(torch.isfinite(scaled).all()) or bool((scaled < 0).any()):
        raise ValueError("weights must be finite and not negative")
    total = float(scaled.sum())
    if total <= 0.0:
        raise ValueError("at least one weight must be positive")
    return scaled * (scaled.numel() / total)


def sequence_logps(token_logps: Tensor, completion_mask: Tensor) -> Tensor:
    """Log-probability of each completion: the sum over its tokens.

    Args:
        token_logps: (sequences, length - 1 or more) log-probability of token t + 1 given the tokens up to t.
            Columns in front of the last length - 1 (virtual tokens of prompt tuning) are ignored.
        completion_mask: (sequences, length) 1 on completion tokens, 0 on prompt and padding.

    Returns:
        (sequences,) natural logs.
    """
    mask = completion_mask[:, 1:]
    return (token_logps[:, -mask.size(1) :] * mask).sum(dim=1)


def dpo_gap(policy_logps: Tensor, reference_logps: Tensor, beta: float) -> Tensor:
    """Give DPO's log-odds that chosen is better: beta times the difference of the two log-ratios.

    Args:
        policy_logps: (2 * rows,) of the model that learns, all chosen first, then all rejected.
        reference_logps: (2 * rows,) of the frozen model, in the same order.
        beta: weight of the reference; the larger, the less the policy moves.

    Returns:
        (rows,)
    """
    chosen, rejected = (beta * (policy_logps - reference_logps)).chunk(2)
    return chosen - rejected


def entropy_floor(p: Tensor) -> Tensor:
    """Give the least loss that any gap can reach on the label p: its entropy in nats, row by row.

    Args:
        p: (rows,) in [0, 1].
    """
    q = p.float()
    return -(torch.xlogy(q, q) + torch.xlogy(1.0 - q, 1.0 - q))


def token_logps(logits: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each token by the logits one place before it.

    Args:
        logits: (sequences, length, vocabulary) unnormalised; position t predicts token t + 1.
        tokens: (sequences, length) token ids.

    Returns:
        (sequences, length - 1) natural logs in float32.
    """
    target = tokens[:, 1:].unsqueeze(-1)
    return torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(-1, target).squeeze(-1)
