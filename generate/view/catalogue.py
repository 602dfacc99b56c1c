"""Answers queries about the pairs of one or many runs from their indexes. Knows indexes and queries, no run folder and no protocol.

A search reads all texts once and keeps which pairs it found, so that filters, orders and pages of one search cost no more than those
without. Safe to call from several threads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from generate.view.index import connect
from generate.view.query import PAGE_SIZE, People, Query, Sort
from generate.view.shards import quoted
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Label, prompt_id

if TYPE_CHECKING:
    import duckdb

KEPT_SEARCHES: Final = 8
MOST_VALUES: Final = 300
EXCERPT: Final = 160
_ORDERS: Final = {
    Sort.RUN: "run, no",
    Sort.SURE: "margin DESC NULLS LAST, run, no",
    Sort.UNSURE: "margin NULLS LAST, run, no",
    Sort.APART: "abs(shown_first - shown_second) DESC NULLS LAST, run, no",
    Sort.LONGER: "longer DESC, run, no",
    Sort.SHORTER: "longer, run, no",
}
_LISTS: Final = {"principle": "principles", "judge": "judges", "outcome": "outcomes", "tag": "tags"}
_WORDS: Final = ("source", "split", "state")
_ROW: Final = [
    "run",
    "no",
    "key",
    "state",
    "source",
    "p",
    "margin",
    "flipped",
    "longer",
    "principles",
    "outcomes",
    "split",
]


@dataclass(frozen=True, slots=True)
class Found:
    """A page of pairs, and how many there are on all pages."""

    total: int
    rows: tuple[dict[str, Json], ...]


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL with its values."""

    sql: str
    values: tuple[Any, ...]


class Catalogue:
    """The pairs of several runs. `indexes` are files by the name that the view gives each run; `scratch` is a folder for what does not
    fit in memory.
    """

    def __init__(self, indexes: Sequence[tuple[str, Path]], scratch: Path) -> None:
        self.names = tuple(name for name, _ in indexes)
        self._connection = connect(":memory:", scratch=scratch)
        self._lock = threading.Lock()
        self._searches: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._made = 0
        for number, (_, path) in enumerate(indexes):
            self._connection.execute(f"ATTACH {quoted(str(path))} AS r{number} (READ_ONLY)")
        self._connection.execute(
            "CREATE TABLE votes (run INTEGER, key VARCHAR, annotator VARCHAR, said VARCHAR, strength DOUBLE, principle VARCHAR, "
            "comment VARCHAR, time VARCHAR, source VARCHAR)"
        )

    def close(self) -> None:
        """Let the files go."""
        self._connection.close()

    def add_votes(self, name: str, labels: Iterable[Label]) -> int:
        """Take in what people said of a run's pairs; gives how many labels are of pairs that it has."""
        import pyarrow as pa

        rows = [
            {
                "prompt": prompt_id(one.prompt), "a": one.response_a, "b": one.response_b, "said": str(one.preference),
                "annotator": one.annotator, "strength": one.strength, "principle": one.principle, "comment": one.comment,
                "time": one.time, "source": one.source,
            }
            for one in labels
        ]  # fmt: skip
        if not rows:
            return 0
        texts = ["prompt", "a", "b", "said", "annotator", "principle", "comment", "time", "source"]
        schema = pa.schema([*((column, pa.string()) for column in texts), ("strength", pa.float64())])
        number, cursor = self.number(name), self.cursor()
        cursor.register("told", pa.Table.from_pylist(rows, schema=schema))
        cursor.execute(
            f"INSERT INTO votes SELECT {number}, p.key, annotator, CASE WHEN said NOT IN ('a', 'b') THEN said "  # noqa: S608
            "WHEN (said = 'a') = (bare(t.a) = bare(c.text)) THEN 'chosen' ELSE 'rejected' END, strength, principle, comment, time, "
            f"t.source FROM told t JOIN r{number}.pairs p ON p.same = hash(t.prompt, least(bare(t.a), bare(t.b)), "
            f"greatest(bare(t.a), bare(t.b))) JOIN r{number}.texts c ON c.no = p.chosen"
        )
        return int(cursor.execute("SELECT count(*) FROM votes WHERE run = ?", [number]).fetchall()[0][0])

    def number(self, name: str) -> int:
        """The place of a run.

        Raises:
            UsageError: the view has no run of this name.
        """
        if name not in self.names:
            raise UsageError(f"this view has no run {name}", hint=f"its runs are {', '.join(self.names)}")
        return self.names.index(name)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of the caller's own."""
        cursor = self._connection.cursor()
        cursor.execute("CREATE TEMP MACRO IF NOT EXISTS bare(x) AS trim(x, chr(32) || chr(9) || chr(10) || chr(13))")
        return cursor

    def find(self, query: Query) -> Found:
        """The pairs that a query is about, a page of them.

        Raises:
            UsageError: the query names a run that is not here.
        """
        where, every = self.where(query), self.pairs(query)
        cursor = self.cursor()
        total = cursor.execute(f"SELECT count(*) FROM {every} WHERE {where.sql}", where.values).fetchall()[0][0]  # noqa: S608
        page = (
            f"SELECT {', '.join(_ROW)}, prompt FROM {every} WHERE {where.sql} ORDER BY {_ORDERS[query.sort]} "  # noqa: S608
            f"LIMIT {PAGE_SIZE} OFFSET {(query.page - 1) * PAGE_SIZE}"
        )
        rows = self.with_prompts(cursor, dictionaries(cursor.execute(page, where.values)))
        return Found(total, tuple(rows))

    def with_prompts(self, cursor: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> list[dict[str, Json]]:
        """Rows with their run's name and the beginning of their prompt's last turn; `voted` is what people said most often."""
        for run in {row["run"] for row in rows}:
            own = [row for row in rows if row["run"] == run]
            listed = ", ".join(str(int(row["prompt"])) for row in own)
            turns = cursor.execute(
                f"SELECT no, left(turns[-1], {EXCERPT}) FROM r{run}.prompts WHERE no IN ({listed})"  # noqa: S608
            ).fetchall()
            words = dict(turns)
            marks = ", ".join("?" * len(own))
            votes = cursor.execute(
                f"SELECT key, mode(said) FROM votes WHERE run = {run} AND key IN ({marks}) GROUP BY key",  # noqa: S608
                [row["key"] for row in own],
            ).fetchall()
            said = dict(votes)
            for row in own:
                row["excerpt"], row["voted"] = words.get(row.pop("prompt"), ""), said.get(row["key"])
        for row in rows:
            row["run"] = self.names[row["run"]]
        return rows

    def values(self) -> dict[str, Json]:
        """What can be chosen for each filter, and how many pairs each run has in each state."""
        cursor, every = self.cursor(), self.pairs(Query())
        found: dict[str, Json] = {}
        for name, column in _LISTS.items():
            listed = f"SELECT value, count(*) AS n FROM (SELECT unnest({column}) AS value FROM {every}) GROUP BY 1"  # noqa: S608
            ordered = f"{listed} ORDER BY n DESC, 1 LIMIT {MOST_VALUES}"
            found[name] = [[value, count] for value, count in cursor.execute(ordered).fetchall()]
        for name in _WORDS:
            counted = f"SELECT {name}, count(*) FROM {every} WHERE {name} <> '' GROUP BY 1 ORDER BY 1"  # noqa: S608
            found[name] = [[value, count] for value, count in cursor.execute(counted).fetchall()]
        runs = cursor.execute(f"SELECT run, count(*) FROM {every} GROUP BY 1 ORDER BY 1").fetchall()  # noqa: S608
        counts = dict(runs)
        found["run"] = [[name, counts.get(number, 0)] for number, name in enumerate(self.names)]
        return found

    def pairs(self, query: Query) -> str:
        """The pairs of the runs that a query is about, as a table in SQL."""
        numbers = [self.number(query.run)] if query.run else range(len(self.names))
        return "(" + " UNION ALL ".join(f"SELECT {one} AS run, * FROM r{one}.pairs" for one in numbers) + ")"  # noqa: S608

    def where(self, query: Query) -> Where:
        """A query's filters as a condition on `pairs`."""
        parts, values = ["true"], list[Any]()

        def add(sql: str, *given: Any) -> None:
            parts.append(sql)
            values.extend(given)

        for name, column in _LISTS.items():
            if value := getattr(query, name):
                add(f"list_contains({column}, ?)", value)
        for name in _WORDS:
            if value := getattr(query, name):
                add(f"{name} = ?", str(value))
        if query.flipped is not None:
            add("flipped = ?", query.flipped)
        if query.least is not None:
            add("margin >= ?", query.least)
        if query.most is not None:
            add("margin <= ?", query.most)
        if query.people is not None:
            add(_PEOPLE[query.people])
        if query.terms:
            add(f"(run, no) IN (SELECT run, no FROM {self._searched(query.terms)})")  # noqa: S608
        return Where(" AND ".join(parts), tuple(values))

    def _searched(self, terms: tuple[str, ...]) -> str:
        """A table of the pairs that hold all terms."""
        with self._lock:
            if terms in self._searches:
                self._searches.move_to_end(terms)
                return self._searches[terms]
            self._made += 1
            table, cursor = f"search_{self._made}", self.cursor()
            cursor.execute(f"CREATE TABLE {table} (run INTEGER, no INTEGER)")
            for run in range(len(self.names)):
                cursor.execute(f"INSERT INTO {table} {_search(run, len(terms))}", [*terms, *terms])
            self._searches[terms] = table
            while len(self._searches) > KEPT_SEARCHES:
                _, old = self._searches.popitem(last=False)
                cursor.execute(f"DROP TABLE {old}")
            return table


_PEOPLE: Final = {
    People.LABELLED: "(run, key) IN (SELECT run, key FROM votes)",
    People.UNLABELLED: "(run, key) NOT IN (SELECT run, key FROM votes)",
    People.AGAINST: "(run, key) IN (SELECT run, key FROM votes GROUP BY ALL HAVING count(*) FILTER (said = 'rejected') > "
    "count(*) FILTER (said = 'chosen'))",
}


def dictionaries(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The rows of a result by column."""
    names = [one[0] for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def without_page(query: Query) -> Query:
    """The same filters and order from the beginning."""
    return replace(query, page=1)


def _search(run: int, terms: int) -> str:
    """SQL for the pairs of a run whose prompt and responses hold all terms: one bit a term."""
    bits = " | ".join(f"(contains(words, lower(?))::INTEGER << {place})" for place in range(terms))

    def bearing(table: str) -> str:
        return f"SELECT no, bits FROM (SELECT no, {bits} AS bits FROM r{run}.{table}) WHERE bits > 0"  # noqa: S608

    return (
        f"WITH asked AS ({bearing('prompts')}), "  # noqa: S608
        f"answered AS MATERIALIZED ({bearing('texts')}) "
        f"SELECT {run}, q.no FROM r{run}.pairs q LEFT JOIN asked p ON p.no = q.prompt LEFT JOIN answered c ON c.no = q.chosen "
        "LEFT JOIN answered r ON r.no = q.rejected "
        f"WHERE (coalesce(p.bits, 0) | coalesce(c.bits, 0) | coalesce(r.bits, 0)) = {(1 << terms) - 1}"
    )
