"""TRL's arguments for trainings on rewards, from a configuration. Knows no loss."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from tenet.errors import UsageError
from train.config import RlConfig
from train.rl.prompts import PreparedPrompts
from train.rl.rewarder import Rewarder
from train.rl.sources import function_source
from train.session import Job

T = TypeVar("T")

_NOT_THEIRS: Final = ("max_length", "train_sampling_strategy")


def common_arguments(config: RlConfig, job: Job) -> dict[str, Any]:
    """Give the keyword arguments that GRPOConfig and RLOOConfig have in common.

    Raises:
        UsageError: vLLM is asked for on a CPU, where it cannot take over the weights of a training.
    """
    given = {key: value for key, value in job.arguments.items() if key not in _NOT_THEIRS}
    if config.use_vllm and given["use_cpu"]:
        raise UsageError(
            "use_vllm: vLLM on a CPU cannot take over the weights of a training", hint="--set use_vllm=false"
        )
    vllm = {
        "use_vllm": True, "vllm_mode": "colocate", "vllm_gpu_memory_utilization": config.vllm_memory,
        "vllm_max_model_length": config.max_length,
    }  # fmt: skip
    return {
        **given,
        "steps_per_generation": config.rollout // config.batch_size,
        "num_iterations": config.passes,
        "num_generations": config.samples,
        "num_generations_eval": 1,
        "max_completion_length": config.max_tokens,
        "temperature": config.temperature,
        "top_p": 1.0,
        "top_k": 0,
        "beta": config.kl,
        "epsilon": config.clip,
        "disable_dropout": True,
        **(vllm if config.use_vllm else {}),
    }


def watched_rewards(config: RlConfig, job: Job) -> dict[str, Any]:
    """Give the trainer's arguments that are no settings: model, data and reward function."""
    data = job.data
    assert isinstance(data, PreparedPrompts)
    watch = function_source(config.watch) if config.watch else None
    return {
        "model": job.base.source.location,
        "reward_funcs": [Rewarder(data.rewards, missing_eos_penalty=config.missing_eos_penalty, watch=watch)],
        "train_dataset": data.train,
        "eval_dataset": data.test,
        "processing_class": job.base.tokenizer,
        "peft_config": job.adapter,
        "chat": data.chat,
    }


def finished(trainer: T) -> T:
    """Tell the reward function which tokens end a response, which is known once the trainer is made."""
    made: Any = trainer
    for reward in made.reward_funcs:
        reward.eos = frozenset(made.eos_token_ids)
    return trainer
