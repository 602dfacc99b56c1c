"""A tokenizer of bytes with two control tokens, for engines that host no model. Needs no library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

TURN: Final = "<|turn|>"
END: Final = "<|end|>"
_CONTROL: Final = {TURN: 256, END: 257}
_LITERAL: Final = re.compile(f"({re.escape(TURN)}|{re.escape(END)})")


@dataclass(frozen=True, slots=True)
class _Added:
    content: str
    special: bool = True


class ByteTokenizer:
    """UTF-8 bytes as tokens 0 to 255, and the control tokens of its own chat template (`engines.codec.TokenizerLike`)."""

    chat_template: str | dict[str, str] | None = f"bytes: {TURN}role, text, {END}"
    unk_token_id: int | None = None
    eos_token_id: int = _CONTROL[END]

    @property
    def added_tokens_decoder(self) -> Mapping[int, _Added]:
        """The control tokens by id."""
        return {number: _Added(literal) for literal, number in _CONTROL.items()}

    @property
    def all_special_ids(self) -> Sequence[int]:
        """The ids of the control tokens."""
        return tuple(_CONTROL.values())

    def get_vocab(self) -> Mapping[str, int]:
        """Every token by its name."""
        return {**{f"<0x{byte:02X}>": byte for byte in range(256)}, **_CONTROL}

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:  # noqa: ARG002 - nothing is ever added
        """Bytes of a text, its control tokens recognised."""
        if "<|" not in text:
            return list(text.encode())
        ids: list[int] = []
        for piece in _LITERAL.split(text):
            ids += [_CONTROL[piece]] if piece in _CONTROL else piece.encode()
        return ids

    def decode(
        self,
        ids: Sequence[int],
        *,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: bool,  # noqa: ARG002 - there is nothing to clean
    ) -> str:
        """Text of bytes; what is no UTF-8 becomes U+FFFD."""
        if skip_special_tokens:
            return bytes([token for token in ids if token < 256]).decode("utf-8", "replace")
        raw = bytearray()
        for token in ids:
            if token < 256:
                raw.append(token)
            else:
                raw += (TURN if token == _CONTROL[TURN] else END).encode()
        return raw.decode("utf-8", "replace")

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> str:
        """Every turn as its role on a line of its own, its text, and the end token."""
        text = "".join(f"{TURN}{turn['role']}\n{turn['content']}{END}\n" for turn in conversation)
        return text + (f"{TURN}assistant\n" if kwargs.get("add_generation_prompt") else "")
