"""Trains a reward model by soft Bradley-Terry, on TRL's RewardTrainer.

The seam: `compute_loss(return_outputs=True)` gives the scores beside the stock loss, and the loss is formed anew from
them with labels and weights. p = 1 and weight = 1 are the stock loss to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor
from trl import RewardTrainer

from train.config import RewardConfig
from train.losses import soft_preference_loss, weighted_mean
from train.pairs import Batch, PairTrainer, taken_labels
from train.session import Session, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console


class SoftRewardTrainer(PairTrainer, RewardTrainer):  # type: ignore[misc]
    """A RewardTrainer that reads the columns `p_chosen` and `weight` if the data has them."""

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor | tuple[Tensor, Any]:
        """Score both sides of (rows,) pairs, held in the batch as (2 * rows, length), and form the soft loss."""
        p, weight = taken_labels(inputs)
        _, outputs = super().compute_loss(
            model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch
        )
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        gap = chosen - rejected
        self.observe(gap, p, weight)
        loss = weighted_mean(soft_preference_loss(gap, p), weight)
        if self.args.center_rewards_coefficient is not None:
            loss = loss + self.args.center_rewards_coefficient * ((chosen + rejected) ** 2).mean()
        return (loss, outputs) if return_outputs else loss


@dataclass(frozen=True)
class Whole:
    """A collator of whole conversations: joins the prompt to either response, as a reward model reads them."""

    inner: Any

    def __call__(self, rows: list[Mapping[str, Any]]) -> Batch:
        """Collate rows of `prompt_ids`, `chosen_ids` and `rejected_ids`."""
        batch: Batch = self.inner([
            {side: [*row["prompt_ids"], *row[side]] for side in ("chosen_ids", "rejected_ids")} for row in rows
        ])  # fmt: skip
        return batch
