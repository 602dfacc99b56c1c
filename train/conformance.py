"""What every trainer promises, tried with one step on a small model. Knows no trainer."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from tenet.config import as_json, make_config
from tenet.console import Console
from tenet.errors import TenetError
from tenet.ids import Json
from train.plugin import trainer_named


def complaints(name: str, *, model: str, data: str, folder: Path) -> Iterator[str]:
    """Everything in which the trainer `name` does not keep its promises with a model, a data set and a new folder.

    Raises:
        PluginBroken, UsageError: the trainer cannot be had.
    """
    trainer = trainer_named(name)
    if trainer is None:
        yield "no plug-in claims this name"
        return
    if not trainer.summary.strip():
        yield "its summary is empty"
    given: dict[str, Json] = {"model": model, "data": data, "out": str(folder), "max_steps": 1, "device": "cpu"}
    config = make_config(given, trainer.config)
    if make_config(as_json(config), trainer.config) != config:
        yield "its configuration does not read back from its own values"
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(quiet=True, out=StringIO(), err=nowhere)
        try:
            result = trainer.train(config, console=console)
            again = trainer.train(config, console=console, resume=True)
        except TenetError as error:
            yield f"one step fails: {error}"
            return
    if result.steps != 1 or not math.isfinite(result.metrics.get("train_loss", math.nan)):
        yield f"one step was {result.steps} steps, with a mean loss of {result.metrics.get('train_loss')}"
    if not (result.folder / "config.json").is_file() or not any(result.folder.glob("*.safetensors")):
        yield f"{result.folder} holds no model"
    if again.steps != result.steps:
        yield "a finished training that is gone on with is trained once more"
