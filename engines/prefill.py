"""Runs a batch of prompts through a transformers model, shared beginnings once. Knows token ids, no text and no sampling.

Prompts are padded on the left. Where a batch's groups share stems, the stems go first, their keys and values are handed to every prompt
of the group, and only the rest of each prompt is computed: [stem pads, stem, pads, rest] with positions that skip the pads.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from engines.base import TokenIds
from engines.batching import Group


@dataclass
class Prefill:
    """Prompts that have gone through the model, one row each, in the order of their groups' members.

    `logits` (rows, vocabulary) at the last token; `mask` (rows, width) of the cached positions, `lengths` (rows,) prompt tokens, both
    int64; `cache` None unless kept; `cached[i]` prompt tokens that row i did not have to compute.
    """

    logits: torch.Tensor
    mask: torch.Tensor
    lengths: torch.Tensor
    cache: Any
    cached: list[int]


def can_share(model: Any) -> bool:
    """Whether stems may be shared: every layer attends to everything before it, with an ordinary key-value cache."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    if not {"past_key_values", "position_ids"} <= inspect.signature(model.forward).parameters.keys():
        return False
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def prefill(model: Any, prompts: Sequence[TokenIds], batch: Sequence[Group], *, keep_cache: bool) -> Prefill:
    """Run one batch (`engines.batching.batches`): either no group of it has a stem, or all have."""
    from transformers import DynamicCache

    rows = [prompts[place] for group in batch for place in group.members]
    lengths = torch.tensor([len(row) for row in rows], device=model.device)
    if not batch[0].stem:
        cache = DynamicCache(config=model.config) if keep_cache else None
        ids, mask = _left_padded(rows, model.device)
        logits = forward(model, ids, mask, _positions(mask), cache)
        return Prefill(logits, mask, lengths, cache, [0] * len(rows))
    stems = [prompts[group.members[0]][: group.stem] for group in batch]
    owner = torch.tensor([place for place, group in enumerate(batch) for _ in group.members], device=model.device)
    cache = DynamicCache(config=model.config)
    stem_ids, stem_mask = _left_padded(stems, model.device)
    forward(model, stem_ids, stem_mask, _positions(stem_mask), cache)
    cache.batch_select_indices(owner)
    ends = [prompts[place][group.stem :] for group in batch for place in group.members]
    ids, end_mask = _left_padded(ends, model.device)
    offsets = stem_mask.sum(-1)[owner]
    mask = torch.cat([stem_mask[owner], end_mask], dim=-1)
    logits = forward(model, ids, mask, _positions(end_mask) + offsets.unsqueeze(-1), cache)
    cached = [group.stem if place else 0 for group in batch for place in range(len(group.members))]
    return Prefill(logits, mask, lengths, cache if keep_cache else None, cached)


def forward(model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: Any) -> torch.Tensor:
    """Logits (rows, vocabulary) after the last column of `ids` (rows, new); `mask` (rows, cached + new); `cache` grows in place."""
    wanted = {
        "input_ids": ids,
        "attention_mask": mask,
        "position_ids": positions,
        "past_key_values": cache,
        "use_cache": cache is not None,
        "logits_to_keep": 1,
    }
    parameters = inspect.signature(model.forward).parameters
    output = model(**{name: value for name, value in wanted.items() if name in parameters})
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def _left_padded(rows: Sequence[TokenIds], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, both (rows, longest), int64."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    mask = torch.arange(width, device=device).unsqueeze(0) >= (width - lengths).unsqueeze(-1)
    return ids, mask.long()


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions counted from the first real token; pads get 0."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
