"""The columns of exported files: a name, a kind and a meaning, said once for files and dataset card alike.

Knows no exporter. Arrow types are made where a file is written. No column may be called `margin` (TRL's
RewardTrainer subtracts it in the loss unasked) nor bear a name that makes TRL believe that rows are tokenised
already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tenet.ids import Json
from tenet.records import Message

Row = dict[str, Json]

FORBIDDEN: Final = frozenset(
    {
        "margin",
        "chosen_ids",
        "rejected_ids",
        "prompt_ids",
        "completion_ids",
        "input_ids",
        "labels",
        "image",
        "images",
        "tools",
        "chat_template_kwargs",
        "ref_chosen_logps",
        "ref_rejected_logps",
        "ref_logps",
    }
)


class Kind(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    TEXTS = "list of texts"
    MESSAGES = "list of messages (role, content)"
    COMPLETIONS = "list of completions (rank, messages)"
    NUMBER = "number"
    TRUTH = "true or false"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `meaning` is a sentence for the dataset card."""

    name: str
    kind: Kind
    meaning: str

    def __post_init__(self) -> None:
        if self.name in FORBIDDEN:
            raise ValueError(f"a column called {self.name} changes what trainers do")


PROMPT: Final = Column("prompt", Kind.MESSAGES, "The turns up to the response, the last one the user's.")
PROMPT_ID: Final = Column("prompt_id", Kind.TEXT, "Content id of the prompt: equal prompts have equal ids everywhere.")
PRINCIPLES: Final = Column(
    "principles", Kind.TEXTS, "Ids of the principles that were asked about; empty text: all at once."
)
VERSIONS: Final = Column(
    "principle_versions",
    Kind.TEXTS,
    "The wordings that the model saw, as id@digest of text and question (of a revision: text and instruction); "
    "empty where they were not recorded.",
)
SPLIT: Final = Column("split", Kind.TEXT, "train or test, by a hash of the prompt's id.")
WEIGHT: Final = Column(
    "weight", Kind.NUMBER, "Weight by design (1 unless the pairs of a prompt share it), never reliability."
)


def turns(messages: Iterable[Message]) -> list[Json]:
    """Return messages as trainers read them."""
    return [{"role": message.role, "content": message.content} for message in messages]


def answer(text: str) -> list[Json]:
    """Return a response as the one message that it is."""
    return [{"role": "assistant", "content": text}]


def schema_of(columns: Sequence[Column]) -> Any:
    """Make the Arrow schema of these columns."""
    import pyarrow as pa

    message = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
    types = {
        Kind.TEXT: pa.string(),
        Kind.TEXTS: pa.list_(pa.string()),
        Kind.MESSAGES: pa.list_(message),
        Kind.COMPLETIONS: pa.list_(
            pa.struct([pa.field("rank", pa.int64()), pa.field("completion", pa.list_(message))])
        ),
        Kind.NUMBER: pa.float64(),
        Kind.TRUTH: pa.bool_(),
    }
    return pa.schema([pa.field(column.name, types[column.kind]) for column in columns])
