"""Small real models and data sets for the tests of training."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.train.world import MARKED

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def marked_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a chat template that marks what the assistant says."""
    folder = tmp_path_factory.mktemp("models") / "marked"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(MARKED, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def bare_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without any chat template."""
    folder = tmp_path_factory.mktemp("models") / "bare"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink()
    return folder
