"""Trains a policy by online DPO, on TRL's experimental trainer: two answers a prompt, drawn as the policy learns.

TRL dropped its judges after 1.0, and takes a reward for each answer instead; the one with the larger reward is chosen, the first
of a tie. `JudgeRewards` gives it P(this answer is better than the other) of a judge that is asked in both orders. TRL's loss then
knows the order alone: the probability itself, and how sure the judge was, are lost. Where they should count, draw and judge in
rounds (`tenet generate`, then `tenet train dpo`), whose soft labels keep them.

The seams: TRL hands a reward function all prompts and completions of a batch, the first half the first answers and the second half
the second ones to the same prompts; it has no loss on held-out rows. The trainer itself is `train.online_trainer`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

from judges.pairwise import PairwiseJudge
from tenet.console import Console
from train.config import Method, OnlineDpoConfig, TrainConfig
from train.data import PreparedToAnswer, prepare
from train.models import Base
from train.pairjudge import judge_of
from train.preflight import require_reward_model
from train.provenance import origin_of_judge, origin_of_reward_model
from train.rewards import JudgeSource
from train.session import Job, TrainResult, run_training


class JudgeRewards:
    """A reward function for TRL: P(this answer is better than the other one to its prompt), by a judge asked in both orders.

    A pair without an opinion is a tie, counted in `undecided`.
    """

    __name__ = "judge"

    def __init__(self, judge: PairwiseJudge) -> None:
        self.judge = judge
        self._source = JudgeSource(judge)
        self.pairs = 0
        self.undecided = 0

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        """Prefer within pairs.

        Args:
            prompts: (2 * pairs,) texts or conversations, the second half equal to the first.
            completions: (2 * pairs,) texts or lists of one message; the second half answers the prompts of the first.

        Returns:
            (2 * pairs,) probabilities, the two of a pair adding up to 1.
        """
        half = len(prompts) // 2
        texts = [one if isinstance(one, str) else str(one[0]["content"]) for one in completions]
        first = self._source.score(prompts[:half], texts[:half], texts[half:])
        self.pairs += half
        self.undecided += sum(p is None for p in first)
        known = [0.5 if p is None else p for p in first]
        return [*known, *(1.0 - p for p in known)]


def train_online_dpo(
    config: OnlineDpoConfig, *, console: Console | None = None, resume: bool = False, command: str | None = None
) -> TrainResult:
    """Train a policy by online DPO.

    Raises what `train.session.run_training` raises, and JudgeUnfit for a judge that does not answer by label.
    """
    with ExitStack() as held:
        rewards: list[JudgeRewards] = []

        def preparation(_: TrainConfig, base: Base, cache: Path) -> PreparedToAnswer:
            if config.reward is not None:
                require_reward_model(config.reward)
            data = prepare(config, Method.ONLINE_DPO, base.tokenizer, base.tokenizer_hash, cache)
            if config.judge is not None:
                judge = judge_of(config.judge, config.seed)
                held.callback(judge.engine.close)
                rewards.append(JudgeRewards(judge))
                labels = origin_of_judge(judge, config.judge.principles)
            else:
                labels = origin_of_reward_model(config.reward or "")
            return PreparedToAnswer(**{one.name: getattr(data, one.name) for one in fields(data)}, labels=labels)

        def build(job: Job) -> Any:
            from train.online_trainer import Arguments, OnlineTrainer

            loaded = {**(job.arguments["model_init_kwargs"] or {}), "dtype": "float32", "device_map": None}
            arguments = Arguments(
                **{**job.arguments, "max_length": config.max_length, "model_init_kwargs": loaded},
                beta=[config.beta],
                max_new_tokens=config.max_tokens,
                temperature=config.temperature,
                top_p=config.top_p,
                missing_eos_penalty=config.missing_eos_penalty,
            )
            return OnlineTrainer(
                model=job.base.source.location,
                reward_funcs=rewards[0] if rewards else config.reward,
                args=arguments,
                train_dataset=job.data.train,
                processing_class=job.base.tokenizer,
                peft_config=job.adapter,
            )

        return run_training(config, build, console=console, resume=resume, command=command, preparation=preparation)
