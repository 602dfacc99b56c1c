"""Asks servers who they are before any work goes to them, and puts what is wrong into words with a cure. Knows no labels and no prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from engines.http_client import Client, Endpoint
from engines.http_failures import Failure, Trouble, together
from tenet.errors import EngineError, UsageError

_LISTED: Final = 8


@dataclass(frozen=True, slots=True)
class Served:
    """What a server told of itself: whether it is vLLM, and the model's context length where it says so."""

    vllm: bool
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Cures:
    """The words for what is wrong with a server, for one model and one name of a key's variable."""

    model: str
    variable: str
    key_given: bool

    def of(self, endpoint: Endpoint, failure: Failure) -> EngineError:
        """The error that a failure means which no other request to this server escapes either."""
        base = endpoint.base
        if failure.status in (401, 403):
            if self.key_given:
                hint = f"the key in the environment variable {self.variable} is not valid there; set another"
            else:
                hint = f"set the key in the environment: export {self.variable}=... (another name: options.api_key_env)"
            return EngineError(f"{base}: the server refuses the key: {failure.words}", hint=hint)
        if failure.status == 404 and failure.trouble is Trouble.FATAL:
            return EngineError(
                f"{base}: the server does not serve {self.model}: {failure.words}",
                hint="set model to one that it serves",
            )
        if failure.trouble in (Trouble.DOWN, Trouble.LOST):
            return EngineError(
                f"{base}: no server answers: {failure.words}",
                hint=f"start one: python -m vllm.entrypoints.openai.api_server --model {self.model} --host 127.0.0.1 "
                f"--port {URL(base).port}; or mend base_url. What was answered is kept",
            )
        if failure.trouble is Trouble.REFUSED and failure.status not in (404, 405):
            return EngineError(
                f"{base}: the server refuses a first request: {failure.words}",
                hint="where it wants fewer log-probabilities, lower options.top_logprobs (many give 5); where it gives none, set "
                "options.verdicts: text; or set another options.api",
            )
        if failure.trouble is Trouble.MALFORMED or failure.status == 404:
            right = "" if base.endswith("/v1") else f"; try base_url: {base}/v1"
            return EngineError(
                f"{base}: this is no OpenAI-compatible server: {failure.words}",
                hint=f"base_url is the address under which it serves /models and /completions{right}",
            )
        return EngineError(f"{base}: the server fails: {failure.words}", hint="look at the server's own log")


async def introduce(client: Client, cures: Cures) -> Served:
    """Ask every server for its models; what they have in common.

    Raises:
        EngineError: one is down, refuses the key, or does not serve the model; all that is wrong, together.
    """
    found = await asyncio.gather(*(_served(client, endpoint, cures) for endpoint in client.endpoints))
    problems = [each for each in found if isinstance(each, EngineError)]
    if problems:
        raise together(problems)
    served = [each for each in found if isinstance(each, Served)]
    if len({each.vllm for each in served}) > 1:
        raise EngineError(
            "some of the servers are vLLM and some are not",
            hint="set options.api to what all of them can: completions or chat",
        )
    lengths = [each.max_length for each in served if each.max_length]
    return Served(served[0].vllm, min(lengths, default=None))


async def _served(client: Client, endpoint: Endpoint, cures: Cures) -> Served | EngineError:
    patience = client.limits.attempt(client.limits.connect + 20.0)
    try:
        listed = await client.get(endpoint.url("/models"), patience)
    except Failure as failure:
        if failure.status == 404 and endpoint.base.endswith("/v1"):
            return Served(await _is_vllm(client, endpoint))  # a server without that page; the first request tells
        return cures.of(endpoint, failure)
    cards = [card for card in _list(listed.get("data")) if isinstance(card, dict)]
    card = next((card for card in cards if card.get("id") == cures.model), None)
    if card is None:
        names = [str(card.get("id")) for card in cards]
        shown = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
        return EngineError(
            f"{endpoint.base}: the server does not serve {cures.model}",
            hint=f"set model to what it serves: {shown or 'nothing'}",
        )
    length = card.get("max_model_len")
    vllm = card.get("owned_by") == "vllm" or await _is_vllm(client, endpoint)
    return Served(vllm, length if type(length) is int and length > 0 else None)


async def _is_vllm(client: Client, endpoint: Endpoint) -> bool:
    try:
        page = await client.get(URL(f"{endpoint.root}/version"), client.limits.attempt(10.0))
    except Failure:
        return False
    return isinstance(page.get("version"), str)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def clean_bases(base_url: Sequence[str]) -> tuple[str, ...]:
    """Base URLs without a slash at the end.

    Raises:
        UsageError: none is given, one is no http(s) address, or one carries more than an address.
    """
    if not base_url:
        raise UsageError("the engine http needs an address", hint="add base_url: http://127.0.0.1:8000/v1")
    bases: list[str] = []
    for text in base_url:
        try:
            url = URL(text)
            usable = url.scheme in ("http", "https") and bool(url.host) and url.port is not None
        except ValueError:
            usable = False
        if not usable:
            raise UsageError("base_url: an address that is no http(s) URL", hint="write it as http://127.0.0.1:8000/v1")
        if url.user or url.password or url.query_string or url.fragment:
            raise UsageError(
                f"base_url: the address of {url.host} carries more than host, port and path",
                hint="keys come from the environment only: options.api_key_env",
            )
        bases.append(str(url).rstrip("/"))
    return tuple(dict.fromkeys(bases))
