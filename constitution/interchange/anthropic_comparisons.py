"""The comparisons of the Constitutional AI paper: a list of instructions to choose, each with `Options:` at its end.

As in anthropics/ConstitutionalHarmlessnessPaper, prompts/RLMadisonInstructions.json.
"""

from __future__ import annotations

import re
from typing import Final

from constitution.interchange.framing import frame, unframe
from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import COMPARE_QUESTION, Constitution, Principle
from tenet.ids import Json

_OPTIONS: Final = "Options:"
_CHOOSES: Final = re.compile(r"(?i)(please\s+)?(choose|compare|consider|select|pick|which)\b")


def _sniff(source: Source) -> bool:
    data = source.data
    return isinstance(data, list) and any(isinstance(item, str) and _ends(item) for item in data)


def _ends(item: str) -> bool:
    return item.rstrip().endswith(_OPTIONS)


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    rows = Rows(source, reading)
    data = source.json.data
    for index, item in enumerate(data if isinstance(data, list) else ()):
        line = rows.line((index,))
        if not isinstance(item, str):
            reading.problem(f"entry {index + 1} is no text", line)
            continue
        text = item.rstrip().removesuffix(_OPTIONS).strip()
        fields: dict[str, Json] = {"text": text}
        if apart := unframe(text):
            fields = {"compare": apart[0] if apart[0] != COMPARE_QUESTION else None, "text": apart[1]}
        reading.entries.append(Entry(line, fields))
    return reading


def _write(constitution: Constitution) -> str:
    return dump([f"\n{_instruction(principle)} {_OPTIONS}" for principle in constitution.principles])


def _instruction(principle: Principle) -> str:
    if principle.compare is None and _CHOOSES.match(principle.text) and unframe(principle.text) is None:
        return principle.text
    return frame(principle.compare_question, principle.text)


FORMAT: Final = Format(
    name="anthropic-comparisons",
    summary='JSON list of "Choose the response that ... Options:" of the same paper',
    carries=frozenset({"text", "compare"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
