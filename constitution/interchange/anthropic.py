"""The critiques and revisions of the Constitutional AI paper: a table of name to `prompt` and `edit_request`.

As in anthropics/ConstitutionalHarmlessnessPaper, prompts/CritiqueRevisionInstructions.json. Knows nothing of the
comparisons of that repository, which are another file.
"""

from __future__ import annotations

import re
from typing import Final

from constitution.interchange.framing import from_requests, remarks, to_requests
from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import Constitution

_CRITIQUE: Final = re.compile(r"\s*CritiqueRequest:(.*?)(?:Critique:\s*)?\Z", re.DOTALL)
_REVISION: Final = re.compile(r"\s*RevisionRequest:(.*?)(?:Revision:\s*)?\Z", re.DOTALL)


def _sniff(source: Source) -> bool:
    data = source.data
    return (
        isinstance(data, dict)
        and bool(data)
        and all(isinstance(item, dict) and item.keys() & {"prompt", "edit_request"} for item in data.values())
    )


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    rows = Rows(source, reading)
    data = source.json.data
    for name, item in data.items() if isinstance(data, dict) else ():
        if not isinstance(item, dict):
            reading.problem(f'"{name}" is no table', rows.line((name,)))
            continue
        line = rows.line((name,))
        prompt = item.get("prompt")
        parts = [prompt] if isinstance(prompt, str) else prompt
        if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
            reading.problem("`prompt` must be a list of texts", rows.line((name, "prompt")))
            continue
        critique = "\n".join(_within(_CRITIQUE, str(part)) for part in parts)
        fields = from_requests(critique, _within(_REVISION, rows.text(item, "edit_request", (name,))))
        rows.leave(item, ("prompt", "edit_request"), (name,))
        reading.entries.append(Entry(line, fields, name))
    reading.remarks += remarks(reading.entries)
    return reading


def _within(pattern: re.Pattern[str], text: str) -> str:
    """Take a request out of the words that it is wrapped in."""
    found = pattern.match(text)
    return (found[1] if found else text).strip()


def _write(constitution: Constitution) -> str:
    table = {}
    for principle in constitution.principles:
        critique, revision = to_requests(principle)
        table[principle.id] = {
            "prompt": [f"\n\nCritiqueRequest: {critique}\n\nCritique:"],
            "edit_request": f"\n\nRevisionRequest: {revision}\n\nRevision:",
        }
    return dump(table)


FORMAT: Final = Format(
    name="anthropic",
    summary="JSON of the Constitutional AI paper: {name: {prompt, edit_request}}",
    carries=frozenset({"id", "text", "critique", "revise"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
