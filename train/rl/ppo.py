"""Trains a policy by PPO with a critic, as a thin layer over TRL 1.16's GRPOTrainer, which has no PPO of its own any more.

GRPOTrainer draws the responses, has them rewarded, computes log-probabilities of policy and reference and the clipped ratio; it
takes advantages of shape (rows, T) from subclasses. What makes it PPO is here: the KL in the reward, a critic with generalised
advantage estimation, the critic's clipped loss beside the policy's, and the weight of the KL adapted (`train.rl.maths`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from tenet.errors import UsageError
from train.config import PpoConfig
from train.rl.critic import Critic, make_critic
from train.rl.maths import AdaptiveKl, explained_variance, gae, moments, token_rewards, value_loss, whiten
from train.rl.prompts import prepare_prompts
from train.rl.rollouts import Rollouts
from train.rl.setting import common_arguments, finished, watched_rewards
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console

Batch = dict[str, Any]


class PPOTrainer(Rollouts, GRPOTrainer):  # type: ignore[misc]
    """A GRPOTrainer with a critic.

    Raises:
        UsageError: the model is sharded (FSDP, DeepSpeed).
    """

    _tag_names = ("trl", "ppo")
    _name = "PPO"

    def __init__(self, *args: Any, critic: Critic, config: PpoConfig, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            raise UsageError(
                "PPO cannot shard its models: the critic is a second model, which is placed as a whole on each device",
                hint="train on several devices without FSDP and DeepSpeed, with lora if memory is short; RLOO has no critic",
            )
        self.config = config
        self.beta: float  # TRL's name for the weight of the KL
        self.adapt = None if config.kl_target is None else AdaptiveKl(config.kl_target)
        self._scores = torch.empty(0)
        if self.args.gradient_checkpointing:
            critic.backbone.gradient_checkpointing_enable()
        self.critic = self.accelerator.prepare_model(critic)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Let one optimizer move policy and critic; its state and schedule then resume together."""
        known = self.optimizer is not None
        optimizer = super().create_optimizer(*args, **kwargs)
        if not known:
            weights = [weight for weight in self.critic.parameters() if weight.requires_grad]
            rate = self.config.value_learning_rate or self.args.learning_rate
            optimizer.add_param_group({"params": weights, "lr": rate, "weight_decay": 0.0})
            self._tend(optimizer, weights)
        return optimizer

    def _tend(self, optimizer: Any, weights: list[Tensor]) -> None:
        """Clip the critic's gradient before a step and clear it after: the trainer does both for the policy alone."""

        def clip(*_: Any) -> None:
            if self.args.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(weights, self.args.max_grad_norm)

        def clear(*_: Any) -> None:
            for weight in weights:
                weight.grad = None

        optimizer.register_step_pre_hook(clip)
        optimizer.register_step_post_hook(clear)

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        found: Tensor = super()._calculate_rewards(*args, **kwargs)
        self._scores = found[:, 0]
        return found

    def _generate_and_score_completions(self, inputs: Any) -> Batch:
        """Draw and reward responses (TRL), then form advantages and returns, each (rows, T)."""
        out: Batch = super()._generate_and_score_completions(inputs)
        ids, attention, mask = _whole(out)
        width = mask.size(1)
        if out.get("old_per_token_logps") is None:
            with torch.no_grad():
                logps, _, _ = self._get_per_token_logps_and_entropies(self.model, ids, attention, width)
            out["old_per_token_logps"] = logps
        old: Tensor = out["old_per_token_logps"]
        reference: Tensor = out.get("ref_per_token_logps", old)
        with torch.no_grad():
            values = self.accelerator.unwrap_model(self.critic)(ids, attention, width) * mask
        scores = self._own(self._scores)
        known = torch.isfinite(scores)
        rewards = token_rewards(scores.nan_to_num(0.0), old, reference, mask, self.beta)
        advantages = gae(rewards, values, mask, self.config.gamma, self.config.lam)
        out["old_values"], out["returns"] = values, advantages + values
        out["advantages"] = self._whitened(advantages, mask * known[:, None])
        self._note_rollout(values, out["returns"], mask)
        if self.beta:
            self._note_and_adapt(self.note_kl(old, reference, mask))
        return out

    def _own(self, values: Tensor) -> Tensor:
        """Give this process's rows of what was gathered from all."""
        rows = len(values) // self.accelerator.num_processes
        return values[self.accelerator.process_index * rows :][:rows].to(self.accelerator.device)

    def _whitened(self, advantages: Tensor, mask: Tensor) -> Tensor:
        """Advantages of mean 0 and variance 1 over the rollout, 0 where a response has no reward and teaches nothing."""
        totals = self.accelerator.reduce(moments(advantages, mask), reduction="sum")
        return whiten(advantages, mask, totals)

    def _note_rollout(self, values: Tensor, returns: Tensor, mask: Tensor) -> None:
        shown = mask.sum().clamp(min=1)
        self.note({
            "value/explained_variance": explained_variance(values, returns, mask),
            "value/mean": float((values * mask).sum() / shown),
            "value/returns": float((returns * mask).sum() / shown),
        })  # fmt: skip

    def _note_and_adapt(self, measured: float) -> None:
        self.note({"kl_weight": self.beta})
        if self.adapt is not None and self.model.training:
            self.beta = self.adapt.next(self.beta, measured)

    def _compute_loss(self, model: Any, inputs: Batch) -> Tensor:
        """Add the critic's loss to the policy's; the KL sits in the reward already, so TRL must not add its own."""
        weight, self.beta = self.beta, 0.0
        try:
            loss: Tensor = super()._compute_loss(model, inputs)
        finally:
            self.beta = weight
        ids, attention, mask = _whole(inputs)
        values = self.critic(ids, attention, mask.size(1))
        own, clipped = value_loss(values, inputs["old_values"], inputs["returns"], mask, self.config.value_clip)
        self.note({"value/loss": float(own.detach()), "value/clip_ratio": float(clipped)})
        steps = self.current_gradient_accumulation_steps if self.model.training else 1
        return loss + self.config.value_weight * own / steps

    def state_to_keep(self) -> dict[str, Any]:
        """Keep the weight of the KL, which may have been adapted."""
        return {"kl": self.beta}

    def take_state(self, state: Mapping[str, Any]) -> None:
        """Take up the weight of the KL."""
        self.beta = float(state["kl"])

    def _save_rollout(self, folder: Path) -> None:
        super()._save_rollout(folder)
        if self.accelerator.is_main_process:
            self.accelerator.unwrap_model(self.critic).save(folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        self.accelerator.unwrap_model(self.critic).load(Path(resume_from_checkpoint))


def _whole(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids and attention mask of prompt and response, (rows, length), and the response's mask (rows, T)."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    return ids, attention, batch["completion_mask"]


def train_ppo(
    config: PpoConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a policy by PPO on rewards for its own responses.

    The metrics hold reward, KL and length on held-out prompts. Raises what `train.session.run_training` and
    `train.rl.prompts.prepare_prompts` raise, and UsageError for sharded models and a critic with another vocabulary.
    """

    def build(job: Job) -> PPOTrainer:
        arguments = GRPOConfig(
            **common_arguments(config, job),
            loss_type="bnpo",  # the mean over tokens
            scale_rewards="none",
        )
        critic, _ = make_critic(config, job.base)
        return finished(PPOTrainer(critic=critic, config=config, args=arguments, **watched_rewards(config, job)))

    return run_training(
        config, build, console=console, resume=resume, command=command, preparation=prepare_prompts
    )  # fmt: skip
