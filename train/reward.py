"""Trains a reward model by soft Bradley-Terry, on TRL's RewardTrainer.

The seam: `compute_loss(return_outputs=True)` gives the scores beside the stock loss, and the loss is formed anew from
them with labels and weights. With p = 1 and weight 1 it is the stock loss to the last bit. A plain TRL data set works,
also with TRL's own column `margin`; labels and margins together are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from trl import RewardConfig as Arguments
from trl import RewardTrainer

from train.config import RewardConfig
from train.losses import margin_loss, soft_preference_loss, weighted_mean
from train.pairs import Batch, PairTrainer, taken_labels
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console


class SoftRewardTrainer(PairTrainer, RewardTrainer):  # type: ignore[misc]
    """A RewardTrainer that reads the columns `weight` and `p_chosen` or `margin` if the data has them."""

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor | tuple[Tensor, Any]:
        """Score both sides of the pairs and form the soft loss.

        Args:
            model: the reward model, one score a sequence.
            inputs: `input_ids` and `attention_mask`, each (2 * rows, length), all chosen first; labels (rows,).
            return_outputs: whether to give the model's outputs too.
            num_items_in_batch: not used, as in the stock trainer.

        Raises:
            ValueError: the rows have labels and margins.
        """
        p, weight = taken_labels(inputs)
        margin = inputs.pop("margin", None)
        if margin is not None and p is not None:
            raise ValueError("margin and p_chosen say the same thing twice: leave one of the columns out")
        _, outputs = super().compute_loss(model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        gap = chosen - rejected
        self.observe(gap, p, weight)
        losses = soft_preference_loss(gap, p) if margin is None else margin_loss(gap, margin)
        loss = weighted_mean(losses, weight)
        if self.args.center_rewards_coefficient is not None:
            loss = loss + self.args.center_rewards_coefficient * ((chosen + rejected) ** 2).mean()
        return (loss, outputs) if return_outputs else loss


def train_reward(
    config: RewardConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a reward model: a sequence classifier with one output, the higher the better.

    The metrics hold accuracy and calibration on held-out pairs. Raises what `train.session.run_training` raises.
    """

    def build(job: Job) -> SoftRewardTrainer:
        arguments = Arguments(**job.arguments, center_rewards_coefficient=config.center or None)
        return SoftRewardTrainer(
            model=job.base.source.location,
            args=arguments,
            train_dataset=job.data.train,
            eval_dataset=job.data.test,
            processing_class=job.base.tokenizer,
            peft_config=job.adapter,
        )

    return run_training(config, build, console=console, resume=resume, command=command)
