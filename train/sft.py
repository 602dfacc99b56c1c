"""Fine-tunes a model on demonstrations, on TRL's SFTTrainer.

Rows come tokenised with their labels (`train.tokenise`), which TRL takes as they are: where the chat template marks
what the assistant says, that is learnt, else the completion. A plain text is learnt as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trl import SFTConfig as Arguments
from trl import SFTTrainer

from train.config import SftConfig
from train.sampler import ByLength
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console


class Trainer(ByLength, SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer with rows of like length in a batch, which leaves the model card to `train.card`."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""


def joined(config: SftConfig) -> dict[str, Any]:
    """Give TRL's arguments for sequences that hold several demonstrations.

    Packing (best fit, no demonstration cut) needs the length to fill, and takes the column `length` away that batches are
    sorted by.
    """
    if config.packing:
        return {"packing": True, "max_length": config.max_length, "train_sampling_strategy": "random"}
    return {"padding_free": True} if config.padding_free else {}


def train_sft(
    config: SftConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Fine-tune a model on demonstrations. Raises what `train.session.run_training` raises."""

    def build(job: Job) -> Trainer:
        return Trainer(
            model=job.base.source.location,
            args=Arguments(**{**job.arguments, **joined(config)}),
            train_dataset=job.data.train,
            eval_dataset=job.data.test,
            processing_class=job.base.tokenizer,
            peft_config=job.adapter,
        )

    return run_training(config, build, console=console, resume=resume, command=command)
