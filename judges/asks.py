"""Questions to a model: a filled template as token ids, and the key under which its answer is recorded.

Knows no engine's inside and no run folder. Whatever a person or a model wrote goes in as untrusted text, so
that no control token comes out of it; that holds for principles too, since files of principles are passed
around and included. Turns of a conversation are labelled with their roles by us.

The key of a question is a contract: SHA-256 of the canonical JSON of [head, subject..., tokens], where head
is the digest of [kind, model fingerprint, template digest, parameters], the subject is the ids of the records
asked about, and tokens is the SHA-256 of the token ids as little-endian 32-bit words. The subject is part of
it so that each answer belongs to one record, even where two records read the same.
"""

from __future__ import annotations

import hashlib
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from engines.base import Engine, Request, TokenIds
from engines.prompting import Span, Template, trusted, untrusted
from tenet.ids import ID_LENGTH, Json, digest
from tenet.records import Prompt

PROMPTS: Final = Path(__file__).parent / "prompts"
_ROLES: Final = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question, ready to send. `principle` is None where the whole constitution is asked about at once.

    `problem` says why it cannot be sent (too long for the model); empty if it can.
    """

    key: str
    prompt_id: str
    principle: str | None
    tokens: TokenIds
    problem: str = ""

    @property
    def record_id(self) -> str:
        """The id of the record that the answer becomes."""
        return self.key[:ID_LENGTH]

    @property
    def request(self) -> Request:
        """What an engine takes; the seed follows from the key."""
        return Request(self.tokens, int(self.key[:8], 16) & 0x7FFF_FFFF, self.prompt_id)


A = TypeVar("A", bound=Ask)
B = TypeVar("B")


class Questionnaire:
    """Fills one template for one model, and names what comes out.

    `kind` tells the uses of one template apart; `parameters` are what else changes an answer (labels,
    sampling).
    """

    def __init__(self, engine: Engine, template: Template, kind: str, parameters: Json) -> None:
        self.template = template
        self._tokenizer = engine.tokenizer
        self._max_length = engine.max_length
        self._head = digest([kind, engine.info.as_json(), template.digest, parameters])

    def tokens(self, **fields: str | Sequence[Span]) -> TokenIds:
        """Fill the template and make it the user's turn of a chat, with the model's answer opened."""
        return self.opened(self.template.fill(**fields))

    def opened(self, *turns: Sequence[Span]) -> TokenIds:
        """A chat of these turns, the user's and the model's by turns, with the model's answer opened."""
        return self._tokenizer.chat([(("user", "assistant")[place % 2], spans) for place, spans in enumerate(turns)])

    def key(self, subject: Sequence[str | int], tokens: TokenIds) -> str:
        """Name a question; see the module."""
        return digest([self._head, *subject, tokens_digest(tokens)])

    def problem(self, tokens: TokenIds, more: int = 0) -> str:
        """Say why the model cannot take these tokens and `more`; empty if it can and one token of an answer fits."""
        if len(tokens) + more < self._max_length:
            return ""
        text = f" and up to {more:,} more come before the verdict" if more else ""
        return f"the question has {len(tokens):,} tokens{text}; the model takes {self._max_length:,} with the answer"


def answered(
    asks: Iterable[A], send: Callable[[Iterable[Request]], Iterator[tuple[int, B]]]
) -> Iterator[tuple[A, B | None]]:
    """Send questions through one of an engine's streams and give each with its answer, in the order in which they come.

    A question is taken when the engine has room for it. None stands for the answer to one that cannot be sent.
    """
    waiting: dict[int, A] = {}
    unsendable: deque[A] = deque()

    def requests() -> Iterator[Request]:
        place = 0
        for ask in asks:
            if ask.problem:
                unsendable.append(ask)
                continue
            waiting[place] = ask
            place += 1
            yield ask.request

    for place, answer in send(requests()):
        while unsendable:
            yield unsendable.popleft(), None
        yield waiting.pop(place), answer
    while unsendable:
        yield unsendable.popleft(), None


def load_template(name: str) -> Template:
    """Read a template of `judges/prompts/` by its name.

    Raises:
        MissingInput: there is none of this name.
    """
    return Template.load(PROMPTS / f"{name}.txt")


def tokens_digest(tokens: TokenIds) -> str:
    """SHA-256 of token ids as little-endian unsigned 32-bit words, 64 hex digits."""
    return hashlib.sha256(struct.pack(f"<{len(tokens)}I", *tokens)).hexdigest()


def conversation(prompt: Prompt) -> tuple[Span, ...]:
    """Show a prompt to a judge: a lone user turn as it stands, else a paragraph a turn, its role in front."""
    if len(prompt.messages) == 1 and prompt.messages[0].role == "user":
        return (untrusted(prompt.messages[0].content.strip()),)
    spans: list[Span] = []
    for turn in prompt.messages:
        role = _ROLES.get(turn.role)
        spans.append(trusted("\n\n" if spans else ""))
        spans.append(untrusted(turn.role.capitalize()) if role is None else trusted(role))
        spans += [trusted(": "), untrusted(turn.content.strip())]
    return tuple(spans)
