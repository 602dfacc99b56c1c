"""Renders a model's chat template once per shape of conversation and splits it at its turns. Knows no token ids.

The template sees a unique mark where each turn's text will stand, so untrusted text never passes through it: nothing in a sample can
be taken for template syntax or for another turn. What a template decides by looking at the text itself (cutting a `</think>` block out
of an earlier turn) it therefore does not do here; white space that it trims around a turn is trimmed.

A system turn that the template refuses or drops is put in front of the first user turn; a template that takes no text but lists of parts
(those of models that also see) gets such lists. A model without a template gets a plain
one. Sources of the interface: `apply_chat_template` of transformers 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenet.errors import UsageError
from tenet.ids import Json, canonical_json

if TYPE_CHECKING:
    from engines.codec import TokenizerLike

Render = Callable[[Sequence[tuple[str, str]], bool], str]

PLAIN_TEMPLATE: Final = "plain: 'Role: text' a turn, blank lines between, then 'Assistant:'"
_EDGE: Final = "\u2003"  # an em space: trimmed like any white space, written by no template
_TAIL: Final = 80


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the text of turn `turn` goes; `strip_left` and `strip_right` say that the template trims it."""

    turn: int
    strip_left: bool
    strip_right: bool


Layout = tuple[str | Slot, ...]


class ChatTemplate:
    """A tokenizer's chat template with its arguments and an assistant prefill, or the plain template where it has none."""

    def __init__(self, tokenizer: TokenizerLike, kwargs: Mapping[str, Json], prefill: str) -> None:
        source = tokenizer.chat_template
        self.is_plain = not source
        self.prefill = prefill
        self.source = PLAIN_TEMPLATE if not source else source if isinstance(source, str) else canonical_json(source)
        unread = [name for name in kwargs if self.is_plain or not re.search(rf"\b{re.escape(name)}\b", self.source)]
        if unread:
            raise UsageError(
                f"chat_template_kwargs: this model's chat template does not read {', '.join(unread)}",
                hint="take the argument out, or check its spelling against the template in tokenizer_config.json",
            )
        self._renders: tuple[Render, ...] = (_plain_render,)
        if not self.is_plain:
            self._renders = tuple(_template_render(tokenizer, dict(kwargs), parts=parts) for parts in (False, True))
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def layout(self, roles: tuple[str, ...]) -> Layout:
        """Text and slots of a conversation of these roles, the assistant's turn opened and the prefill written.

        Raises:
            UsageError: the template fails, drops a turn, or does not end in an open assistant turn.
        """
        if roles not in self._layouts:
            self._layouts[roles] = self._make(roles)
        return self._layouts[roles]

    def _make(self, roles: tuple[str, ...]) -> Layout:
        if not roles:
            raise UsageError("a conversation without turns has no prompt")
        marks = [_mark(turn) for turn in range(len(roles))]
        turns = [(role, f"{_EDGE}{mark}{_EDGE}") for role, mark in zip(roles, marks, strict=True)]
        ways = [turns]
        if roles[0] == "system" and len(roles) > 1:
            role, first = turns[1]
            ways.append([(role, f"{turns[0][1]}\n\n{first}"), *turns[2:]])
        problems: list[UsageError] = []
        for render in self._renders:
            for way in ways:
                try:
                    text = self._checked(render, way, marks)
                except UsageError as error:
                    problems.append(error)
                else:
                    return _split(text + self.prefill)
        raise problems[0]

    def _checked(self, render: Render, turns: Sequence[tuple[str, str]], marks: Sequence[str]) -> str:
        text = render(turns, True)
        dropped = [turn for turn, mark in enumerate(marks) if mark not in text]
        if dropped:
            raise UsageError(
                f"the model's chat template drops turn {dropped[0] + 1} of {len(marks)}; it ends in {text[-_TAIL:]!r}",
                hint="use a model whose template takes this conversation, or take that turn out of the prompts",
            )
        if not self._opens(render, turns, text):
            raise UsageError(
                f"the model's chat template does not end in an open assistant turn; it ends in {text[-_TAIL:]!r}",
                hint="mend `add_generation_prompt` in the model's chat_template, or give a prefill that opens the turn",
            )
        return text

    def _opens(self, render: Render, turns: Sequence[tuple[str, str]], text: str) -> bool:
        """Whether a rendered prompt is where the template would have the assistant's own words begin."""
        closed = render(turns, False)
        try:
            whole = render([*turns, ("assistant", f"{_EDGE}{_ANSWER}{_EDGE}")], False)
        except UsageError:
            whole = ""
        head, mark, tail = whole.partition(_ANSWER)
        if not mark:
            return text != closed
        head, end = head.rstrip(), tail.strip()
        opened = text + self.prefill
        if opened.startswith(head):
            return not end or end not in opened[len(head) :]
        return text != closed and (head.startswith(opened.rstrip()) or not end or not opened.rstrip().endswith(end))


def _mark(turn: int) -> str:
    return f"\u2063TURN{turn}\u2063"


_ANSWER: Final = _mark(999_999)
_MARK: Final = re.compile(f"({_EDGE}?)\u2063TURN(\\d+)\u2063({_EDGE}?)")


def _split(text: str) -> Layout:
    """Cut a rendered text at its marks; an edge that is gone tells that the template trims there."""
    parts: list[str | Slot] = []
    place = 0
    for match in _MARK.finditer(text):
        parts += [text[place : match.start()], Slot(int(match[2]), strip_left=not match[1], strip_right=not match[3])]
        place = match.end()
    return tuple(part for part in (*parts, text[place:]) if part != "")


def _template_render(tokenizer: TokenizerLike, kwargs: dict[str, Json], *, parts: bool) -> Render:
    from jinja2.exceptions import TemplateError

    def render(turns: Sequence[tuple[str, str]], opened: bool) -> str:
        conversation = [
            {"role": role, "content": [{"type": "text", "text": text}] if parts else text} for role, text in turns
        ]
        try:
            return str(
                tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=opened, **kwargs)
            )
        except (TemplateError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            roles = ", ".join(role for role, _ in turns)
            raise UsageError(
                f"the model's chat template fails on turns of {roles}: {type(error).__name__}: {error}",
                hint="check chat_template_kwargs and the template in the model's folder",
            ) from error

    return render


def _plain_render(turns: Sequence[tuple[str, str]], opened: bool) -> str:
    blocks = [f"{role.capitalize()}: {text.strip()}" for role, text in turns]
    return "\n\n".join([*blocks, "Assistant:"] if opened else blocks)
