"""Reads the text that a policy was given and what it wrote back out of one string, with the policy's chat template as the key.

RL stacks hand over prompts as the policy saw them: rendered by its chat template, control tokens spelled out. A prompt that is just what
the template renders is taken apart into turns, and each turn's text is data from then on: whatever it spells, no control token comes out
of it. Text that the template would not render stays text as a whole. A turn that somebody wrote into a prompt letter for letter cannot be
told from a real one, since the string is all there is; the response cannot forge one, because it is whatever follows the prompt and
is never parsed. Knows no reward and no protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from engines.chat import ChatTemplate, Layout, Slot
from tenet.errors import UsageError

if TYPE_CHECKING:
    from engines.codec import TokenizerLike
    from tenet.ids import Json

Messages = list[dict[str, str]]

MOST_TURNS: Final = 64
_OFF: Final = "enable_thinking"


class PolicyText:
    """Texts of one policy, whose tokenizer this is. Without one, or without a chat template, every prompt stays text."""

    def __init__(self, tokenizer: TokenizerLike | None) -> None:
        added = tokenizer.added_tokens_decoder.values() if tokenizer else ()
        control = {token.content for token in added if token.special}
        self._control = sorted(filter(None, control), key=len, reverse=True)
        self._templates = _templates(tokenizer) if tokenizer else []

    @property
    def has_template(self) -> bool:
        """Whether prompts can be taken apart into turns."""
        return bool(self._templates)

    def spells_control(self, text: str) -> bool:
        """Whether a text holds the spelling of a control token."""
        return any(token in text for token in self._control)

    def turns(self, prompt: str) -> Messages | None:
        """The turns of a rendered prompt that opens the assistant's turn; None where the template does not render this text.

        Of several readings the one with the most turns is taken. Of `MOST_TURNS` turns or more nothing is read.
        """
        found = [turns for template in self._templates for turns in _readings(template, prompt)]
        most = max(found, key=len, default=None)
        return most if most is not None and len(most) < MOST_TURNS else None

    def response(self, query: str, prompt: str) -> str | None:
        """What follows the prompt in prompt + response, without control tokens at its end; None where `query` begins otherwise.

        Tokenizers that do not give a text back as it was (a space more, a beginning-of-text token) are allowed for.
        """
        rest = query.removeprefix(prompt) if query.startswith(prompt) else self._after(query, prompt)
        return None if rest is None else self.written(rest)

    def written(self, response: str) -> str:
        """A response without the control tokens that ended or padded it."""
        while (bare := response.rstrip()).endswith(tuple(self._control)):
            response = next(bare.removesuffix(token) for token in self._control if bare.endswith(token))
        return response

    def _after(self, query: str, prompt: str) -> str | None:
        start = next((token for token in self._control if query.startswith(token)), "")
        for head in dict.fromkeys(("", start)):
            place = _past(query, len(head), prompt)
            if place is not None:
                return query[place:].lstrip()
        return None


def _templates(tokenizer: TokenizerLike) -> list[ChatTemplate]:
    ways: list[dict[str, Json]] = [{}]
    plain = ChatTemplate(tokenizer, {}, "")
    if plain.is_plain:
        return []
    if _OFF in plain.source:
        ways.append({_OFF: False})
    return [ChatTemplate(tokenizer, way, "") for way in ways]


def _readings(template: ChatTemplate, text: str) -> Iterator[Messages]:
    """Readings of a text, each with more turns than the one before, with and without a system turn."""
    for head in ((), ("system",)):
        for pairs in range(MOST_TURNS // 2 + 1):
            roles = (*head, *("user", "assistant") * pairs, "user")
            try:
                contents = _filled(template.layout(roles), text)
            except UsageError:
                break
            if contents is None:
                break
            yield [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]


def _filled(layout: Layout, text: str) -> list[str] | None:
    """What stands in the slots of a layout, each as short as can be; None where the text does not fit."""
    if not isinstance(layout[-1], str) or _joins(layout):
        return None
    tail = layout[-1]
    if not text.endswith(tail):
        return None
    end = len(text) - len(tail)
    places, at, open_slot = [], 0, False
    for number, part in enumerate(layout):
        if isinstance(part, Slot):
            places.append([at, end])
            open_slot = True
            continue
        found = (end if number == len(layout) - 1 else text.find(part, at, end)) if open_slot else 0
        if found < at or (not open_slot and not text.startswith(part)):
            return None
        if open_slot:
            places[-1][1] = found
        at, open_slot = found + len(part), False
    contents = [text[start:stop] for start, stop in places]
    return contents if all(content.strip() for content in contents) else None


def _joins(layout: Sequence[str | Slot]) -> bool:
    """Whether two turns stand with nothing but white space between them, so that no text tells where one ends."""
    kinds = [part for part in layout if isinstance(part, Slot) or part.strip()]
    return any(isinstance(one, Slot) and isinstance(other, Slot) for one, other in pairwise(kinds))


def _past(query: str, start: int, prompt: str) -> int | None:
    """The place in `query` right after `prompt`, white space apart; None where something else stands there."""
    place = start
    for char in prompt:
        if char.isspace():
            continue
        while place < len(query) and query[place].isspace():
            place += 1
        if place == len(query) or query[place] != char:
            return None
        place += 1
    return place
