"""Looks, before any work, whether what a run takes from the Hugging Face Hub can be had: its models and its data set of prompts.

What is in the local cache whole is not asked about. Everything that is missing is told at once, and a machine without a network says so in
a sentence instead of trying for half a minute, or failing when the samples are drawn. Downloads nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tenet.errors import MissingInput
from tenet.judgeconfig import JudgeConfig
from tenet.runconfig import PolicyConfig, RunConfig

HOSTED_HERE: Final = frozenset({"transformers", "vllm", "vllm-server"})
"""The engines that load a model's files themselves."""
SECONDS: Final = 15.0
"""How long the hub may take to answer."""
_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_LOGIN: Final = "log in with `hf auth login`, or set HF_TOKEN"


@dataclass(frozen=True)
class HubId:
    """Something that a run takes from the hub, and the key of run.yaml that names it."""

    kind: Literal["model", "dataset"]
    name: str
    key: str
    revision: str | None = None

    @property
    def fetch(self) -> str:
        """The command that brings it into the local cache."""
        return f"hf download {self.name}" if self.kind == "model" else f"hf download --repo-type dataset {self.name}"


def require_hub_ids(config: RunConfig) -> None:
    """Make sure that the hub, or the local cache, has what the configuration names.

    Raises:
        MissingInput: naming everything that cannot be had, with the reason and the cure.
    """
    owed = [one for one in hub_ids(config) if not is_cached(one)]
    if not owed:
        return
    if is_offline():
        told = "\n".join(f"  {one.key}: {one.name} is neither here nor in the local cache" for one in owed)
        fetches = "; ".join(one.fetch for one in owed)
        raise MissingInput(
            f"HF_HUB_OFFLINE is set, and the run takes something from the Hugging Face Hub:\n{told}",
            hint=f"unset it, name folders, or fetch first where there is a network: {fetches}",
        )
    wrong: list[str] = []
    for one in owed:
        try:
            with reaching():
                _ask(one)
        except MissingInput as error:
            if isinstance(error, Unreachable):
                names = ", ".join(f"{each.name} ({each.key})" for each in owed)
                raise Unreachable(f"{error.message}; it was to give {names}", hint=error.hint) from error
            wrong.append(f"  {one.key}: {error.message}; {error.hint}")
    if wrong:
        raise MissingInput("the Hugging Face Hub does not give what the run needs:\n" + "\n".join(wrong))


class Unreachable(MissingInput):
    """The hub does not answer at all."""


@contextmanager
def reaching() -> Iterator[None]:
    """Turn what the hub's library raises for networks, tokens and names into `MissingInput`."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise MissingInput(
            "it is gated, and your account may not read it", hint=f"ask on its page, then {_LOGIN}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise MissingInput("there is none of this name, or it is private", hint=f"check the name; {_LOGIN}") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise MissingInput(
                "the hub does not accept the token for this", hint=f"{_LOGIN}, with a token that may write"
            ) from error
        raise MissingInput(f"the hub answers with an error: {first_line(error)}", hint="try again later") from error
    except errors.HFValidationError as error:
        raise MissingInput(f"this is no id of the hub: {first_line(error)}", hint="an id is ORG/NAME") from error
    except (errors.HTTPError, OSError) as error:
        where = os.environ.get("HF_ENDPOINT") or "the Hugging Face Hub"
        hint = "check the network, and HF_ENDPOINT where a mirror is used; models and data in folders need none"
        raise Unreachable(f"{where} cannot be reached: {first_line(error)}", hint=hint) from error


def hub_ids(config: RunConfig) -> list[HubId]:
    """What a run takes from the hub, each once: what is no folder here, and looks like an id."""
    asked: list[tuple[str, PolicyConfig | JudgeConfig]] = [("policy", one) for one in config.policies]
    asked += [("judge", one) for one in config.judge.asked]
    found = [
        HubId("model", one.model, f"{key}.model", str(told) if (told := one.options.get("revision")) else None)
        for key, one in asked
        if one.engine in HOSTED_HERE and _is_id(one.model)
    ]
    dataset = config.prompts.dataset if config.prompts is not None and config.samples is None else None
    if dataset is not None and _is_id(dataset.partition(":")[0]):
        found.insert(0, HubId("dataset", dataset.partition(":")[0], "prompts.dataset"))
    return list({(one.kind, one.name, one.revision): one for one in reversed(found)}.values())[::-1]


def is_cached(one: HubId) -> bool:
    """Whether the local cache has all of it: a model's description and every file of its weights; a data set, as far as can be seen."""
    from huggingface_hub import constants, try_to_load_from_cache

    if one.kind == "dataset":
        from datasets import config as datasets

        flat = one.name.replace("/", "___")
        return (Path(datasets.HF_DATASETS_CACHE) / flat).is_dir() or any(
            Path(constants.HF_HUB_CACHE).glob(f"datasets--{one.name.replace('/', '--')}/snapshots/*/*")
        )
    found = try_to_load_from_cache(one.name, "config.json", revision=one.revision)
    if not isinstance(found, str):
        return False
    folder = Path(found).parent
    index = folder / "model.safetensors.index.json"
    try:
        weights = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError):
        weights = {"model.safetensors"}
    return all((folder / name).is_file() for name in weights)


def is_offline() -> bool:
    """Whether the hub's library was told to do without it."""
    from huggingface_hub import constants

    return bool(constants.is_offline_mode())


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _ask(one: HubId) -> None:
    from huggingface_hub import HfApi

    api = HfApi()
    look = api.model_info if one.kind == "model" else api.dataset_info
    if look(one.name, revision=one.revision, timeout=SECONDS).gated:
        api.auth_check(one.name, repo_type=one.kind)


def _is_id(name: str) -> bool:
    return not Path(name).expanduser().exists() and _ID.fullmatch(name) is not None
