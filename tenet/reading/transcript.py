r"""Reads transcripts of the form `\n\nHuman: ...\n\nAssistant: ...`, as Anthropic's HH-RLHF files hold them.

The form has no escapes: a text that itself holds a blank line and `Human:` cannot be told from a turn. A
preference row holds two whole transcripts that share their beginning; `split_pair` finds where they part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tenet.records import Message

ANSWER: Final = "\n\nAssistant:"
_START: Final = re.compile(r"\s*Human:")
_TURN: Final = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
_ROLES: Final = {"Human": "user", "Assistant": "assistant"}


def is_transcript(text: str) -> bool:
    """Whether a text opens with a human's turn, and has an answer or opens with a blank line (HH-RLHF)."""
    return _START.match(text) is not None and (text.startswith("\n\nHuman:") or ANSWER in text)


def parse_transcript(text: str) -> tuple[Message, ...]:
    """The turns of a transcript, white space around each removed.

    An empty last answer (an open turn) is left out.

    Raises:
        ValueError: the text does not open with a turn.
    """
    marks = list(_TURN.finditer(text))
    if not marks or marks[0].start() != 0:
        raise ValueError('a transcript starts with "Human:"')
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    turns = [Message(_ROLES[mark[1]], text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=True)]
    if turns[-1].role == "assistant" and not turns[-1].content:
        turns.pop()
    return tuple(turns)


@dataclass(frozen=True, slots=True)
class SplitPair:
    """Two transcripts parted into what they share and how each ends.

    `odd` says that the text before each one's own last answer is not the same, so that at least one of the
    endings holds a turn of its own; the prompt is still what both share, the endings are then no plain
    responses.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    odd: bool


def split_pair(chosen: str, rejected: str) -> SplitPair:
    """Part two transcripts at the last answer that both share the text before (their longest common prefix).

    Raises:
        ValueError: they share no answer's beginning, or do not open with a turn.
    """
    end = chosen.rfind(ANSWER)
    odd = end < 0 or end != rejected.rfind(ANSWER) or chosen[:end] != rejected[:end]
    if odd:
        end = chosen.rfind(ANSWER, 0, _shared(chosen, rejected))
    if end < 0:
        raise ValueError("the two transcripts share no turns")
    start = end + len(ANSWER)
    return SplitPair(parse_transcript(chosen[:end]), chosen[start:].strip(), rejected[start:].strip(), odd)


def _shared(one: str, other: str) -> int:
    """How many characters the two texts begin with in common, by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
