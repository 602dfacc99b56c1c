"""Pairs as single rows for KTO, and prompts without repetition for online DPO. Knows tokenised rows, no trainer and no loss.

A pair with P(chosen is better) = p becomes two rows: its chosen side, good with probability p, and its rejected side, good
with probability 1 - p, each with the weight of the pair. Rows come in an order drawn once: KTO's baseline takes each prompt
with the completion of a neighbour in its batch, and a pair's own other side would be no mismatch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset

    from train.config import KtoConfig

_SIDES: Final = 2


def unpaired(rows: Dataset, seed: int) -> Dataset:
    """Give rows of `prompt_ids`, `completion_ids`, `label`, `p_good`, `weight` and `length`, shuffled.

    Args:
        rows: what `Encoder.pairs` or `Encoder.rated` gives, usable rows alone.
        seed: of the order.
    """
    paired = "chosen_ids" in rows.column_names
    single = rows.map(_sides if paired else _labelled, batched=True, remove_columns=rows.column_names)
    return single.shuffle(seed=seed)


def once_each(rows: Dataset) -> Dataset:
    """Keep the first row of each `prompt_key`."""
    seen: dict[str, int] = {}
    for place, key in enumerate(rows["prompt_key"]):
        seen.setdefault(key, place)
    return rows.select(list(seen.values()))


def imbalance(labels: Sequence[bool], config: KtoConfig) -> tuple[str, ...]:
    """Advise on weights where good and bad rows are out of balance.

    Ethayarajh et al. (2024, eq. 8) keep desirable * good / (undesirable * bad) between 1 and 4/3.
    """
    good = sum(labels)
    bad = len(labels) - good
    if not good or not bad:
        return (
            f"all {len(labels):,} responses are {'good' if good else 'bad'}: KTO learns from the difference of the two kinds",
        )
    ratio = config.desirable * good / (config.undesirable * bad)
    if 1.0 <= ratio <= 4.0 / 3.0:
        return ()
    key, value = ("undesirable", ratio * config.undesirable) if ratio > 1.0 else ("desirable", config.desirable / ratio)
    return (f"{good:,} good and {bad:,} bad responses: KTO's authors would balance them with --set {key}={value:.3g}",)


def _sides(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    p = batch["p_chosen"]
    return {
        "prompt_ids": batch["prompt_ids"] * _SIDES,
        "completion_ids": batch["chosen_ids"] + batch["rejected_ids"],
        "label": [True] * len(p) + [False] * len(p),
        "p_good": [*p, *(1.0 - one for one in p)],
        "weight": batch["weight"] * _SIDES,
        "length": batch["length"] * _SIDES,
    }


def _labelled(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    kept = {name: batch[name] for name in ("prompt_ids", "completion_ids", "p_good", "weight", "length")}
    return {**kept, "label": [p > 0.5 for p in batch["p_good"]]}
