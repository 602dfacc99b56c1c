"""What clients send and get: OpenRLHF's remote reward protocol, and a plainer one of our own with prompts and responses apart.

`{"query": [prompt + response], "prompts": [...], "labels": [...]}` (OpenRLHF) or `{"prompts": [...], "responses": [...]}` becomes rows to
score; the scores become `{"rewards": [...], "scores": [0..1], "extra_logs": {name: [...]}}`. Labels are not looked at. Whatever a body
holds is data: it is checked for its shape and its size, and what is wrong is said in words that name the row. Knows no model and no server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from tenet.errors import UsageError
from tenet.ids import Json
from train.rows import Text

if TYPE_CHECKING:
    from train.serving.rendered import PolicyText

_ROLES: Final = ("system", "user", "assistant", "tool")
_PLAIN_QUERY: Final = (
    "send `prompts` beside `query`, as OpenRLHF does: without them the response cannot be told from the prompt"
)


class Refused(UsageError):
    """A request that is not answered with rewards; `status` is the one of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a request may hold: `body` bytes, `rows` responses, `text` characters of one prompt with its response."""

    body: int = 16 * 2**20
    rows: int = 512
    text: int = 400_000


@dataclass(frozen=True, slots=True)
class Row:
    """One response to score. `rendered` says that its prompt came as text that the policy's chat template rendered."""

    prompt: Text
    response: str
    rendered: bool = False

    @property
    def size(self) -> int:
        """Characters of prompt and response."""
        prompt = self.prompt if isinstance(self.prompt, str) else "".join(turn["content"] for turn in self.prompt)
        return len(prompt) + len(self.response)


def read_body(body: bytes) -> Mapping[str, Any]:
    """Parse a body.

    Raises:
        Refused: it is no JSON object.
    """
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise Refused("the body must be a JSON object")
    return told


def queries(told: Mapping[str, Any], policy: PolicyText, limits: Limits) -> list[Row]:
    """The rows of a request of OpenRLHF: each response is what follows its prompt, each prompt is read by the policy's template.

    Raises:
        Refused: lists of other lengths or types, a query that does not begin with its prompt, more than `limits` allow.
    """
    if "prompts" not in told and "query" in told:
        raise Refused(_PLAIN_QUERY)
    found = _texts(told, "query", limits)
    prompts = _texts(told, "prompts", limits)
    _require_equal(("query", found), ("prompts", prompts))
    return [_query(place, *pair, policy, limits) for place, pair in enumerate(zip(found, prompts, strict=True))]


def pairs(told: Mapping[str, Any], policy: PolicyText, limits: Limits) -> list[Row]:
    """The rows of a request in our own form; a prompt is a list of messages or a text.

    Raises:
        Refused: as `queries`.
    """
    prompts = _list(told, "prompts", limits)
    responses = _texts(told, "responses", limits)
    _require_equal(("prompts", prompts), ("responses", responses))
    rows = []
    for place, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        row = Row(_prompt(place, prompt), policy.written(response))
        _require_short(place, row.size, limits)
        rows.append(row)
    return rows


def openrlhf_answer(
    rewards: Sequence[float], scores: Sequence[float], rows: Sequence[Row], name: str
) -> dict[str, Json]:
    """What OpenRLHF reads: rewards to learn from, scores in [0, 1] for its dynamic filtering, lists to log."""
    lengths: Json = [len(row.response) for row in rows]
    logs: dict[str, Json] = {name: list(rewards), "response_characters": lengths}
    return {"rewards": list(rewards), "scores": list(scores), "extra_logs": logs}


def _query(place: int, query: str, prompt: str, policy: PolicyText, limits: Limits) -> Row:
    _require_short(place, len(query), limits)
    response = policy.response(query, prompt)
    if response is None:
        raise Refused(f"query {place} does not begin with prompts[{place}]; was the prompt cut to fit the policy?", 422)
    turns = policy.turns(prompt)
    return Row(prompt if turns is None else list(turns), response, rendered=turns is not None)


def _prompt(place: int, value: Any) -> Text:
    if isinstance(value, str):
        return value
    turns = value if isinstance(value, list) else []
    good = [
        {"role": turn["role"], "content": turn["content"]}
        for turn in turns
        if isinstance(turn, dict) and turn.get("role") in _ROLES and isinstance(turn.get("content"), str)
    ]
    if not good or len(good) != len(turns):
        raise Refused(f"prompts[{place}] is neither a text nor a list of messages, each with role and content as text")
    return good


def _texts(told: Mapping[str, Any], name: str, limits: Limits) -> list[str]:
    values = _list(told, name, limits)
    odd = next((place for place, value in enumerate(values) if not isinstance(value, str)), None)
    if odd is not None:
        raise Refused(f"{name}[{odd}] is not a text")
    return values


def _list(told: Mapping[str, Any], name: str, limits: Limits) -> list[Any]:
    values = told.get(name)
    if not isinstance(values, list) or not values:
        raise Refused(f"`{name}` must be a list of one or more")
    if len(values) > limits.rows:
        raise Refused(
            f"{len(values):,} responses in one request; {limits.rows:,} is the most: send several requests", 413
        )
    return values


def _require_equal(one: tuple[str, Sequence[Any]], other: tuple[str, Sequence[Any]]) -> None:
    if len(one[1]) != len(other[1]):
        raise Refused(f"{one[0]} has {len(one[1])} entries and {other[0]} has {len(other[1])}")


def _require_short(place: int, size: int, limits: Limits) -> None:
    if size > limits.text:
        raise Refused(f"row {place} has {size:,} characters; {limits.text:,} is the most", 413)
