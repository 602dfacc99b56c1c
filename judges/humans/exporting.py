"""Writes labels, and pairs to be labelled, for Argilla, Label Studio, and as CSV or JSONL; `tenet labels import` brings all of them
back whole.

A `Task` is a pair with what was said of it. Labels of one pair by several people are one task where they agree in all but the person
and the choice, for the tools keep several answers to a task; what differs otherwise (a time, a strength) is another task. Order among
the labels of a file may change on the way, and nothing else. Knows no run folder.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from judges.formats.argilla import DISCARDED, QUESTION, SUBMITTED
from judges.formats.label_studio import NAMES
from judges.formats.label_studio import OWN as OWN_FIELD
from judges.formats.ours import prompt_cell
from judges.humans.labels import COLUMNS, label_to_json
from tenet.ids import Json, canonical_json, content_id
from tenet.records import Choice, Label, Message, Prompt
from tenet.spreadsheet import guarded

_COLUMNS: Final = (*COLUMNS, "source")
_SAID: Final = ("preference", "annotator")
_TEXTS: Final = ("prompt", "response_a", "response_b")
_SELECTED: Final = {Choice.A: "left", Choice.B: "right"}
_MARK: Final = "\ufeff"
Row = dict[str, Json]


@dataclass(frozen=True)
class Task:
    """A pair, what else is known of it under Tenet's column names, and who said what of it; nobody, where it is to be labelled."""

    prompt: tuple[Message, ...]
    response_a: str
    response_b: str
    fields: Mapping[str, Json]
    said: dict[str, Choice] = field(default_factory=dict)


def tasks_of(labels: Iterable[Label]) -> list[Task]:
    """Gather labels into tasks, in the order in which their pairs come first."""
    found: dict[str, list[Task]] = {}
    ordered: list[Task] = []
    for label in labels:
        row = label_to_json(label)
        fields: Row = {name: row[name] for name in _COLUMNS if name in row and name not in (*_SAID, *_TEXTS)}
        key = content_id("task", row["prompt"], label.response_a, label.response_b, fields)
        task = next((one for one in found.get(key, ()) if label.annotator not in one.said), None)
        if task is None:
            task = Task(label.prompt, label.response_a, label.response_b, fields)
            found.setdefault(key, []).append(task)
            ordered.append(task)
        task.said[label.annotator] = label.preference
    return ordered


def argilla(tasks: Iterable[Task]) -> Iterator[str]:
    """Records of Argilla 2, one a line: fields (the prompt as messages), the question `preference` (a, b, tie; discarded for a skip), the
    rest as metadata.
    """
    for task in tasks:
        said = task.said.items()
        row = {
            **_row(task, cells=False),
            "prompt": _messages(task.prompt),
            f"{QUESTION}.responses": [None if choice is Choice.SKIP else choice.value for _, choice in said],
            f"{QUESTION}.responses.users": [who for who, _ in said],
            f"{QUESTION}.responses.status": [DISCARDED if choice is Choice.SKIP else SUBMITTED for _, choice in said],
        }
        yield canonical_json({name: value for name, value in row.items() if name not in _SAID}) + "\n"


def label_studio(tasks: Iterable[Task]) -> Iterator[str]:
    """A JSON array of tasks: `prompt`, `left` and `right` to be shown, the rest under `tenet`, an annotation for each person.

    People are named under `tenet`, for the tool refuses a file with an author who is no user of it.
    """
    yield "["
    for place, task in enumerate(tasks):
        prompt, own = prompt_cell(task.prompt), dict(task.fields)
        if not isinstance(prompt, str):
            own["prompt"] = prompt
        data: Row = {
            "prompt": Prompt.of(task.prompt).text,
            "left": task.response_a,
            "right": task.response_b,
            OWN_FIELD: own,
        }
        if task.said:
            own[NAMES] = {str(number): who for number, who in enumerate(task.said, 1)}
        told: list[Json] = [_annotation(number, choice) for number, choice in enumerate(task.said.values(), 1)]
        yield ("," if place else "") + "\n" + canonical_json({"data": data, "annotations": told})
    yield "\n]\n"


def _annotation(number: int, choice: Choice) -> Row:
    result: list[Json] = []
    if choice in _SELECTED:
        at: Row = {"from_name": QUESTION, "to_name": "left,right"}
        result = [{**at, "type": "pairwise", "value": {"selected": _SELECTED[choice]}}]
    elif choice is Choice.TIE:
        result = [{"from_name": "tie", "to_name": "prompt", "type": "choices", "value": {"choices": ["tie"]}}]
    return {"id": number, "was_cancelled": choice is Choice.SKIP, "result": result}


def jsonl(tasks: Iterable[Task]) -> Iterator[str]:
    """Tenet's own columns, one label a line; of a pair to be labelled with `preference` and `annotator` empty."""
    for row in _flat(tasks, cells=False):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def csv_rows(tasks: Iterable[Task]) -> Iterator[str]:
    """The same as a table, with the mark and line ends that spreadsheets expect; no text is taken for a formula."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\r\n", restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    yield _MARK
    for row in _flat(tasks, cells=True):
        writer.writerow({name: _cell(value) for name, value in row.items()})
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Json) -> Json:
    return guarded(value) if isinstance(value, str) else "" if value is None else value


def _flat(tasks: Iterable[Task], *, cells: bool) -> Iterator[Row]:
    for task in tasks:
        row = _row(task, cells=cells)
        for who, choice in task.said.items():
            yield {**row, "preference": choice.value, "annotator": who}
        if not task.said:
            yield row


def _row(task: Task, *, cells: bool) -> Row:
    prompt = prompt_cell(task.prompt)
    if cells and not isinstance(prompt, str):
        prompt = json.dumps(prompt, ensure_ascii=False)
    texts: Row = {"prompt": prompt, "response_a": task.response_a, "response_b": task.response_b}
    return {**texts, "preference": None, "annotator": None, **task.fields}


def _messages(prompt: tuple[Message, ...]) -> Json:
    return [{"role": turn.role, "content": turn.content} for turn in prompt]


WRITERS: Final[Mapping[str, Callable[[Iterable[Task]], Iterator[str]]]] = {
    "argilla": argilla,
    "label-studio": label_studio,
    "csv": csv_rows,
    "jsonl": jsonl,
}
