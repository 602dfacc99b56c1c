"""The critic of PPO: a model with one output at every token, which foretells the reward to come. Knows no loss and no trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from engines.loading import find_model, hub_errors, load_config, load_tokenizer, quiet
from tenet.errors import UsageError
from train.rewards import load_scorer

if TYPE_CHECKING:
    from train.config import PpoConfig
    from train.models import Base

WEIGHTS: Final = "critic.safetensors"


class Critic(nn.Module):
    """A transformer and a head of one output, taken from a sequence classifier of transformers."""

    def __init__(self, scorer: Any) -> None:
        super().__init__()
        if not hasattr(scorer, "score"):
            raise UsageError(
                f"{type(scorer).__name__} has no head that a critic could use", hint="name another `critic`"
            )
        self.backbone = getattr(scorer, scorer.base_model_prefix)
        self.head = scorer.score
        for part in self.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0  # values of the rollout and of the update must differ by what was learnt alone

    def forward(self, ids: Tensor, mask: Tensor, keep: int) -> Tensor:
        """Give V(s_t) (rows, keep) of the state in which each of the last `keep` tokens was chosen: read one place before it.

        Args:
            ids: (rows, length).
            mask: (rows, length), 0 on padding.
            keep: tokens of the response.
        """
        hidden = self.backbone(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        values: Tensor = self.head(hidden[:, -keep - 1 : -1]).squeeze(-1).float()
        return values

    def save(self, folder: Path) -> None:
        """Write the weights into a checkpoint."""
        from safetensors.torch import save_model

        save_model(self, str(folder / WEIGHTS))

    def load(self, folder: Path) -> None:
        """Read the weights from a checkpoint."""
        from safetensors.torch import load_model

        load_model(self, folder / WEIGHTS)


def make_critic(config: PpoConfig, base: Base) -> tuple[Critic, str]:
    """Make the critic of a training, and say what it begins as.

    It is `critic` if that is named, else the reward model, else the policy with a head of zeros, that foretells nothing yet. A
    reward model with another vocabulary than the policy cannot be the critic.

    Raises:
        MissingInput: the model named as the critic is not there.
        UsageError: it has another vocabulary than the policy.
    """
    named = config.critic or config.reward
    if named is None:
        return _fresh(base), f"{base.source.name}, with a new head"
    source = find_model(named, trust_remote_code=config.trust_remote_code)
    if load_tokenizer(source).get_vocab() != base.tokenizer.get_vocab():
        if config.critic is not None:
            raise UsageError(
                f"critic: {named} has another vocabulary than {config.model}", hint="take a critic of the same family"
            )
        return _fresh(base), f"{base.source.name}, with a new head (the reward model has another vocabulary)"
    if load_config(source).num_labels != 1:
        return _from(source, base), f"{source.name}, with a new head"
    return Critic(load_scorer(source, pad=base.tokenizer.pad_token_id, dtype=torch.float32)), source.name


def _fresh(base: Base) -> Critic:
    return _from(base.source, base)


def _from(source: Any, base: Base) -> Critic:
    from transformers import AutoModelForSequenceClassification

    with quiet(), hub_errors(source.name):
        model = AutoModelForSequenceClassification.from_pretrained(
            source.location, num_labels=1, dtype=torch.float32, use_safetensors=True, **source.loader_kwargs
        )
    model.config.get_text_config().pad_token_id = base.tokenizer.pad_token_id
    critic = Critic(model)
    nn.init.zeros_(critic.head.weight)
    return critic
