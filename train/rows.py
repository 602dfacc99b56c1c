"""One row of a preference or SFT data set, as its author wrote it, brought into one shape.

Text is either conversational (lists of messages) or standard (strings), as TRL calls the two forms. Knows no
tokenizer and no tensor, only why a row cannot be learnt from when its text alone shows it; what only its
tokens show is `train.tokenise`'s.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Messages = list[dict[str, str]]
Text = str | Messages
Row = Mapping[str, object]


class Reason(StrEnum):
    """Why a row is left out."""

    EMPTY = "empty"
    EQUAL = "equal"
    MALFORMED = "malformed"
    BAD_LABEL = "bad_label"
    CONTROL_TOKENS = "control_tokens"
    OVER_LONG = "over_long"
    NO_TARGET = "no_target"
    TEMPLATE = "template"
    TIE = "tie"
    BAD_MARGIN = "bad_margin"


MEANING: Mapping[Reason, str] = {
    Reason.EMPTY: "an empty prompt or response",
    Reason.EQUAL: "chosen equals rejected",
    Reason.MALFORMED: "columns that hold neither text nor messages with role and content",
    Reason.BAD_LABEL: "a probability outside [0, 1], a label that contradicts it, or a weight that is negative or not finite",
    Reason.CONTROL_TOKENS: "text that the tokenizer would read as control tokens",
    Reason.OVER_LONG: "longer than max_length",
    Reason.NO_TARGET: "nothing said by the assistant to learn",
    Reason.TEMPLATE: "turns that the chat template refuses",
    Reason.TIE: "a p_chosen of 0.5, in which hard labels see no order",
    Reason.BAD_MARGIN: "a judge_margin that is missing, or speaks against the label",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two responses to one prompt; `p` is P(chosen is better), at least 0.5.

    `flipped` says that the sides were exchanged to make it so, which changes neither loss nor gradient.
    """

    prompt: Text
    chosen: Text
    rejected: Text
    p: float
    weight: float
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A response to imitate. Where `prompt` is None, `completion` is a whole conversation or a plain text."""

    prompt: Text | None
    completion: Text


@dataclass(frozen=True, slots=True)
class Rated:
    """A response that is good with probability `p_good`."""

    prompt: Text
    completion: Text
    p_good: float
    weight: float


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt that is answered while training."""

    prompt: Text


Usable = Pair | Demonstration | Rated | Question


def pair_of(row: Row) -> Pair | Reason:
    """Read a preference row: `chosen` and `rejected`, with a `prompt` or with shared turns in front."""
    chosen, rejected = _text(row.get("chosen")), _text(row.get("rejected"))
    prompt = _text(row.get("prompt")) if row.get("prompt") is not None else None
    if chosen is None or rejected is None or type(chosen) is not type(rejected):
        return Reason.MALFORMED if _present(row, "chosen", "rejected") else Reason.EMPTY
    if isinstance(prompt, str) and isinstance(chosen, list) and chosen and chosen[0]["role"] == "assistant":
        prompt = [{"role": "user", "content": prompt}]
    elif prompt is None or type(prompt) is not type(chosen):
        prompt, chosen, rejected = shared_prompt(chosen, rejected)
    if blank(prompt) or blank(chosen) or blank(rejected):
        return Reason.EMPTY if chosen != rejected else Reason.EQUAL
    label = _label(row)
    if chosen == rejected or label is None:
        return Reason.EQUAL if chosen == rejected else Reason.BAD_LABEL
    p, weight = label
    if p < 0.5:
        return Pair(prompt, rejected, chosen, 1.0 - p, weight, flipped=True)
    return Pair(prompt, chosen, rejected, p, weight)


def demonstration_of(row: Row) -> Demonstration | Reason:
    """Read an SFT row: `prompt` and `completion`, or `messages`, or `text`."""
    if row.get("completion") is not None:
        prompt, completion = _text(row.get("prompt")), _text(row.get("completion"))
        if prompt is None or completion is None or type(prompt) is not type(completion):
            return Reason.MALFORMED if _present(row, "prompt") else Reason.EMPTY
        return Reason.EMPTY if blank(prompt) or blank(completion) else Demonstration(prompt, completion)
    whole = _text(row.get("messages") if row.get("messages") is not None else row.get("text"))
    if whole is None:
        return Reason.EMPTY if not _present(row, "messages", "text") else Reason.MALFORMED
    if blank(whole):
        return Reason.EMPTY
    if isinstance(whole, list) and not any(turn["role"] == "assistant" for turn in whole):
        return Reason.NO_TARGET
    return Demonstration(None, whole)


def rated_of(row: Row) -> Rated | Reason:
    """Read a row of `prompt`, `completion` and `label` (good or not), with `p_good` where somebody gave it."""
    shown = demonstration_of({"prompt": row.get("prompt"), "completion": row.get("completion")})
    if isinstance(shown, Reason):
        return shown
    label = row.get("label")
    given = {"p_chosen": float(bool(label)) if row.get("p_good") is None else row["p_good"]}
    found = _label({**given, "weight": row.get("weight", 1.0)})
    if label not in (0, 1) or found is None or shown.prompt is None or (found[0] > 0.5) != bool(label):
        return Reason.BAD_LABEL
    return Rated(shown.prompt, shown.completion, *found)


def question_of(row: Row) -> Question | Reason:
    """Read a prompt, or the turns that the two sides of a pair share."""
    prompt = _text(row.get("prompt"))
    if row.get("prompt") is None:
        chosen, rejected = _text(row.get("chosen")), _text(row.get("rejected"))
        if chosen is not None and type(chosen) is type(rejected):
            prompt = shared_prompt(chosen, rejected)[0]
    if prompt is None:
        return Reason.MALFORMED if _present(row, "prompt", "chosen") else Reason.EMPTY
    return Reason.EMPTY if blank(prompt) else Question(prompt)


def shared_prompt(chosen: Text, rejected: Text) -> tuple[Text, Text, Text]:
    """Split two full conversations into the turns (or characters) that they share and the two ends."""
    if isinstance(chosen, list) and isinstance(rejected, list):
        cut = _common(chosen, rejected)
        return chosen[:cut], chosen[cut:], rejected[cut:]
    assert isinstance(chosen, str)
    assert isinstance(rejected, str)
    cut = _common(chosen, rejected)
    if chosen[cut - 1 : cut] == " " and cut < len(chosen):
        cut -= 1  # the space in front of a word belongs to its token
    return chosen[:cut], chosen[cut:], rejected[cut:]


def blank(text: Text) -> bool:
    """Whether a text or conversation says nothing."""
    if isinstance(text, str):
        return not text.strip()
    return not text or all(not turn["content"].strip() for turn in text)


def contents(text: Text) -> str:
    """All that is said in a conversation, as one string to search in; a plain text as it stands."""
    return text if isinstance(text, str) else "\n".join(turn["content"] for turn in text)


def control_pattern(literals: Sequence[str]) -> re.Pattern[str] | None:
    """Make a pattern that finds a tokenizer's control tokens in a text; None for a tokenizer without."""
    named = sorted({literal for literal in literals if literal.strip()}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, named))) if named else None


def _common(a: Sequence[object], b: Sequence[object]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _present(row: Row, *names: str) -> bool:
    return any(row.get(name) is not None for name in names)


def _text(value: object) -> Text | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, tuple)):
        return None
    turns = [_turn(item) for item in value]
    return [turn for turn in turns if turn is not None] if all(turn is not None for turn in turns) else None


def _turn(item: object) -> dict[str, str] | None:
    if not isinstance(item, Mapping):
        return None
    role, content = item.get("role"), item.get("content")
    return {"role": role, "content": content} if isinstance(role, str) and isinstance(content, str) else None


def _label(row: Row) -> tuple[float, float] | None:
    p, weight = row.get("p_chosen", 1.0), row.get("weight", 1.0)
    if not isinstance(p, (int, float)) or not isinstance(weight, (int, float)):
        return None
    p, weight = float(p), float(weight)
    return (p, weight) if 0.0 <= p <= 1.0 and weight >= 0.0 and math.isfinite(weight) else None
