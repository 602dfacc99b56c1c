"""Holds the verdicts of two runs, or of a run before and after its principles were edited, against each other, those that differ first.

Pairs are the same where their prompts and both texts are (outer white space apart), whatever their ids. Knows the catalogue, and principles
files as far as their wording goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from constitution.model import Constitution, Principle
from generate.view.catalogue import Catalogue, dictionaries
from generate.view.query import PAGE_SIZE, Query
from tenet.errors import UsageError
from tenet.ids import Json

EARLIER: Final = "@earlier"
"""Behind a run's name: its superseded answers."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How many pairs both sides have, of how many they name different winners, how far apart their p are on average, and a page of them."""

    both: int
    differ: int
    gap: float | None
    rows: tuple[dict[str, Json], ...]


def compare(catalogue: Catalogue, query: Query, other: str) -> Compared:
    """Hold the pairs of `query.run`, filtered by the query, against those of `other`: a run, or a run's name with `EARLIER`.

    Raises:
        UsageError: a side is not here, or both are one.
    """
    if not query.run or query.run == other:
        raise UsageError("a comparison needs two different sides", hint="choose another run beside this one")
    where, cursor = catalogue.where(query), catalogue.cursor()
    joined = (
        f"FROM (SELECT * FROM {catalogue.pairs(query)} WHERE {where.sql} AND p IS NOT NULL) l "  # noqa: S608
        f"JOIN ({_side(catalogue, other)}) o ON o.same = l.same"
    )
    differ = "((l.p_low - 0.5) * (o.it.p_low - 0.5) < 0)"
    gap = "abs(l.p_low - o.it.p_low)"
    total = cursor.execute(
        f"SELECT count(*), count(*) FILTER ({differ}), avg({gap}) {joined}",
        where.values,
    ).fetchall()[0]
    page = (
        f"SELECT l.run, l.no, l.key, l.state, l.source, l.p, l.margin, l.flipped, l.longer, l.principles, l.outcomes, l.split, l.prompt, "
        f"{differ} AS differs, {gap} AS gap, CASE WHEN (l.p_low = l.p) THEN o.it.p_low ELSE 1 - o.it.p_low END AS other_p, "
        f"o.it.key AS other_key, o.it.principles AS other_principles {joined} "
        f"ORDER BY differs DESC, gap DESC, l.no LIMIT {PAGE_SIZE} OFFSET {(query.page - 1) * PAGE_SIZE}"
    )
    rows = catalogue.with_prompts(cursor, dictionaries(cursor.execute(page, where.values)))
    return Compared(total[0], total[1], total[2], tuple(rows))


def wordings(left: Constitution | None, right: Constitution | None) -> list[dict[str, Json]]:
    """The principles that two files do not hold alike, each with what both say; None for a file that holds none of it."""
    one, other = _active(left), _active(right)
    names = dict.fromkeys([*one, *other])
    return [
        {"id": name, "left": _words(one.get(name)), "right": _words(other.get(name))}
        for name in names
        if _words(one.get(name)) != _words(other.get(name))
    ]


def _side(catalogue: Catalogue, name: str) -> str:
    if name.endswith(EARLIER):
        number = catalogue.number(name.removesuffix(EARLIER))
        table, key, principles = "earlier", "NULL::VARCHAR", "[]::VARCHAR[]"
    else:
        number, table, key, principles = catalogue.number(name), "pairs", "key", "principles"
    return (
        f"SELECT same, any_value({{'p_low': p_low, 'key': {key}, 'principles': {principles}}}) AS it "  # noqa: S608
        f"FROM r{number}.{table} WHERE p_low IS NOT NULL GROUP BY same"
    )


def _active(file: Constitution | None) -> Mapping[str, Principle]:
    return {} if file is None else {one.id: one for one in file.active}


def _words(principle: Principle | None) -> Json:
    if principle is None:
        return None
    return {
        "text": principle.text,
        "question": principle.compare_question,
        "weight": principle.weight,
        "tier": str(principle.tier),
    }
