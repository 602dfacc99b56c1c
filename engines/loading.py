"""Finds a model's files, says which version they are, and loads its tokenizer; all failures in words that a person can act on.

Knows no engine. The revision of a model in a folder is a digest of its contents, so that weights trained anew under an old name are
another model. Large weight files are sampled (see `folder_revision`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engines.codec import TokenizerLike
from tenet.bundled import model_folder
from tenet.errors import MissingInput
from tenet.ids import Json

_WHOLE: Final = 64 * 2**20
_BLOCK: Final = 2**20
_BLOCKS: Final = 16
_DESCRIBES: Final = ("config.json", "generation_config.json")
_SAVE: Final = "give the folder that `save_pretrained` wrote: config.json, tokenizer.json and *.safetensors"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from: `location` is what loaders take (a folder or a Hub id), `name` what people call it.

    `revision` is the version that was found (a commit, or a folder's digest); `asked` the one that was asked for, if any.
    """

    location: str
    name: str
    revision: str
    asked: str | None = None
    trust_remote_code: bool = False

    @property
    def loader_kwargs(self) -> dict[str, Any]:
        """What every `from_pretrained` gets."""
        pinned = {"revision": self.asked} if self.asked else {}
        return {"trust_remote_code": self.trust_remote_code, **pinned}


def find_model(model: str, *, revision: str | None = None, trust_remote_code: bool = False) -> ModelSource:
    """Look up a model: a folder if there is one of this name, a bundled model, else a Hub id.

    Raises:
        MissingInput: neither; or a folder without config.json or without safetensors weights.
    """
    folder = model_folder(model)
    if model.strip() and folder.is_dir():
        _check_folder(folder)
        name = folder.resolve().name
        return ModelSource(str(folder), name, folder_revision(folder), trust_remote_code=trust_remote_code)
    if folder.is_file():
        raise MissingInput(f"{model}: a file, where a model's folder is needed", hint=_SAVE)
    if model.startswith((".", "/", "~")) or model.count("/") > 1 or {"\\", ":"} & set(model) or not model.strip():
        raise MissingInput(f"{model or 'model'}: there is no such folder", hint=_SAVE)
    return ModelSource(model, model, _hub_revision(model, revision), revision, trust_remote_code)


def _check_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        if "adapter_config.json" in names:
            raise MissingInput(
                f"{folder}: an adapter (adapter_config.json), not a whole model",
                hint="merge it into its base first: peft's AutoPeftModelForCausalLM(...).merge_and_unload(), then save",
            )
        raise MissingInput(f"{folder}: no config.json in it, so it is no model", hint=_SAVE)
    if not any(name.endswith(".safetensors") for name in names):
        pickled = any(name.endswith((".bin", ".pt", ".pth")) for name in names)
        what = "only pickled weights, which can run code when opened" if pickled else "no weights (*.safetensors)"
        raise MissingInput(
            f"{folder}: {what}", hint="save it as safetensors: AutoModelForCausalLM(...).save_pretrained(...)"
        )


def folder_revision(folder: Path) -> str:
    """A digest of what a model's folder holds: its descriptions and weights whole, weight files over 64 MiB by sixteen even blocks.

    Returns 64 hex digits. File times and the folder's own name play no part.
    """
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.name in _DESCRIBES or path.suffix == ".safetensors":
            whole.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            whole.update(_file_sample(path))
    return whole.hexdigest()


def _file_sample(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE:
            return hashlib.file_digest(file, "sha256").digest()
        sample = hashlib.sha256()
        for block in range(_BLOCKS):
            file.seek((size - _BLOCK) * block // (_BLOCKS - 1))
            sample.update(file.read(_BLOCK))
        return sample.digest()


def load_config(source: ModelSource) -> Any:
    """The model's configuration (`transformers.PreTrainedConfig`).

    Raises:
        MissingInput: it cannot be read.
    """
    from transformers import AutoConfig

    with hub_errors(source.name):
        return AutoConfig.from_pretrained(source.location, **source.loader_kwargs)


def load_tokenizer(source: ModelSource) -> TokenizerLike:
    """The model's tokenizer, from the same place as the model.

    Raises:
        MissingInput: it cannot be read.
    """
    from transformers import AutoTokenizer

    with hub_errors(source.name):
        tokenizer: TokenizerLike = AutoTokenizer.from_pretrained(source.location, **source.loader_kwargs)
    return tokenizer


def load_generation_config(source: ModelSource) -> Any:
    """generation_config.json, None where a model has none."""
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(source.location, **source.loader_kwargs)
    except (OSError, ValueError):
        return None


def context_length(config: Any, asked: Json) -> int:
    """Most tokens that a model takes: what its configuration says, or less where less was asked for."""
    text = config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config
    limit = getattr(text, "max_position_embeddings", None) or getattr(text, "n_positions", None)
    chosen = [int(value) for value in (limit, asked) if isinstance(value, int) and value > 0]
    return min(chosen) if chosen else 4096


def eos_ids(model_config: Any, generation_config: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: those of generation_config.json, else of config.json, and the tokenizer's own."""
    declared = getattr(generation_config, "eos_token_id", None)
    if declared is None:
        declared = getattr(model_config, "eos_token_id", None)
    ids = set(declared) if isinstance(declared, list | tuple) else {declared}
    return frozenset(int(token) for token in ids | {getattr(tokenizer, "eos_token_id", None)} if token is not None)


@contextmanager
def hub_errors(name: str) -> Iterator[None]:
    """Turn what the model libraries raise on a missing or broken model into `MissingInput`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise MissingInput(f"{name}: the model cannot be loaded: {first}", hint=_hub_hint(name)) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' progress bars off the terminal for a while."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _hub_hint(name: str) -> str:
    if Path(name).exists() or not os.environ.get("HF_HUB_OFFLINE"):
        return _SAVE
    return f"HF_HUB_OFFLINE is set: fetch it first where there is a network (hf download {name}), or unset it"


def _hub_revision(model: str, revision: str | None) -> str:
    """The commit of a Hub model, from the local cache or the Hub."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            return revision or ""
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise MissingInput(
            f"{model}: neither a folder here nor a model that the Hugging Face Hub or its local cache gave{offline}",
            hint=f"check the name, give a folder, or fetch the model first: hf download {model}",
        ) from error
    return str(getattr(config, "_commit_hash", None) or revision or "")
