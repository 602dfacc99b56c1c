"""Files of annotation tools whose items carry Tenet's own columns beside the tool's: how a label is made of the two, and a prompt written.

A tool keeps what it knows (who, which side, when); what it does not (strength, principle, chances, ids) stands beside it under the names of
Tenet's label record, so that an export comes back whole. Knows no tool.
"""

from __future__ import annotations

from collections.abc import Mapping

from judges.formats.base import Row, Source
from judges.humans.labels import COLUMNS, parse_label
from tenet.ids import Json
from tenet.reading.turns import Unreadable, turns_of
from tenet.records import Label, Message

GIVEN = frozenset((*COLUMNS, "source")) - {"preference", "annotator"}


def label_of(row: Row, said: Row, source: Source, place: str) -> Label:
    """The label that a row's columns and what was said make.

    Raises:
        Unreadable: they make none; with all that is wrong.
    """
    told = {**{name: value for name, value in row.items() if name in GIVEN}, **said}
    where = told.get("source")
    parsed = parse_label(
        told,
        source=where if isinstance(where, str) and where else place,
        cells=source.rows.cells,
        choices=source.columns.choices,
    )
    source.cleaning += parsed.cleaning
    if parsed.label is None:
        raise Unreadable("; ".join(parsed.problems))
    return parsed.label


def prompt_cell(prompt: tuple[Message, ...]) -> Json:
    """A prompt as one text where it reads back the same, else as messages."""
    text = prompt[0].content if len(prompt) == 1 and prompt[0].role == "user" else None
    if text is not None:
        try:
            if turns_of(text, cell=True) == prompt and not text.lstrip().startswith("[{"):
                return text
        except (Unreadable, ValueError):
            pass
    return [{"role": turn.role, "content": turn.content} for turn in prompt]


def table(value: object) -> Mapping[str, object]:
    """A column that holds a table; none where it holds something else."""
    return value if isinstance(value, Mapping) else {}
