"""Trains a policy by KTO, on TRL's KTOTrainer, with labels that are probabilities.

TRL knows good rows and bad ones (Ethayarajh et al. 2024, arXiv:2402.01306, eq. 7). With u = beta (log-ratio - z), z the
baseline that it estimates on the batch, a good row costs a (1 - s(u)), a bad one b s(u), where s is the logistic function and
a, b are the weights `desirable` and `undesirable`. Of a row that is good with probability q, the expected cost is

    q a (1 - s(u)) + (1 - q) b s(u) = [q a - (1 - q) b] (1 - s(u)) + (1 - q) b
                                    = [(1 - q) b - q a] s(u) + q a

so that TRL's own loss, with the bracket as the weight of the row, has its value up to a constant and exactly its gradient.
With a = b = 1 the bracket is 2q - 1 for a good row, and both rows of a pair with P(chosen is better) = p weigh 2p - 1: a tie
teaches nothing, and p = 1 is the stock loss to the last bit. Unlike a cross-entropy this cost is linear in s(u), so q sets how
hard a row pulls and not where it stops: the implicit reward is no calibrated log-odds. For that, take DPO.

The seams: `desirable_weight` and `undesirable_weight`, which TRL multiplies with the losses of the batch's good and bad rows, are
tensors, one number a row; `_prepare_dataset` gets rows that are tokenised, and its KL completions are made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from trl import KTOConfig as Arguments
from trl import KTOTrainer

from train.config import KtoConfig
from train.pairs import Batch, WithLabels
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console

LABELS: Final = ("p_good", "weight")


def row_weights(
    label: Tensor, p_good: Tensor | None, weight: Tensor | None, *, desirable: float, undesirable: float
) -> tuple[Tensor, Tensor]:
    """Give each row's factor on TRL's loss, and the constant that the loss lacks of its expectation.

    Args:
        label: (rows,) bool, how TRL will read the row.
        p_good: (rows,) P(the response is good); None means that the labels are certain.
        weight: (rows,) of mean 1 over the data set; None means 1.
        desirable: a above.
        undesirable: b above.

    Returns:
        (rows,) factors, and a scalar: the mean constant of the batch.
    """
    q = label.float() if p_good is None else p_good.float()
    w = torch.ones_like(q) if weight is None else weight.float()
    good, bad = q * desirable, (1.0 - q) * undesirable
    return w * torch.where(label, good - bad, bad - good), (w * torch.where(label, bad, good)).mean()


class SoftKTOTrainer(KTOTrainer):  # type: ignore[misc]
    """A KTOTrainer that reads the columns `p_good` and `weight` if the data has them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.args.remove_unused_columns = False
        self.data_collator: Any = WithLabels(self.data_collator, LABELS)
        self._certain: tuple[float, float] = (self.args.desirable_weight, self.args.undesirable_weight)

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if "completion_ids" not in dataset.column_names:
            return super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        return dataset.map(mismatched, batched=True, batch_size=args.per_device_train_batch_size)

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor | tuple[Tensor, Any]:
        """Form the expected KTO loss of a batch of rows.

        Args:
            model: the policy.
            inputs: as TRL's collator makes them, with labels (rows,).
            return_outputs: whether to give the model's outputs too.
            num_items_in_batch: not used, as in the stock trainer.
        """
        p_good, weight = inputs.pop("p_good", None), inputs.pop("weight", None)
        label = inputs["label"].bool()
        desirable, undesirable = self._certain
        factors, constant = row_weights(label, p_good, weight, desirable=desirable, undesirable=undesirable)
        self.desirable_weight, self.undesirable_weight = factors[label], factors[~label]
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return (found[0] + constant, found[1]) if return_outputs else found + constant

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Leave the card to `train.card`, which knows where the data came from."""


def mismatched(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Give each prompt of a batch the completion of the row before it, the first the last's: KTO's baseline."""
    completions = batch["completion_ids"]
    return {"KL_completion_ids": [completions[-1], *completions[:-1]]}


def train_kto(
    config: KtoConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a policy by KTO. Raises what `train.session.run_training` raises."""

    def build(job: Job) -> SoftKTOTrainer:
        arguments = Arguments(
            **{**job.arguments, "train_sampling_strategy": "sequential"},  # the order was drawn when the rows were made
            beta=config.beta,
            desirable_weight=config.desirable,
            undesirable_weight=config.undesirable,
            precompute_ref_log_probs=config.precompute_reference,
            precompute_ref_batch_size=config.batch_size,
        )
        return SoftKTOTrainer(
            model=job.base.source.location,
            args=arguments,
            train_dataset=job.data.train,
            eval_dataset=job.data.test,
            processing_class=job.base.tokenizer,
            peft_config=job.adapter,
        )

    return run_training(config, build, console=console, resume=resume, command=command)
