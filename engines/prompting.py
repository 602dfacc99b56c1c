"""Makes a model's prompts, as token ids, from turns of trusted and untrusted spans. Knows no judging and no engine.

A prompt is the model's own chat template with the assistant's turn opened and the prefill written; neighbouring spans of a kind are
tokenised together, the two kinds never (`engines.codec` says why that is safe, `engines.chat` how the template is split).
Models without a chat template get a plain one, which `template_hash` and `template_name` state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from engines.base import TokenIds
from engines.chat import ChatTemplate, Slot
from engines.codec import TextCodec, TokenizerLike
from engines.spans import Span, Template, merged, trusted, untrusted
from tenet.errors import JudgeUnfit
from tenet.ids import Json, digest

__all__ = ["ChatTokenizer", "Span", "Template", "TokenizerLike", "merged", "trusted", "untrusted"]

_CACHED_SPANS: Final = 16_384
_LEADS: Final = ("", " ", "\n", "\n\n")


class ChatTokenizer:
    """One model's tokenizer and chat template. `tokenizer` is a Hugging Face tokenizer, or anything with the same few methods.

    Raises:
        UsageError: a chat template argument that the template does not read.
    """

    def __init__(
        self, tokenizer: TokenizerLike, *, chat_template_kwargs: Mapping[str, Json] | None = None, prefill: str = ""
    ) -> None:
        kwargs = dict(chat_template_kwargs or {})
        self._tokenizer = tokenizer
        self._codec = TextCodec(tokenizer)
        self._template = ChatTemplate(tokenizer, kwargs, prefill)
        self._start = _start_ids(tokenizer) if self._template.is_plain else ()
        self._chunk = lru_cache(_CACHED_SPANS)(self._encode_chunk)
        self.prefill = prefill
        self.chat_template_kwargs = kwargs
        self.tokenizer_hash = self._codec.hash
        self.template_hash = digest([self._template.source, kwargs, prefill])
        self.template_name = "plain" if self._template.is_plain else "model"

    @property
    def control_ids(self) -> frozenset[int]:
        """The tokens that never come out of untrusted text: special and added ones."""
        return self._codec.control_ids

    def chat(self, turns: Sequence[tuple[str, Sequence[Span]]]) -> TokenIds:
        """Token ids of a conversation: (role, spans) a turn, the assistant's turn opened, the prefill appended.

        Raises:
            UsageError: the chat template fails, drops a turn, or does not end in an open assistant turn.
        """
        spans: list[Span] = []
        for part in self._template.layout(tuple(role for role, _ in turns)):
            spans.extend(_slot_spans(part, turns[part.turn][1]) if isinstance(part, Slot) else [trusted(part)])
        chunks = merged(spans)
        ids = list(self._start)
        for place, chunk in enumerate(chunks):
            ids.extend(self._chunk(chunk, place == 0))
        return tuple(ids)

    def encode(self, spans: Sequence[Span]) -> TokenIds:
        """Token ids of spans that stand in the middle of a prompt."""
        return tuple(token for chunk in merged(spans) for token in self._chunk(chunk, False))

    def decode(self, tokens: Sequence[int], *, skip_special: bool = True) -> str:
        """The text of token ids, without special tokens unless asked."""
        ids = list(tokens)
        text = self._tokenizer.decode(ids, skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)
        return str(text)

    def as_text(self, tokens: TokenIds) -> str | None:
        """The text of a prompt for a server that tokenises by itself; None where it would not read this prompt out of it.

        A server's tokenizer finds control tokens wherever they are spelled, so an untrusted span that spells one would yield
        it, and could open a turn of its own. Therefore the text is tokenised back as a server does it: control tokens must come
        out as they are here, one for one, and the same text, white space apart (SentencePiece puts some in front). Where spans
        are cut into other tokens than here is no matter.
        """
        start = self._server_start
        body = tokens[len(start) :] if tokens[: len(start)] == start else tokens
        text = self.decode(body, skip_special=False)
        back = self._tokenizer.encode(text, add_special_tokens=True)
        control = self.control_ids
        if [token for token in back if token in control] != [token for token in tokens if token in control]:
            return None
        told, read = (self.decode(ids, skip_special=False) for ids in (tokens, back))
        return text if "".join(told.split()) == "".join(read.split()) else None

    def count(self, text: str) -> int:
        """How many tokens a text takes as an untrusted span."""
        return len(self._chunk(untrusted(text), False)) if text else 0

    @property
    def tail(self) -> str:
        """The text after the last turn of an opened prompt."""
        last = self._template.layout(("user",))[-1]
        return "" if isinstance(last, Slot) else last

    def label_ids(self, label: str, after: str = "") -> TokenIds:
        """The single tokens by which a model can begin its answer with this label: the label alone, or after white space. `after` is the
        text of ours that stands before it, where that is not the end of an opened prompt.

        A variant counts if the tokenizer, given the end of an opened prompt with the variant written on, yields the prompt's own tokens
        and just one more: that is what text of this shape looked like in training. Where a prompt's end leaves no such variant (it ends
        in a space, say) the variants that are one token by themselves count; the label mass tells if the model agrees.

        Raises:
            JudgeUnfit: no variant is a single token.
        """
        tail = after or self.tail
        before = self._codec.trusted(tail)
        natural, alone = [], []
        for lead in _LEADS:
            whole = self._codec.trusted(tail + lead + label)
            if whole[:-1] == before:
                natural.append(whole[-1])
            lone = self._codec.trusted(lead + label)
            if len(lone) == 1:
                alone.append(lone[0])
        found = tuple(dict.fromkeys(token for token in natural or alone if token != self._tokenizer.unk_token_id))
        if not found:
            pieces = [self.decode([token], skip_special=False) for token in self._codec.trusted(label)]
            raise JudgeUnfit(
                f"the label {label!r} is no single token of this model's tokenizer; it is {pieces}",
                hint="use labels of one letter, or another judge model",
            )
        return found

    def label_set(self, labels: Sequence[str], after: str = "") -> tuple[TokenIds, ...]:
        """The tokens of several labels, in order; `after` as in `label_ids`.

        Raises:
            JudgeUnfit: see `label_ids`; also where two labels share a token.
        """
        sets = tuple(self.label_ids(label, after) for label in labels)
        owner: dict[int, str] = {}
        for label, ids in zip(labels, sets, strict=True):
            for token in ids:
                if token in owner:
                    raise JudgeUnfit(
                        f"the labels {owner[token]!r} and {label!r} share the token {token} of this model's tokenizer",
                        hint="use labels that the tokenizer tells apart",
                    )
                owner[token] = label
        return sets

    @property
    def description(self) -> dict[str, Json]:
        """How prompts are made, for a file: the kind of tokenizer and the arguments given here."""
        kind = "model" if hasattr(self._tokenizer, "save_pretrained") else "bytes"
        return {"tokenizer": kind, "chat_template_kwargs": self.chat_template_kwargs, "prefill": self.prefill}

    def save(self, folder: Path) -> None:
        """Write the tokenizer's own files to a folder, if it has any."""
        if hasattr(self._tokenizer, "save_pretrained"):
            self._tokenizer.save_pretrained(str(folder))

    @cached_property
    def _server_start(self) -> TokenIds:
        return _start_ids(self._tokenizer)

    def _encode_chunk(self, span: Span, at_start: bool) -> TokenIds:
        return self._codec.trusted(span.text, at_start=at_start) if span.trusted else self._codec.untrusted(span.text)


def _slot_spans(slot: Slot, spans: Sequence[Span]) -> list[Span]:
    """A turn's spans, trimmed at the edges where the template trims."""
    out = list(merged(spans))
    while slot.strip_left and out and not (text := out[0].text.lstrip()):
        out.pop(0)
    if slot.strip_left and out:
        out[0] = Span(text, out[0].trusted)
    while slot.strip_right and out and not (text := out[-1].text.rstrip()):
        out.pop()
    if slot.strip_right and out:
        out[-1] = Span(text, out[-1].trusted)
    return out


def _start_ids(tokenizer: TokenizerLike) -> TokenIds:
    """What the tokenizer itself puts in front of a text (a beginning-of-text token)."""
    bare = tokenizer.encode("a", add_special_tokens=False)
    full = tokenizer.encode("a", add_special_tokens=True)
    for place in range(len(full) - len(bare) + 1):
        if full[place : place + len(bare)] == bare:
            return tuple(full[:place])
    return ()
