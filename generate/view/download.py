"""Writes the pairs that a query finds into a file, with their texts: JSON lines, CSV or Parquet. Knows the catalogue.

CSV is for spreadsheets, so its texts are guarded against being taken for formulas; the other two hold them as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from generate.view.catalogue import Catalogue
from generate.view.query import Query
from generate.view.shards import quoted
from tenet.errors import UsageError
from tenet.spreadsheet import guarded_sql

FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "jsonl": ("FORMAT json", "application/jsonl"),
    "csv": ("FORMAT csv, HEADER, FORCE_QUOTE *", "text/csv; charset=utf-8"),
    "parquet": ("FORMAT parquet, COMPRESSION zstd", "application/vnd.apache.parquet"),
}
_LISTS: Final = ("prompt", "principles", "principle_versions", "judges", "outcomes", "tags")
_NUMBERS: Final = (
    "p_chosen", "p_chosen_shown_first", "p_chosen_shown_second", "judge_margin", "weight", "flipped", "judgements",
)  # fmt: skip
_COLUMNS: Final = {
    "run": "run_name",
    "id": "pair_id",
    "key": "key",
    "prompt_id": "asked.id",
    "chosen_id": "better.id",
    "rejected_id": "worse.id",
    "prompt": "list_transform(range(1, len(asked.turns) + 1), lambda i: {'role': asked.roles[i], 'content': asked.turns[i]})",
    "chosen": "better.text",
    "rejected": "worse.text",
    "p_chosen": "q.p",
    "p_chosen_shown_first": "shown_first",
    "p_chosen_shown_second": "shown_second",
    "judge_margin": "q.margin",
    "weight": "weight",
    "flipped": "flipped",
    "judgements": "judgements",
    "state": "state",
    "source": "source",
    "split": "split",
    "principles": "principles",
    "principle_versions": "versions",
    "judges": "judges",
    "outcomes": "outcomes",
    "tags": "q.tags",
    "chosen_policy": "better.policy",
    "rejected_policy": "worse.policy",
}


def write_found(catalogue: Catalogue, query: Query, form: str, path: Path) -> None:
    """Write all pairs that a query finds, in the order of the runs. In CSV lists are JSON, and texts are guarded.

    Raises:
        UsageError: there is no such format, or the query names a run that is not here.
    """
    if form not in FORMATS:
        raise UsageError(f"there is no format {form}", hint=f"the formats are {', '.join(FORMATS)}")
    where = catalogue.where(query)
    columns = ", ".join(f"{_cell(name) if form == 'csv' else _COLUMNS[name]} AS {name}" for name in _COLUMNS)
    numbers = [catalogue.number(query.run)] if query.run else range(len(catalogue.names))
    parts = " UNION ALL ".join(
        f"SELECT {number} AS run, q.no, {quoted(catalogue.names[number])} AS run_name, q.* EXCLUDE (no), asked, better, worse "  # noqa: S608
        f"FROM r{number}.pairs q JOIN r{number}.prompts asked ON asked.no = q.prompt JOIN r{number}.texts better ON better.no = q.chosen "
        f"JOIN r{number}.texts worse ON worse.no = q.rejected"
        for number in numbers
    )
    options = FORMATS[form][0]
    catalogue.cursor().execute(
        f"COPY (SELECT {columns} FROM ({parts}) q WHERE {where.sql} ORDER BY run, no) TO {quoted(str(path))} ({options})",  # noqa: S608
        where.values,
    )


def _cell(name: str) -> str:
    sql = _COLUMNS[name]
    if name in _LISTS:
        return f"to_json({sql})"
    return sql if name in _NUMBERS else guarded_sql(sql)
