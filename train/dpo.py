"""Trains a policy by DPO on soft labels, on TRL's DPOTrainer.

The seams: the public `compute_loss` is replaced as a whole, with TRL's own reference (`compute_ref_log_probs`, or the
columns that `precompute_ref_log_probs` adds) and TRL's forward that gives log-probabilities (`fused_lm_head`);
`_prepare_dataset` lets rows through that are tokenised already. With p = 1 and weight 1 each loss is TRL's own of that
name, to the last bit by TRL's head, and to float32 rounding by the plain logits that are faster on a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch
from accelerate.utils import is_peft_model
from torch import Tensor
from trl import DPOConfig as Arguments
from trl import DPOTrainer

from tenet.errors import UsageError
from train.calibration import Link
from train.config import DpoConfig, PairLoss
from train.losses import (
    dpo_gap,
    length_averaged_gap,
    sequence_logps,
    soft_hinge_loss,
    soft_ipo_loss,
    soft_preference_loss,
    token_logps,
    weighted_mean,
)
from train.pairs import Batch, PairTrainer, taken_labels
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console

_IGNORED: Final = -100
_LOGITS_BYTES: Final = 256 * 2**20
_LINKS: Final = {PairLoss.SIGMOID: Link.LOGISTIC, PairLoss.IPO: Link.LINEAR, PairLoss.HINGE: Link.NONE}


class SoftDPOTrainer(PairTrainer, DPOTrainer):  # type: ignore[misc]
    """A DPOTrainer that reads the columns `p_chosen` and `weight` if the data has them, with one loss of `PairLoss`.

    Raises:
        ValueError: the arguments ask for another loss, divergence or weighting, or for label smoothing.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plain = self.loss_weights == [1.0] and self.f_divergence_type == "reverse_kl" and self.ld_alpha is None
        if not plain or self.use_weighting or self.loss_types[0] not in set(PairLoss):
            raise ValueError(f"soft labels go with one plain loss of {', '.join(PairLoss)}, not {self.loss_types}")
        if self.label_smoothing:
            raise ValueError(f"for a label smoothing of {self.label_smoothing} write 1 minus that into p_chosen")
        self.loss = PairLoss(self.loss_types[0])
        self.link = _LINKS[self.loss]

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if "prompt_ids" in dataset.column_names:
            return dataset
        return super()._prepare_dataset(dataset, processing_class, args, dataset_name)

    def compute_loss(
        self,
        model: Any,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002 - the trainer's signature
    ) -> Tensor | tuple[Tensor, Any]:
        """Form the loss of a batch of pairs.

        Args:
            model: the policy.
            inputs: `input_ids`, `attention_mask` and `completion_mask`, each (2 * rows, length), all chosen first;
                labels (rows,); with precomputed references `ref_chosen_logps` and `ref_rejected_logps` (rows,).
            return_outputs: whether to give the model's outputs too.
            num_items_in_batch: not used, as in the stock trainer.
        """
        p, weight = taken_labels(inputs)
        outputs, logps = self._policy(model, inputs)
        reference = self._reference(inputs)
        gap = dpo_gap(logps, reference, self.beta)
        self._note_rewards(logps, reference, gap)
        if self.loss is PairLoss.IPO:
            averaged = length_averaged_gap(logps, reference, inputs["completion_mask"])
            losses, gap = soft_ipo_loss(averaged, p, self.beta), self.beta * averaged
        else:
            losses = (soft_hinge_loss if self.loss is PairLoss.HINGE else soft_preference_loss)(gap, p)
        self.observe(gap, p, weight)
        loss = weighted_mean(losses, weight)
        if self.aux_loss_enabled:  # a mixture of experts keeps its balance
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        return (loss, outputs) if return_outputs else loss

    def compute_ref_log_probs(self, model: Any, inputs: Batch) -> tuple[Tensor, Tensor]:
        """Give the reference's log-probabilities of the chosen and of the rejected completions, (rows,) each."""
        if is_peft_model(self.model) or not self._small(model, inputs):
            found: tuple[Tensor, Tensor] = super().compute_ref_log_probs(model, inputs)
            return found
        with torch.no_grad():
            chosen, rejected = self._by_logits(model, inputs)[1].chunk(2)
        return chosen, rejected

    def _policy(self, model: Any, inputs: Batch) -> tuple[Any, Tensor]:
        """Log-probability of each completion by the policy, (2 * rows,), with the model's outputs."""
        if self._small(model, inputs):
            return self._by_logits(model, inputs)
        ids, mask = inputs["input_ids"], inputs["completion_mask"]
        labels = ids.masked_fill(mask == 0, _IGNORED)
        outputs = model(**self._model_inputs(inputs), labels=labels, fused_lm_head=True)
        return outputs, sequence_logps(outputs.log_probs, mask)

    def _by_logits(self, model: Any, inputs: Batch) -> tuple[Any, Tensor]:
        """As `_policy`, by plain logits of the places that predict a completion."""
        ids, mask = inputs["input_ids"], inputs["completion_mask"]
        first = int(mask.argmax(dim=1).min())
        outputs = model(**self._model_inputs(inputs), logits_to_keep=ids.size(1) - first + 1)
        return outputs, sequence_logps(token_logps(outputs.logits, ids[:, first - 1 :]), mask[:, first - 1 :])

    def _small(self, model: Any, inputs: Batch) -> bool:
        """Whether plain logits fit: on a CPU they take about half the time of TRL's fused head."""
        ids, mask = inputs["input_ids"], inputs["completion_mask"]
        first = int(mask.argmax(dim=1).min())
        places = ids[:, first:].numel()
        vocabulary = self.accelerator.unwrap_model(model).config.get_text_config().vocab_size
        return ids.device.type == "cpu" and first > 0 and 4 * places * vocabulary <= _LOGITS_BYTES

    def _model_inputs(self, inputs: Batch) -> dict[str, Any]:
        kwargs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        routed = {"output_router_logits": True} if self.aux_loss_enabled else {}
        return {**kwargs, "use_cache": False, **routed}

    def _reference(self, inputs: Batch) -> Tensor:
        """Log-probability of each completion by the reference, (2 * rows,), without gradient."""
        if self.precompute_ref_logps:
            return torch.cat([inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]])
        return torch.cat(list(self.compute_ref_log_probs(self.ref_model or self.model, inputs)))

    def _note_rewards(self, logps: Tensor, reference: Tensor, gap: Tensor) -> None:
        chosen, rejected = (self.beta * (logps - reference)).detach().chunk(2)
        chosen_logps, rejected_logps = logps.detach().chunk(2)
        self.note({
            "rewards/chosen": chosen.mean(),
            "rewards/rejected": rejected.mean(),
            "rewards/margins": gap.mean(),
            "rewards/accuracies": (gap > 0).float().mean(),
            "logps/chosen": chosen_logps.mean(),
            "logps/rejected": rejected_logps.mean(),
        })  # fmt: skip


def train_dpo(
    config: DpoConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a policy by DPO.

    The metrics hold accuracy and calibration of the implicit reward on held-out pairs. Raises what
    `train.session.run_training` raises, and UsageError for a reference with another vocabulary.
    """

    def build(job: Job) -> SoftDPOTrainer:
        arguments = Arguments(
            **job.arguments,
            loss_type=config.loss.value,
            beta=config.beta,
            precompute_ref_log_probs=config.precompute_reference,
            precompute_ref_batch_size=2 * config.batch_size,
        )
        return SoftDPOTrainer(
            model=job.base.source.location,
            ref_model=_reference_model(config, job),
            args=arguments,
            train_dataset=job.data.train,
            eval_dataset=job.data.test,
            processing_class=job.base.tokenizer,
            peft_config=job.adapter,
        )

    return run_training(config, build, console=console, resume=resume, command=command)


def _reference_model(config: DpoConfig, job: Job) -> Any:
    """Load another model to stay near to; None where the reference is the model itself, before training."""
    if config.reference is None:
        return None
    from transformers import AutoModelForCausalLM

    from engines.loading import find_model, hub_errors, load_tokenizer

    source = find_model(config.reference, trust_remote_code=config.trust_remote_code)
    if load_tokenizer(source).get_vocab() != job.base.tokenizer.get_vocab():
        raise UsageError(
            f"reference: {config.reference} has another vocabulary than {config.model}",
            hint="take a reference of the same family, or leave it out",
        )
    with hub_errors(source.name):
        return AutoModelForCausalLM.from_pretrained(
            source.location, dtype=torch.float32, use_safetensors=True, **source.loader_kwargs
        )
