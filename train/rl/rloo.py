"""Trains a policy by RLOO, on TRL's RLOOTrainer as it is: the neighbour of PPO without a critic.

The advantage of a response is its reward less the mean reward of the prompt's other responses (Ahmadian et al. 2024,
arXiv:2402.14740), with the KL in the reward. What is added is what PPO has too: see `train.rl.rollouts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor
from trl import RLOOConfig, RLOOTrainer

from train.config import RlooConfig
from train.rl.prompts import prepare_prompts
from train.rl.rollouts import Rollouts
from train.rl.setting import common_arguments, finished, watched_rewards
from train.session import Job, TrainResult, run_training

if TYPE_CHECKING:
    from tenet.console import Console


class ObservedRLOOTrainer(Rollouts, RLOOTrainer):  # type: ignore[misc]
    """An RLOOTrainer that notes the KL of whole responses beside TRL's mean over tokens (`kl`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._read: list[Tensor] | None = None
        super().__init__(*args, **kwargs)

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._read is not None:
            self._read.append(found[0])
        return found

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self._read = []
        out: dict[str, Any] = super()._generate_and_score_completions(inputs)
        read, self._read = self._read, None
        if self.beta and len(read) == 2:  # the policy's, then the reference's
            self.note_kl(read[0], read[1], out["completion_mask"])
        return out


def train_rloo(
    config: RlooConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a policy by RLOO on rewards for its own responses.

    The metrics hold reward, KL and length on held-out prompts. Raises what `train.session.run_training` and
    `train.rl.prompts.prepare_prompts` raise.
    """

    def build(job: Job) -> ObservedRLOOTrainer:
        arguments = RLOOConfig(**common_arguments(config, job), normalize_advantages=True)
        return finished(ObservedRLOOTrainer(args=arguments, **watched_rewards(config, job)))

    return run_training(
        config, build, console=console, resume=resume, command=command, preparation=prepare_prompts
    )  # fmt: skip
