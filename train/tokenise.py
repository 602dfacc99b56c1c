"""Rows to token ids, exactly as TRL would make them, with the reason where a row cannot be learnt from.

TRL tokenises inside its trainers, where over-long rows vanish without a word. Here it happens before any
model is loaded, so that what is left out can be counted first. A contract test holds the ids equal to TRL's.
Knows no trainer and no file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Protocol

from tenet.errors import UsageError
from tenet.ids import Json, content_id
from train.rows import (
    Demonstration,
    Messages,
    Pair,
    Question,
    Rated,
    Reason,
    Text,
    Usable,
    contents,
    control_pattern,
    demonstration_of,
    pair_of,
    question_of,
    rated_of,
)

IGNORED = -100
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")

Batch = dict[str, list[Any]]
Columns = dict[str, list[Any]]
Record = dict[str, Any]


class Tokenizer(Protocol):
    """What is needed of a Hugging Face tokenizer."""

    eos_token: str | None
    chat_template: Any
    added_tokens_decoder: Any

    def __call__(self, text: Any) -> Any:
        """Tokenise texts, with the tokens that the model wants at the ends."""
        ...

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any:
        """Render conversations and tokenise them."""
        ...


@dataclass(frozen=True)
class Encoder:
    """A tokenizer with the limits of one training. Takes and gives columns, as `datasets.Dataset.map` does.

    A conversational row raises UsageError if the tokenizer has no chat template.
    """

    tokenizer: Tokenizer
    max_length: int
    template_kwargs: Mapping[str, Json] = field(default_factory=dict)

    def pairs(self, batch: Batch) -> Columns:
        """Tokenise preference rows.

        Returns:
            Columns `prompt_ids`, `chosen_ids`, `rejected_ids` (the model sees prompt + chosen), `p_chosen`,
            `weight`, `length` (tokens of the longer side), `flipped`, `prompt_key` (equal for equal prompts) and
            `reason` ("" where usable).
        """
        return _columns(self._each(_rows(batch), pair_of, self._pair_records, _no_pair))

    def conversations(self, batch: Batch) -> Columns:
        """Tokenise preference rows for a reward model: as `pairs`, with the prompt in front of either response."""
        columns = self.pairs(batch)
        prompts = columns.pop("prompt_ids", [])
        for side in ("chosen_ids", "rejected_ids"):
            columns[side] = [[*prompt, *ids] for prompt, ids in zip(prompts, columns.get(side, []), strict=True)]
        return columns

    def demonstrations(self, batch: Batch) -> Columns:
        """Tokenise SFT rows.

        Returns:
            Columns `input_ids`, `labels` (`IGNORED` on what is not learnt), `length`, `prompt_key` and `reason`
            ("" where usable).
        """
        rows = _rows(batch)
        return _columns(self._each(rows, demonstration_of, self._demonstration_records, _no_demonstration))

    def rated(self, batch: Batch) -> Columns:
        """Tokenise responses that are good or not.

        Returns:
            Columns `prompt_ids`, `completion_ids`, `p_good`, `weight`, `length`, `prompt_key` and `reason` ("" where
            usable).
        """
        return _columns(self._each(_rows(batch), rated_of, self._rated_records, _no_rating))

    def questions(self, batch: Batch) -> Columns:
        """Count the tokens of prompts, answers not included.

        A text is a user's turn where the model has a chat template, unless answers beside it are texts too.

        Returns:
            Columns `prompt`, `length`, `prompt_key` and `reason` ("" where usable).
        """
        return _columns(self._each(_rows(batch), self._question, self._question_records, _no_question))

    @property
    def marks_assistant(self) -> bool:
        """Whether the chat template marks what the assistant says, so that nothing else is learnt."""
        template = self.tokenizer.chat_template
        text = template.get("default", "") if isinstance(template, dict) else template or ""
        return _GENERATION.search(text) is not None

    @cached_property
    def _control(self) -> re.Pattern[str] | None:
        added = self.tokenizer.added_tokens_decoder.values()
        return control_pattern([token.content for token in added if token.special])

    def _each(
        self,
        rows: Sequence[Record],
        read: Callable[[Record], Any],
        encode: Callable[[list[Any]], list[Record]],
        refused: Callable[[Reason], Record],
    ) -> list[Record]:
        """Read and screen the rows, encode the good ones together (one by one if a template refuses any)."""
        read_rows = [self._screened(read(row)) for row in rows]
        good = [row for row in read_rows if not isinstance(row, Reason)]
        try:
            encoded = encode(good)
        except _template_errors():
            encoded = [self._alone(row, encode, refused) for row in good]
        following = iter(encoded)
        return [refused(row) if isinstance(row, Reason) else next(following) for row in read_rows]

    def _alone(
        self, row: Any, encode: Callable[[list[Any]], list[Record]], refused: Callable[[Reason], Record]
    ) -> Record:
        try:
            return encode([row])[0]
        except _template_errors():
            return refused(Reason.TEMPLATE)

    def _screened(self, row: Usable | Reason) -> Usable | Reason:
        """Refuse messages that spell a control token; a plain text may, for its author rendered it so."""
        if isinstance(row, Reason) or self._control is None:
            return row
        texts = [getattr(row, field.name) for field in fields(row)]
        spoken = "\n".join(contents(text) for text in texts if isinstance(text, list))
        return Reason.CONTROL_TOKENS if self._control.search(spoken) else row

    def _pair_records(self, pairs: list[Pair]) -> list[Record]:
        prompts = self._ids([pair.prompt for pair in pairs], opened=True)
        chosen = self._ids([_joined(pair.prompt, self._ended(pair.chosen)) for pair in pairs])
        rejected = self._ids([_joined(pair.prompt, self._ended(pair.rejected)) for pair in pairs])
        return [self._pair_record(*row) for row in zip(pairs, prompts, chosen, rejected, strict=True)]

    def _pair_record(self, pair: Pair, prompt: list[int], chosen: list[int], rejected: list[int]) -> Record:
        cut = min(_shared(prompt, chosen), _shared(prompt, rejected))
        length = max(len(chosen), len(rejected))
        reason = ""
        if length > self.max_length:
            reason = Reason.OVER_LONG.value
        elif chosen == rejected:
            reason = Reason.EQUAL.value
        elif len(chosen) == cut or len(rejected) == cut:
            reason = Reason.NO_TARGET.value
        return {
            "prompt_ids": prompt[:cut], "chosen_ids": chosen[cut:], "rejected_ids": rejected[cut:],
            "p_chosen": pair.p, "weight": pair.weight, "length": length, "flipped": pair.flipped,
            "prompt_key": _key(pair.prompt), "reason": reason,
        }  # fmt: skip

    def _rated_records(self, rows: list[Rated]) -> list[Record]:
        prompts = self._ids([row.prompt for row in rows], opened=True)
        wholes = self._ids([_joined(row.prompt, self._ended(row.completion)) for row in rows])
        return [self._rated_record(*row) for row in zip(rows, prompts, wholes, strict=True)]

    def _rated_record(self, row: Rated, prompt: list[int], whole: list[int]) -> Record:
        cut = _shared(prompt, whole)
        over_long = len(whole) > self.max_length
        reason = Reason.OVER_LONG.value if over_long else "" if len(whole) > cut else Reason.NO_TARGET.value
        return {
            "prompt_ids": prompt[:cut], "completion_ids": whole[cut:], "p_good": row.p_good, "weight": row.weight,
            "length": len(whole), "prompt_key": _key(row.prompt), "reason": reason,
        }  # fmt: skip

    def _question(self, row: Record) -> Question | Reason:
        found = question_of(row)
        rendered = any(isinstance(row.get(name), str) for name in ("chosen", "completion"))
        if (
            isinstance(found, Question)
            and isinstance(found.prompt, str)
            and self.tokenizer.chat_template
            and not rendered
        ):
            return Question([{"role": "user", "content": found.prompt}])
        return found

    def _question_records(self, rows: list[Question]) -> list[Record]:
        lengths = [len(ids) for ids in self._ids([row.prompt for row in rows], opened=True)]
        return [
            {
                "prompt": row.prompt, "length": length, "prompt_key": _key(row.prompt),
                "reason": Reason.OVER_LONG.value if length > self.max_length else "",
            }
            for row, length in zip(rows, lengths, strict=True)
        ]  # fmt: skip

    def _demonstration_records(self, shown: list[Demonstration]) -> list[Record]:
        return [self._demonstration_record(one) for one in shown]

    def _demonstration_record(self, shown: Demonstration) -> Record:
        prompt, completion = self._parts(shown)
        ids, learnt = self._learnt(prompt, completion)
        labels = [token if keep else IGNORED for token, keep in zip(ids, learnt, strict=True)]
        over_long = len(ids) > self.max_length
        reason = Reason.OVER_LONG.value if over_long else "" if any(learnt) else Reason.NO_TARGET.value
        key = _key(shown.completion[:1] if shown.prompt is None else shown.prompt)
        return {"input_ids": ids, "labels": labels, "length": len(ids), "prompt_key": key, "reason": reason}

    def _parts(self, shown: Demonstration) -> tuple[Text | None, Text]:
        """Tell what is given from what is learnt: without marks in the template, the last answer alone."""
        whole = shown.completion
        if shown.prompt is not None or isinstance(whole, str) or self.marks_assistant:
            return shown.prompt, whole
        last = max(i for i, turn in enumerate(whole) if turn["role"] == "assistant")
        return whole[:last], whole[last : last + 1]

    def _learnt(self, prompt: Text | None, completion: Text) -> tuple[list[int], list[bool]]:
        """Token ids of a demonstration, and which of them to learn."""
        text = self._ended(completion)
        whole = text if prompt is None else _joined(prompt, text)
        if isinstance(whole, list) and self.marks_assistant:
            marked = self._chat([whole], return_assistant_tokens_mask=True)
            ids, said = list(marked["input_ids"][0]), [bool(bit) for bit in marked["assistant_masks"][0]]
        else:
            ids = self._ids([whole])[0]
            said = [True] * len(ids)
        cut = _shared(self._ids([prompt], opened=True)[0], ids) if prompt else 0
        return ids, [i >= cut and learnt for i, learnt in enumerate(said)]

    def _ids(self, texts: Sequence[Text], *, opened: bool = False) -> list[list[int]]:
        """Token ids of conversations and texts; `opened` leaves the assistant's turn open."""
        chats = [text for text in texts if isinstance(text, list)]
        plain = [text for text in texts if isinstance(text, str)]
        chat_ids = iter(self._chat(chats, add_generation_prompt=opened)["input_ids"] if chats else [])
        plain_ids = iter(self.tokenizer(plain)["input_ids"] if plain else [])
        return [next(chat_ids if isinstance(text, list) else plain_ids) for text in texts]

    def _chat(self, chats: Sequence[Messages], **kwargs: Any) -> Any:
        if not self.tokenizer.chat_template:
            raise UsageError(
                "the data is conversational and the model has no chat template",
                hint="take the instruct version of the model, or write a chat_template.jinja into its folder",
            )
        return self.tokenizer.apply_chat_template(
            chats, tokenize=True, return_dict=True, **kwargs, **dict(self.template_kwargs)
        )

    def _ended(self, text: Text) -> Text:
        eos = self.tokenizer.eos_token or ""
        return text + eos if isinstance(text, str) and not text.endswith(eos) else text


def _template_errors() -> tuple[type[Exception], ...]:
    from jinja2.exceptions import TemplateError

    return (TemplateError,)


def _joined(prompt: Text, rest: Text) -> Text:
    if isinstance(prompt, list) and isinstance(rest, list):
        return prompt + rest
    assert isinstance(prompt, str)
    assert isinstance(rest, str)
    return prompt + rest


def _shared(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """Count the leading tokens that an opened prompt and the whole conversation share."""
    pairs = enumerate(zip(prompt, whole, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(prompt), len(whole)))


def _key(prompt: Text) -> str:
    return content_id("prompt", prompt)


def _no_pair(reason: Reason) -> Record:
    return {
        "prompt_ids": [], "chosen_ids": [], "rejected_ids": [],
        "p_chosen": 0.5, "weight": 0.0, "length": 0, "flipped": False, "prompt_key": "",
        "reason": reason.value,
    }  # fmt: skip


def _no_demonstration(reason: Reason) -> Record:
    return {"input_ids": [], "labels": [], "length": 0, "prompt_key": "", "reason": reason.value}


def _no_rating(reason: Reason) -> Record:
    return {
        "prompt_ids": [], "completion_ids": [], "p_good": 0.5, "weight": 0.0, "length": 0, "prompt_key": "",
        "reason": reason.value,
    }  # fmt: skip


def _no_question(reason: Reason) -> Record:
    return {"prompt": None, "length": 0, "prompt_key": "", "reason": reason.value}


def _rows(batch: Batch) -> list[Record]:
    names = list(batch)
    return [dict(zip(names, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def _columns(records: Sequence[Record]) -> Columns:
    return {name: [record[name] for record in records] for name in records[0]} if records else {}
