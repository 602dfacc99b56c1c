"""TRL's experimental OnlineDPOTrainer as `train.online_dpo` needs it. Alone in its module, for its import brings in vLLM too."""

from __future__ import annotations

from typing import Any

from trl.experimental.online_dpo import OnlineDPOConfig as Arguments
from trl.experimental.online_dpo import OnlineDPOTrainer

from train.online_dpo import JudgeRewards
from train.sampler import ByLength

__all__ = ["Arguments", "OnlineTrainer"]


class OnlineTrainer(ByLength, OnlineDPOTrainer):  # type: ignore[misc]
    """An OnlineDPOTrainer that logs how often the judge had no opinion, and leaves the model card to `train.card`."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log with `judge/undecided`, the share of the pairs since the last line that were ties for want of an opinion."""
        rewards = self.reward_funcs[0]
        if isinstance(rewards, JudgeRewards) and rewards.pairs:
            logs["judge/undecided"] = rewards.undecided / rewards.pairs
            rewards.pairs = rewards.undecided = 0
        super().log(logs, start_time)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write nothing."""
