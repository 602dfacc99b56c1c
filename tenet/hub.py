"""Looks, before any work, whether models and data sets can be had from the Hugging Face Hub.

What is in the local cache whole is not asked about. Everything that is missing is told at once, and a machine without a network says so in
a sentence instead of trying for half a minute, or failing in the midst of the work. Downloads nothing, and knows no configuration: which
ids a command takes is said where its configuration is known.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tenet.bundled import JUDGE, POLICY, model_folder
from tenet.errors import MissingInput
from tenet.ids import Json

HOSTED_HERE: Final = frozenset({"transformers", "vllm", "vllm-server"})
"""The engines that load a model's files themselves."""
SECONDS: Final = 15.0
"""How long the hub may take to answer."""
_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_LOGIN: Final = "log in with `hf auth login`, or set HF_TOKEN"


@dataclass(frozen=True)
class HubId:
    """Something that a command takes from the hub, and the key of its configuration that names it."""

    kind: Literal["model", "dataset"]
    name: str
    key: str
    revision: str | None = None

    @property
    def fetch(self) -> str:
        """The command that brings it into the local cache."""
        return f"hf download {self.name}" if self.kind == "model" else f"hf download --repo-type dataset {self.name}"


def require(asked: Iterable[HubId]) -> None:
    """Make sure that the hub, or the local cache, has all of these.

    Raises:
        MissingInput: naming everything that cannot be had, with the reason and the cure; a bundled model or a run that does not exist is
            told without asking the hub.
    """
    owed = [one for one in unique(asked) if not is_cached(one)]
    for one in owed:
        _refuse_local(one)
    if not owed:
        return
    if is_offline():
        told = "\n".join(f"  {one.key}: {one.name} is neither here nor in the local cache" for one in owed)
        fetches = "; ".join(one.fetch for one in owed)
        raise MissingInput(
            f"HF_HUB_OFFLINE is set, and not all that is asked for is here:\n{told}",
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
        raise MissingInput("the Hugging Face Hub does not give what is asked for:\n" + "\n".join(wrong))


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


def model_id(
    model: str | None, key: str, *, engine: str = "transformers", revision: str | None = None,
    options: Mapping[str, Json] | None = None,
) -> Iterator[HubId]:  # fmt: skip
    """The id that a model is, if the engine loads its files itself and no folder here has its name."""
    if model and engine in HOSTED_HERE and _is_id(model):
        told = revision or (options or {}).get("revision")
        yield HubId("model", model, key, str(told) if told else None)


def dataset_id(data: str | None, key: str) -> Iterator[HubId]:
    """The id that a data set is (`ORG/NAME`, or `ORG/NAME:CONFIGURATION`), if no file or folder here has its name."""
    name = (data or "").partition(":")[0]
    if name and _is_id(name):
        yield HubId("dataset", name, key)


def unique(asked: Iterable[HubId]) -> list[HubId]:
    """Each once, under the first key that names it."""
    found: dict[tuple[str, str, str | None], HubId] = {}
    for one in asked:
        found.setdefault((one.kind, one.name, one.revision), one)
    return list(found.values())


def is_cached(one: HubId) -> bool:
    """Whether the local cache has all of it: a model's description and every file of its weights; a data set, as far as can be seen."""
    from huggingface_hub import constants, try_to_load_from_cache

    if one.kind == "dataset":
        prepared = os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets"  # as the library has it
        return (Path(prepared) / one.name.replace("/", "___")).is_dir() or any(
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


def _refuse_local(one: HubId) -> None:
    """Refuse what can only be meant for this machine: the bundled models' prefix, and a run's folder."""
    from tenet.runs.run import find_run

    if one.kind == "model" and one.name.startswith("pocket/"):
        hint = f"the bundled models are {POLICY} and {JUDGE}"
        raise MissingInput(f"{one.key}: there is no bundled model {one.name}", hint=hint)
    if one.kind == "dataset" and one.name.startswith("runs/"):
        find_run(one.name)


def _ask(one: HubId) -> None:
    from huggingface_hub import HfApi

    api = HfApi()
    look = api.model_info if one.kind == "model" else api.dataset_info
    if look(one.name, revision=one.revision, timeout=SECONDS).gated:
        api.auth_check(one.name, repo_type=one.kind)


def _is_id(name: str) -> bool:
    return not model_folder(name).exists() and _ID.fullmatch(name) is not None
