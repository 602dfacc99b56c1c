"""Rubrics on a scale of 1 to 5, as Prometheus reads them: `criteria`, `score1_description` to `score5_description`.

As JSON (one, a list, or under `score_rubric`), or as the text that its prompts hold. The fifth description is the
behaviour to prefer and becomes the text; criteria that are a question become the question of a critique. Descriptions 1
to 4 have no place in a principles file; those written are the same for every principle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from constitution.interchange.framing import frame, unframe
from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import CRITIQUE_QUESTION, Constitution, Principle
from tenet.ids import Json
from tenet.yamlfile import Pointer, Yaml

_SCORES: Final = tuple(f"score{number}_description" for number in range(1, 6))
_LADDER: Final = {
    "score1_description": "The response goes against this principle.",
    "score2_description": "The response mostly goes against this principle.",
    "score3_description": "The response partly follows this principle.",
    "score4_description": "The response mostly follows this principle.",
}
_TEXT: Final = re.compile(r"^\[(?P<criteria>[^\n]*)\]\s*\n(?P<scores>(?:Score [1-5]:.*(?:\n|\Z))+)", re.MULTILINE)
_SCORE: Final = re.compile(r"^Score ([1-5]):[ \t]*(.*)$", re.MULTILINE)
_NESTED: Final = "score_rubric"


def _sniff(source: Source) -> bool:
    data = source.data
    if data is None:
        return _TEXT.match(source.text.lstrip()) is not None
    items = data if isinstance(data, list) else [data]
    return any(isinstance(item, dict) and ("criteria" in item or _NESTED in item) for item in items)


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    for line, table in _tables(source, reading):
        _add(reading, line, table)
    return reading


def _add(reading: Reading, line: int, table: dict[str, str]) -> None:
    criteria, text = table["criteria"].strip(), table[_SCORES[-1]]
    fields: dict[str, Json] = {"text": text}
    name = ""
    apart = unframe(criteria)
    question = apart[0] if apart and apart[1] == text.strip() else criteria
    if not question.endswith("?") and not apart:
        name = criteria
    elif question != CRITIQUE_QUESTION:
        fields["critique"] = question
    for key, generic in _LADDER.items():
        if table.get(key, generic).strip() != generic:
            reading.skip(f"`{key}`", line)
    reading.entries.append(Entry(line, fields, name))


def _tables(source: Source, reading: Reading) -> Iterator[tuple[int, dict[str, str]]]:
    if source.data is None:
        for found in _TEXT.finditer(source.text):
            line = source.text.count("\n", 0, found.start()) + 1
            scores = {f"score{number}_description": told for number, told in _SCORE.findall(found["scores"])}
            if _SCORES[-1] in scores:
                yield line, {"criteria": found["criteria"], **scores}
            else:
                reading.problem("a rubric without a line `Score 5: ...`", line)
        return
    rows = Rows(source, reading)
    seen: set[tuple[str, ...]] = set()
    for pointer, item in _items(rows, source.json.data):
        table = {key: rows.text(item, key, pointer) for key in ("criteria", *_SCORES)}
        rows.leave(item, ("criteria", *_SCORES), pointer)
        if pointer[-1:] == (_NESTED,) and tuple(table.values()) in seen:
            reading.skip("the same rubric once more", rows.line(pointer))
            continue
        seen.add(tuple(table.values()))
        yield rows.line(pointer), table


def _items(rows: Rows, data: Yaml) -> Iterator[tuple[Pointer, dict[str, Yaml]]]:
    """Yield the rubrics of a file, those of benchmark rows included."""
    found = [((), data)] if isinstance(data, dict) else rows.tables(data)
    for pointer, item in found:
        inner = item.get(_NESTED)
        if isinstance(inner, dict):
            rows.leave(item, (_NESTED,), pointer)
            yield (*pointer, _NESTED), inner
        else:
            yield pointer, item


def _write(constitution: Constitution) -> str:
    return dump([_table(principle) for principle in constitution.principles])


def _table(principle: Principle) -> dict[str, Json]:
    question = principle.critique_question
    return {
        "criteria": question if _alone(principle) else frame(question, principle.text),
        **_LADDER,
        _SCORES[-1]: principle.text,
    }


def _alone(principle: Principle) -> bool:
    """Tell whether the question of a critique says by itself what is asked."""
    question = principle.critique or ""
    return question.endswith("?") and "this principle" not in question and unframe(question) is None


FORMAT: Final = Format(
    name="rubric",
    summary="rubrics from 1 to 5 (Prometheus): criteria, score1_description to score5_description",
    carries=frozenset({"text", "critique"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
