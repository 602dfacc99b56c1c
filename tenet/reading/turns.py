"""Makes messages of what a row holds for a prompt: a string, a transcript, chat messages in usual spellings.

Knows no file. What cannot be read raises `Unreadable` with a reason fit to be shown beside the row's place;
it is the caller's to count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from tenet.reading.transcript import is_transcript, parse_transcript
from tenet.records import Message

ROLES: Final = ("system", "user", "assistant", "tool")
_SPELLINGS: Final = {
    "human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant",
    "chatgpt": "assistant", "developer": "system", "function": "tool", "observation": "tool",
}  # fmt: skip
_ROLE_KEYS: Final = ("role", "from")
_CONTENT_KEYS: Final = ("content", "value", "text")


class Unreadable(Exception):
    """One value that is no prompt or response; `str(error)` says why, without quoting the text itself."""


class Empty(Unreadable):
    """A value that holds no text at all: nothing is wrong with its form."""


def turns_of(value: object, *, cell: bool = False) -> tuple[Message, ...]:
    """The turns of a string, a transcript, a list of messages, or a table that holds such a list.

    `cell` says that the value comes from a format with text cells only (CSV): a list of messages is then read
    out of its JSON.

    Raises:
        Unreadable: it is none of these.
    """
    if isinstance(value, str):
        if cell and (listed := _json_list(value)) is not None:
            return turns_of(listed)
        return parse_transcript(value) if is_transcript(value) else (Message("user", value),)
    if isinstance(value, Mapping):
        inner = next((value[key] for key in ("messages", "conversations", "conversation") if key in value), None)
        return turns_of(inner) if inner is not None else (message_of(value),)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(message_of(turn) for turn in value)
    raise Unreadable(f"expected text or a list of messages, found {kind_of(value)}")


def message_of(value: object) -> Message:
    """One message of `{role, content}` or `{from, value}`; content may be a list of text parts.

    Raises:
        Unreadable: a key is missing, the role is unknown, or a part is not text.
    """
    if not isinstance(value, Mapping):
        raise Unreadable(f"expected a message with role and content, found {kind_of(value)}")
    role = next((value[key] for key in _ROLE_KEYS if key in value), None)
    if not isinstance(role, str):
        raise Unreadable("a message has no role")
    role = _SPELLINGS.get(role.strip().lower(), role.strip().lower())
    if role not in ROLES:
        raise Unreadable(f"a message has a role that is none of {', '.join(ROLES)}")
    return Message(role, _content(value))


def prompt_of(turns: Sequence[Message]) -> tuple[tuple[Message, ...], bool]:
    """The turns up to the last one of the user, and whether answers after it were cut off.

    Raises:
        Unreadable: no turn of a user is left, or the conversation ends with a system or a tool turn.
    """
    end = len(turns)
    while end and turns[end - 1].role == "assistant":
        end -= 1
    if not turns:
        raise Empty("no turns")
    if not end:
        raise Unreadable("no turn of a user")
    if turns[end - 1].role != "user":
        raise Unreadable(f"ends with a {turns[end - 1].role} turn and not with a user's")
    return tuple(turns[:end]), end < len(turns)


def kind_of(value: object) -> str:
    """What a value is, in words for an error message."""
    names: dict[type, str] = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
        type(None): "nothing",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _content(message: Mapping[object, object]) -> str:
    value = next((message[key] for key in _CONTENT_KEYS if key in message), None)
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "".join(_part(part) for part in value)
    raise Unreadable(f"the content of a message is {kind_of(value)} and not text")


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    text = part.get("text") if isinstance(part, Mapping) and part.get("type", "text") == "text" else None
    if not isinstance(text, str):
        raise Unreadable("a message has a part that is not text")
    return text


def _json_list(text: str) -> list[object] | None:
    if not text.lstrip().startswith("[{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None
