"""The examples of blends: each is read as it stands, explains every key, and together they show every key and strategy."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from generate.blend.config import BlendConfig, Strategy
from tenet.config import load_config

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("blend-*.yaml"))


def test_there_is_one_for_each_strategy() -> None:
    assert {path.stem.removeprefix("blend-") for path in EXAMPLES} == set(get_args(Strategy))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_read_and_explains_itself(path: Path) -> None:
    config = load_config(path, BlendConfig)
    assert config.strategy == path.stem.removeprefix("blend-")
    lines = path.read_text().splitlines()
    assert f"examples/{path.name}" in "\n".join(lines), "how to use it"
    explained = {line.partition(":")[0].strip(" -") for line in lines if "#" in line and not line.startswith("#")}
    keys = {line.partition(":")[0] for line in lines if line[:1].isalpha()}
    assert keys - {"strategy"} <= explained


def test_every_key_is_shown_somewhere() -> None:
    lines = [line.removeprefix("# ") for path in EXAMPLES for line in path.read_text().splitlines()]
    assert {one.name for one in fields(BlendConfig)} <= {line.partition(":")[0] for line in lines}
