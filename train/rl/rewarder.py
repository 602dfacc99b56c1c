"""What a trainer is given as its reward function: a source's scores, less a price for not ending, watched beside another measure.

Knows TRL's convention for reward functions and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from tenet.errors import TooManyFailures
from train.rewards import RewardSource
from train.rows import Text

MAX_UNSCORED: Final = 0.5
"""Largest share of a rollout without a reward; such responses teach nothing."""


class Rewarder:
    """A reward function of TRL. `eos` are the tokens that end a response; the trainer's are put here when it is made.

    Raises (when called):
        TooManyFailures: more than half of the responses got no score.
    """

    def __init__(
        self, source: RewardSource, *, missing_eos_penalty: float = 0.0, watch: RewardSource | None = None
    ) -> None:
        self.eos: frozenset[int] = frozenset()
        self._source = source
        self._penalty = missing_eos_penalty
        self._watch = watch

    @property
    def __name__(self) -> str:
        return self._source.name

    def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None] | None = None, **columns: Any,
    ) -> list[float | None]:  # fmt: skip
        """Score each completion; None where the source can say nothing."""
        scores = self._source(prompts, completions, **columns)
        unscored = sum(score is None for score in scores)
        if unscored > MAX_UNSCORED * len(scores):
            raise TooManyFailures(
                f"{self._source.name}: {unscored:,} of {len(scores):,} responses got no reward",
                hint="responses too long for the reward model, or a judge that answers without a label or has no principle that applies",
            )
        if log_metric is not None:
            log_metric("unscored", unscored / len(scores))
            self._note_watched(prompts, completions, log_metric)
        ended = [bool(ids) and ids[-1] in self.eos for ids in completion_ids]
        return [
            score if score is None or done else score - self._penalty
            for score, done in zip(scores, ended, strict=True)
        ]  # fmt: skip

    def _note_watched(
        self, prompts: Sequence[Text], completions: Sequence[Text], log_metric: Callable[[str, float], None]
    ) -> None:
        if self._watch is None:
            return
        values = [value for value in self._watch(prompts, completions) if value is not None]
        if values:
            log_metric(f"watch/{self._watch.name}", sum(values) / len(values))
