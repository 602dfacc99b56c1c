"""Losses that learn from P(chosen is better) instead of from a bare order: pure tensor functions.

Knows no trainer, no tokenizer and no file. A stock loss l of a gap takes for certain which response is better. A label p
says that it is the first with probability p, so what is minimised is the expectation under the label,

    L(gap, p) = p l(gap) + (1 - p) l(-gap)

which is the stock loss at p = 1 and favours neither response at p = 1/2. What becomes of p depends on l: the logistic
loss learns it as log-odds, the squared one (IPO) as it stands, the hinge only its side of 1/2 (see each).

The logistic loss serves reward models and DPO, for both model a pair by a gap d in log-odds that chosen is better: a
reward model by the difference of its two rewards, DPO by `beta` times the difference of the two log-ratios. Bradley and
Terry (1952): P(chosen better) = s(d), s the logistic function. The cross-entropy of that against a label p is

    L(d, p) = -p log s(d) - (1 - p) log s(-d) = -log s(d) + (1 - p) d          since log s(-d) = log s(d) - d

with dL/dd = s(d) - p: the gap is pulled to logit(p) and no further. p = 1 is the stock loss of TRL's RewardTrainer and
of its DPO (`sigmoid`), and a constant p = 1 - e is the conservative DPO of Mitchell (2023, "A note on DPO with noisy
preferences", eq. 2), elsewhere called label smoothing. DPO's gap: Rafailov et al. (2023, arXiv:2305.18290, eq. 7).
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


def soft_ipo_loss(gap: Tensor, p: Tensor | None, beta: float) -> Tensor:
    """Squared loss of IPO under the label p, row by row.

    Azar et al. (2023, arXiv:2310.12036, eq. 17) ask a certain pair for the gap t = 1 / (2 beta). In expectation,

        p (h - t)^2 + (1 - p) (h + t)^2 = (h - (2p - 1) t)^2 + 4 p (1 - p) t^2

    with its minimum at h = (2p - 1) t = (p - 1/2) / beta: linear in p, so the mean of p is learnt where p does not
    depend on the text, and 1/2 + beta h is the model's P(chosen is better), cut off at 0 and 1. The gap that is asked
    for is finite even at p = 1, unlike that of the logistic loss. The last term has no gradient.

    Args:
        gap: (rows,) h, the difference of the two log-ratios, not times beta (`length_averaged_gap`, as TRL does).
        p: (rows,) P(chosen is better) in [0, 1]; None means 1 everywhere, the stock loss.
        beta: the regularisation, tau in the paper: the larger, the smaller the gap that is asked for.

    Returns:
        (rows,) float32.
    """
    h, target = gap.float(), 1.0 / (2.0 * beta)
    loss = (h - target) ** 2
    return loss if p is None else p.float() * loss + (1.0 - p.float()) * (h + target) ** 2


def soft_hinge_loss(gap: Tensor, p: Tensor | None) -> Tensor:
    """Hinge loss of SLiC under the label p, row by row. It cannot carry p as a probability.

    Zhao et al. (2023, arXiv:2305.10425) ask for a gap of at least 1; Liu et al. (2023, arXiv:2309.06657) for one of
    DPO's gap d. In expectation,

        p max(0, 1 - d) + (1 - p) max(0, 1 + d)

    has the slopes -p below -1, 1 - 2p between -1 and 1, and 1 - p above. So the minimum, 2 (1 - p), lies at d = 1 for
    every p between 1/2 and 1: the loss learns which side of 1/2 the label is on and rounds the rest away. There p is a
    weight: it pulls with 2p - 1 towards 1 and with 1 - p back from beyond (not at all for p = 1), and a tie pulls
    nowhere between -1 and 1. The gap that is learnt is no log-odds, and no calibration can be read from it.

    Args:
        gap: (rows,) d, as for `soft_preference_loss`.
        p: (rows,) P(chosen is better) in [0, 1]; None means 1 everywhere, the stock loss.

    Returns:
        (rows,) float32.
    """
    d = gap.float()
    loss = torch.relu(1.0 - d)
    return loss if p is None else p.float() * loss + (1.0 - p.float()) * torch.relu(1.0 + d)


def margin_loss(gap: Tensor, margin: Tensor) -> Tensor:
    """Logistic loss that asks for a gap beyond a margin, row by row: -log s(gap - margin), as TRL's `margin`.

    Touvron et al. (2023, arXiv:2307.09288, eq. 2). It takes for certain which response is better and has no minimum:
    the pull s(margin - gap) is 1/2 where the gap equals the margin, and never ends. It takes no p. A margin in
    log-odds is the same knowledge as the label p = s(margin), whose loss has its minimum at gap = margin; with both,
    -p log s(d - m) - (1 - p) log s(m - d) has it at m + logit(p), twice the judge's own log-odds, and a tie would be
    driven apart by its margin.

    Args:
        gap: (rows,) difference of the two rewards.
        margin: (rows,) in the same unit, not negative; 0 is the stock loss.

    Returns:
        (rows,) float32.
    """
    return -F.logsigmoid(gap.float() - margin.float())


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


def length_averaged_gap(policy_logps: Tensor, reference_logps: Tensor, completion_mask: Tensor) -> Tensor:
    """Give IPO's gap: the difference of the two log-ratios, each divided by the tokens of its completion.

    The average makes one beta fit responses of every length; TRL has it from the authors of IPO. A gap of sums would
    ask long pairs for a smaller change a token.

    Args:
        policy_logps: (2 * rows,) of the model that learns, all chosen first, then all rejected.
        reference_logps: (2 * rows,) of the frozen model, in the same order.
        completion_mask: (2 * rows, length) 1 on completion tokens.

    Returns:
        (rows,)
    """
    tokens = completion_mask.sum(dim=1).clamp(min=1)
    chosen, rejected = ((policy_logps - reference_logps) / tokens).chunk(2)
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
