"""What trainings and evaluations take from the Hugging Face Hub: models, judges, data. Knows their configurations, no hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tenet.hub import HubId, dataset_id, model_id, unique
from train.config import TrainConfig
from train.judged import JudgedBy, JudgeReward
from train.measures.model import EvaluateConfig
from train.sources import is_data_file


def training_ids(config: TrainConfig) -> list[HubId]:
    """What a training takes from the hub, each once: what is no folder here, and looks like an id."""
    return unique(_of_training(config))


def evaluation_ids(config: EvaluateConfig) -> list[HubId]:
    """What an evaluation takes from the hub, each once: what is no folder here, and looks like an id."""
    return unique(_of_evaluation(config))


def _of_training(config: TrainConfig) -> Iterator[HubId]:
    yield from model_id(config.model, "model", revision=config.revision)
    if not is_data_file(Path(config.data)):
        yield from dataset_id(config.data, "data")
    for key in ("reference", "reward", "critic"):  # each method has some of them
        yield from model_id(getattr(config, key, None), key)
    yield from _of_judge(getattr(config, "judge", None))


def _of_evaluation(config: EvaluateConfig) -> Iterator[HubId]:
    for key in ("base", "trained"):
        yield from model_id(getattr(config, key), key, engine=config.engine, options=config.options)
    yield from _of_judge(config.judge)


def _of_judge(judge: JudgedBy | JudgeReward | None) -> Iterator[HubId]:
    if judge is not None:
        yield from model_id(judge.model, "judge.model", engine=judge.engine, options=judge.options)
