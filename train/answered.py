"""Token ids of prompts with a response each, as `tenet train reward` makes them of its rows, whatever the texts spell.

A training leaves out rows whose messages spell a control token; whoever scores responses of a policy cannot. Such a text is
rendered with marks in the place of its words, and words and template are tokenised apart, so that no control token comes out of
the words (`engines.codec`). All other texts go the way of the training itself. Knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engines.codec import TextCodec
from tenet.ids import Json
from train.rows import Text
from train.tokenise import Encoder

_MARK: Final = "\u2063WORDS{}\u2063"
_MARKS: Final = re.compile("\u2063WORDS(\\d+)\u2063")
_ANY_LENGTH: Final = 2**40


class AnsweredEncoder:
    """A tokenizer with its chat template's arguments. Prompts are conversations, or plain texts that a response is put behind.

    A conversation raises UsageError if the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any, template_kwargs: Mapping[str, Json] | None = None) -> None:
        self._tokenizer = tokenizer
        self._kwargs = dict(template_kwargs or {})
        self._encoder = Encoder(tokenizer, _ANY_LENGTH, self._kwargs)
        self._codec = TextCodec(tokenizer)

    def ids(self, prompts: Sequence[Text], responses: Sequence[str]) -> list[list[int]]:
        """Give the token ids of each prompt with its response, ended as an answer ends."""
        if not prompts:
            return []
        completions = [
            [{"role": "assistant", "content": response}] if isinstance(prompt, list) else response
            for prompt, response in zip(prompts, responses, strict=True)
        ]
        done = self._encoder.demonstrations({"prompt": list(prompts), "completion": completions})
        return [
            self._by_spans(prompt, response) if reason or self._spells_control(prompt, response) else found
            for prompt, response, found, reason in zip(prompts, responses, done["input_ids"], done["reason"], strict=True)
        ]  # fmt: skip

    def _spells_control(self, prompt: Text, response: str) -> bool:
        """Whether a response to a plain text would yield control tokens; of conversations the encoder has seen to that."""
        if not isinstance(prompt, str):
            return False
        ids = self._tokenizer(response, add_special_tokens=False)["input_ids"]
        return not self._codec.control_ids.isdisjoint(ids)

    def _by_spans(self, prompt: Text, response: str) -> list[int]:
        if isinstance(prompt, str):
            eos = self._tokenizer.eos_token or ""
            return [*self._tokenizer(prompt)["input_ids"], *self._codec.untrusted(response), *self._codec.trusted(eos)]
        turns = [*prompt, {"role": "assistant", "content": response}]
        marked = [{**turn, "content": _MARK.format(place)} for place, turn in enumerate(turns)]
        text = self._tokenizer.apply_chat_template(marked, tokenize=False, **self._kwargs)
        ids: list[int] = []
        for place, part in enumerate(_MARKS.split(text)):
            if place % 2:
                ids += self._codec.untrusted(turns[int(part)]["content"])
            elif part:
                ids += self._codec.trusted(part, at_start=place == 0)
        return ids
