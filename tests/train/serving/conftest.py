"""A tiny reward model with a random head, and services over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from train.serving.server import Service
from train.serving.setup import Knobs, reward_service


@pytest.fixture(scope="session")
def reward_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("served") / "rewards"
    torch.manual_seed(1)
    AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def rewarding(reward_model: Path) -> Service:
    return reward_service(str(reward_model), Knobs(batch=8))
