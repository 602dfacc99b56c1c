"""The checkpoints of a training as models that an engine loads. Knows folders and adapters, no measuring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenet.errors import MissingInput
from train.folder import read_record


@dataclass(frozen=True)
class Checkpoint:
    """A state of a training after so many steps."""

    name: str
    step: int
    path: Path


def checkpoints_of(folder: Path, most: int) -> list[Checkpoint]:
    """The checkpoints of a training folder (or of a folder of checkpoint-N) by step, with the finished model at the end.

    Args:
        folder: what a training wrote.
        most: take so many at most, evenly spaced, the first and the last among them.

    Raises:
        MissingInput: there are none.
        InvalidInput: its train.json does not read back.
    """
    places = [*folder.glob("checkpoints/checkpoint-*"), *folder.glob("checkpoint-*")]
    steps = {place.name.rpartition("-")[2]: place for place in places if _weights(place)}
    found = [Checkpoint(place.name, int(step), place) for step, place in steps.items() if step.isdigit()]
    found.sort(key=lambda one: one.step)
    record = read_record(folder) or {}
    last = (record.get("result") or {}).get("steps")
    if isinstance(last, int) and _weights(folder) and (not found or last > found[-1].step):
        found.append(Checkpoint(f"finished ({last})", last, folder))
    if not found:
        raise MissingInput(
            f"{folder}: no checkpoints in it",
            hint="train with --set save_every=STEPS --set keep_checkpoints=50, which keeps them in FOLDER/checkpoints",
        )
    if len(found) <= most:
        return found
    return [found[round(place * (len(found) - 1) / (most - 1))] for place in range(most)]


def loadable(checkpoint: Checkpoint, base: str, scratch: Path) -> str:
    """The folder of a model that engines load: the checkpoint's own, or for an adapter one merged with the base in `scratch`.

    Raises:
        MissingInput: base or adapter cannot be loaded.
    """
    path = checkpoint.path
    adapter = (path / "adapter_config.json").is_file() and not (path / "config.json").is_file()
    if not adapter and any(path.glob("tokenizer*.json")):
        return str(path)
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from engines.loading import find_model, hub_errors, load_tokenizer, quiet

    source = find_model(base)
    held = find_model(str(path)) if not adapter else source
    out = scratch / checkpoint.path.name
    with quiet(), hub_errors(checkpoint.name):
        model: Any = AutoModelForCausalLM.from_pretrained(
            held.location, dtype=torch.float32, use_safetensors=True, **held.loader_kwargs
        )
        if adapter:
            model = PeftModel.from_pretrained(model, str(path)).merge_and_unload()
        model.save_pretrained(out)
    tokenizer: Any = load_tokenizer(source)
    tokenizer.save_pretrained(out)
    return str(out)


def _weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))
