"""Prompts for servers that take messages instead of token ids: their turns as bytes, and back. Knows no HTTP.

A server's own tokenizer may read control tokens out of a message's text. Turns are kept apart by ids that no text yields, and the
spellings of the common families' control tokens are broken by a space wherever they stand in a message. That is weaker than token
ids: a family with other spellings is not covered. It is recorded as `protection: text`.
"""

from __future__ import annotations

import re
from typing import Final

from engines.base import TokenIds
from engines.bytelevel import END, TURN, ByteTokenizer
from tenet.errors import UsageError

_LITERAL: Final = re.compile(
    r"(?P<first><)(?=\|[^|<>\s]{1,40}\|>|\uff5c[^\uff5c<>]{1,60}\uff5c>|/?s>|unk>|pad>|bos>|eos>|(?:start|end)_of_turn>|/?think>"
    r"|/?tool_(?:call|response)s?>|<SYS>>|</SYS>>)"
    r"|(?P<second>\[)(?=/?INST\]|/?SYSTEM_PROMPT\]|/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)
_TURN_ID, _END_ID = ByteTokenizer().encode(TURN + END, add_special_tokens=False)


def harmless(text: str) -> str:
    """A text in which no common control token is spelled: a space after the first character of each."""
    return _LITERAL.sub(lambda match: match.group() + " ", text) if "<" in text or "[" in text else text


def messages(tokens: TokenIds) -> list[dict[str, str]]:
    """The turns of a prompt that `engines.prompting.ChatTokenizer` made of `ByteTokenizer`'s tokens, the opened one left out.

    Raises:
        UsageError: tokens of another make.
    """
    found: list[dict[str, str]] = []
    place = 0
    while place < len(tokens) and tokens[place] == _TURN_ID:
        try:
            end = tokens.index(_END_ID, place)
        except ValueError:
            break
        role, _, content = bytes(tokens[place + 1 : end]).decode("utf-8", "replace").partition("\n")
        found.append({"role": role, "content": harmless(content)})
        place = end + 2  # the end token and its line end
    if not found or bytes(tokens[place + 1 :]) != b"assistant\n":
        raise UsageError(
            "these tokens are no conversation of messages", hint="make prompts with this engine's tokenizer"
        )
    return found
