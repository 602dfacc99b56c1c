"""Draws tokens from logits so that a row's draw depends on nothing but its own logits and its own random number.

Pure tensor functions; knows no model and no tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def uniforms(seeds: Sequence[int], count: int) -> torch.Tensor:
    """Random numbers in [0, 1), float64 of shape (len(seeds), count); a row follows from its seed alone."""
    rows = [torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, count, dtype=torch.float64)


def draw(logits: torch.Tensor, u: torch.Tensor, *, temperature: float, top_p: float) -> torch.Tensor:
    """Draw one token a row by inverting the cumulative distribution.

    Args:
        logits: (rows, vocabulary), any float type.
        u: (rows,) float64 in [0, 1), one number a row; unused at temperature 0.
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: keep the likeliest tokens that reach this probability together (nucleus sampling, Holtzman et al. 2020).

    Returns:
        (rows,) int64 token ids.
    """
    if temperature == 0.0:
        return logits.argmax(dim=-1)
    probabilities = torch.softmax(logits.float() / temperature, dim=-1).double()
    if top_p >= 1.0:
        return _invert(probabilities, u)
    ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
    outside = ordered.cumsum(dim=-1) - ordered >= top_p
    places = _invert(ordered.masked_fill(outside, 0.0), u)
    return ids.gather(-1, places.unsqueeze(-1)).squeeze(-1)


def _invert(weights: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The first place in each row whose cumulative weight exceeds u times the row's sum."""
    cumulative = weights.cumsum(dim=-1)
    target = u.to(weights.device).unsqueeze(-1) * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, target, right=True).squeeze(-1)
    last = weights.shape[-1] - 1 - (weights > 0).flip(-1).int().argmax(dim=-1)
    return torch.minimum(places, last)


def label_logprobs(logits: torch.Tensor, labels: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log of the summed probability of each label's tokens over the whole vocabulary.

    Args:
        logits: (rows, vocabulary).
        labels: the token ids of each label's variants.

    Returns:
        (rows, len(labels)) float32, natural logarithms, at least -10,000; NaN where a row's logits hold one.
    """
    logits = logits.float()
    total = torch.logsumexp(logits, dim=-1)
    columns = [torch.logsumexp(logits[:, list(ids)], dim=-1) - total for ids in labels]
    return torch.stack(columns, dim=-1).clamp(min=-1e4)
