"""What a run takes from the Hugging Face Hub: its policies, its judges, its data set of prompts. Knows the run's configuration, no hub."""

from __future__ import annotations

from collections.abc import Iterator

from tenet.hub import HubId, dataset_id, model_id, unique
from tenet.judgeconfig import JudgeConfig
from tenet.runconfig import PolicyConfig, RunConfig


def hub_ids(config: RunConfig) -> list[HubId]:
    """What a run takes from the hub, each once: what is no folder here, and looks like an id."""
    return unique(_named(config))


def _named(config: RunConfig) -> Iterator[HubId]:
    if config.prompts is not None and config.samples is None:
        yield from dataset_id(config.prompts.dataset, "prompts.dataset")
    asked: list[tuple[str, PolicyConfig | JudgeConfig]] = [("policy.model", one) for one in config.policies]
    for key, one in [*asked, *(("judge.model", one) for one in config.judge.asked)]:
        yield from model_id(one.model, key, engine=one.engine, options=one.options)
