"""What must be true of a model and of the machine before a training begins, each with one clear error.

Reads descriptions only: a tokenizer, a config.json, the names of weights, which packages are installed. Loads no weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from engines.loading import find_model, load_config
from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from train.config import Device, RewardConfig, SftConfig, TrainConfig

REPORTERS: Final = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "trackio": ("trackio",),
    "mlflow": ("mlflow",),
}
"""What `report_to` may name, and the packages of which one is needed."""

_CLASSIFIES: Final = "ForSequenceClassification"
_TENSORBOARD: Final = "TENSORBOARD_LOGGING_DIR"


def check_machine(config: TrainConfig) -> None:
    """Refuse what this machine cannot do: reports, quantised weights, joined sequences.

    Raises:
        MissingInput: a package is not installed.
        UsageError: a reporter that is not known, or a GPU is needed and there is none.
    """
    _check_reporters(config)
    if config.lora is not None and config.lora.quantise is not None:
        what = f"lora.quantise: {config.lora.quantise}"
        _require_gpu(config, what, "leave it out: plain LoRA trains on any machine")
        _require_package("bitsandbytes", what, "or leave it out: plain LoRA needs no more than peft")
    if isinstance(config, SftConfig) and (config.packing or config.padding_free):
        what = "packing" if config.packing else "padding_free"
        why = "without FlashAttention, demonstrations that share a sequence would see each other or be masked at quadratic cost"
        _require_gpu(config, what, f"leave it out; {why}")
        _require_package("flash_attn", what, f"or leave it out; {why}", install="flash-attn --no-build-isolation")


def _check_reporters(config: TrainConfig) -> None:
    for name in config.report_to:
        if name not in REPORTERS:
            raise UsageError(f"report_to: {name} is not known", hint=f"known: {', '.join(REPORTERS)}")
        if not any(_there(package) for package in REPORTERS[name]):
            raise MissingInput(
                f"report_to: {name} is not installed",
                hint=f"pip install {REPORTERS[name][0]}; or leave it out: metrics.jsonl has every number",
            )


@contextmanager
def reports_kept(folder: Path, config: TrainConfig) -> Iterator[None]:
    """Have TensorBoard's files written into `folder/tensorboard`, not beside the checkpoints, which go in the end."""
    if "tensorboard" not in config.report_to or _TENSORBOARD in os.environ:
        yield
        return
    os.environ[_TENSORBOARD] = str(folder / "tensorboard")
    try:
        yield
    finally:
        del os.environ[_TENSORBOARD]


def require_tokens(tokenizer: Any, config: TrainConfig) -> None:
    """See that a tokenizer can end and pad; set `config.pad_token` where it names none.

    Raises:
        UsageError: there is no eos_token or no pad_token, or `config.pad_token` is not in the vocabulary.
    """
    if tokenizer.eos_token is None:
        raise UsageError(
            f"{config.model}: its tokenizer names no eos_token, so no answer could learn to end",
            hint="set eos_token in its tokenizer_config.json",
        )
    if config.pad_token is not None:
        if config.pad_token not in tokenizer.get_vocab():
            raise UsageError(
                f"pad_token: {config.pad_token!r} is not in the vocabulary of {config.model}",
                hint=f"tokens made for such uses: {', '.join(_special(tokenizer)) or 'none'}",
            )
        tokenizer.pad_token = config.pad_token
    if tokenizer.pad_token is None:
        free = [token for token in _special(tokenizer) if token != tokenizer.eos_token]
        known = f"; unused ones may be: {', '.join(free[:5])}" if free else ""
        raise UsageError(
            f"{config.model}: its tokenizer names no pad_token to fill batches with",
            hint=f"--set pad_token='{(free or [tokenizer.eos_token])[0]}' (a token that no answer contains{known})",
        )


def require_kind(described: Any, config: TrainConfig) -> None:
    """See that a model is of the kind that the method trains.

    Args:
        described: the model's configuration (transformers).
        config: of the training.

    Raises:
        UsageError: a classifier of several labels for a reward model, or a classifier where a policy is needed.
    """
    classifies = any(name.endswith(_CLASSIFIES) for name in described.architectures or ())
    if not classifies:
        return
    if not isinstance(config, RewardConfig):
        raise UsageError(
            f"{config.model}: a classifier or reward model, which writes no text",
            hint="give the policy that is to be trained (a ...ForCausalLM)",
        )
    if described.num_labels != 1:
        raise UsageError(
            f"{config.model}: a classifier of {described.num_labels} labels; a reward model has one score",
            hint="begin with the language model that it was made from, or with a reward model of one label",
        )


def require_reward_model(model: str) -> None:
    """See that a model can give rewards: a classifier with one score.

    Raises:
        MissingInput, InvalidInput: there is no such model, or it is an adapter without its head.
        UsageError: it is no classifier, or one of several labels.
    """
    require_score_head(Path(model).expanduser())
    described = load_config(find_model(model))
    if not any(name.endswith(_CLASSIFIES) for name in described.architectures or ()):
        raise UsageError(
            f"{model}: no reward model ({', '.join(described.architectures or ()) or 'no architecture named'})",
            hint="train one: tenet train reward --model MODEL --data DATA",
        )
    if described.num_labels != 1:
        raise UsageError(f"{model}: a classifier of {described.num_labels} labels; a reward model has one score")


def require_score_head(folder: Path) -> None:
    """Refuse an adapter of a reward model that was saved without its head: merged, it would score at random.

    Raises:
        InvalidInput: `folder` is such an adapter. Any other folder passes.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        return
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{folder}: an adapter that cannot be read", [Problem(str(error), file)]) from error
    if said.get("task_type") != "SEQ_CLS" or _has_head(folder):
        return
    cure = 'train it again with modules_to_save=["score"] (tenet train reward --set lora.rank=16 does so)'
    raise InvalidInput(
        f"{folder}: a reward model's adapter without its head",
        [Problem("no score among its weights, so a random one would take its place", file, hint=cure)],
    )


def _has_head(folder: Path) -> bool:
    from safetensors import safe_open

    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="np") as weights:
            if any("score" in name.split(".") for name in weights.keys()):  # noqa: SIM118 - not a mapping
                return True
    return False


def _special(tokenizer: Any) -> list[str]:
    return [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]


def _require_gpu(config: TrainConfig, what: str, cure: str) -> None:
    import torch

    if config.device is Device.CPU or not torch.accelerator.is_available():
        raise UsageError(f"{what} needs a GPU, and this training runs on the CPU", hint=cure)


def _require_package(name: str, what: str, cure: str, *, install: str = "") -> None:
    if not _there(name):
        raise MissingInput(
            f"{what} needs the package {name}, which is not installed", hint=f"pip install {install or name}; {cure}"
        )


def _there(package: str) -> bool:
    return find_spec(package) is not None
