"""Draws the coverage of a run as one self-contained page in the report's style: no script, nothing to fetch, every text escaped.

Knows how things look; the figures are in `Coverage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from generate.coverage.model import Agreement, Coverage, Kind
from generate.report.facts import when_made
from generate.report.model import Notice, Tile
from generate.report.render import environment
from generate.report.words import between, number, percent
from tenet.console import plural

MOST_SHOWN: Final = 40
"""Principles in the matrix; of more, those that were asked about the most pairs."""
_DEEPEST: Final = 55
"""Percent of the colour where kappa is 1 or -1; text stays readable on it."""


@dataclass(frozen=True)
class Head:
    """What the head of a page is made of; the report's template draws it."""

    name: str
    created: str
    headline: str
    standfirst: str
    tiles: Sequence[Tile]
    notices: Sequence[Notice]


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: its words, its tooltip, and the colour that says how far two principles agree."""

    text: str
    title: str = ""
    kind: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Matrix:
    """The principles that are shown, in the file's order, and their cells by row; `left_out` counts the others."""

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0


def render(coverage: Coverage) -> str:
    """The page as HTML text. Equal data give equal text, byte for byte."""
    headline, standfirst = _head(coverage)
    head = Head(coverage.name, when_made(coverage.created), headline, standfirst, _tiles(coverage), coverage.notices)
    page = environment().get_template("coverage.html.jinja")
    return page.render(data=head, found=coverage, matrix=matrix(coverage))


def matrix(coverage: Coverage) -> Matrix | None:
    """The matrix plot of agreements; None where no pair was judged under two principles."""
    if not coverage.agreements:
        return None
    by_pair = {frozenset((one.first, one.second)): one for one in coverage.agreements}
    asked = [row for row in coverage.principles if row.pairs]
    shown = {row.id for row in sorted(asked, key=lambda row: -row.pairs)[:MOST_SHOWN]}
    names = tuple(row.id for row in asked if row.id in shown)
    rows = tuple(
        tuple(Cell("", kind="self") if one == other else _cell(by_pair.get(frozenset((one, other)))) for other in names)
        for one in names
    )
    return Matrix(names, rows, len(asked) - len(names))


def _cell(one: Agreement | None) -> Cell:
    if one is None:
        return Cell("·", "no pair under both")
    title = (
        f"{one.first} and {one.second}: the same winner in {percent(one.agreement.value)} ({between(one.agreement)}) "
        f"of {plural(one.agreement.count, 'pair')}, kappa {number(one.kappa, 2)}, log-odds {number(one.gap, 2)} apart"
    )
    kind = "same" if one.kappa >= 0 else "other"
    return Cell(number(one.kappa, 2), title, kind, round(_DEEPEST * abs(one.kappa)))


def _head(coverage: Coverage) -> tuple[str, str]:
    """The headline and what stands under it."""
    active = len([row for row in coverage.principles if row.id])
    troubled = len({row.id for row in coverage.principles if row.findings})
    headline = (
        f"{troubled} of {plural(active, 'principle')} call for a look."
        if troubled
        else f"{plural(active, 'principle')}, and nothing to object to."
    )
    told = f"Over {plural(coverage.pairs, 'pair')} of responses to {plural(coverage.prompts, 'prompt')}."
    decides = f"A principle decides a pair from log-odds of {coverage.margin:g} on, if both orders of showing agree."
    return headline, f"{told} {decides}"


def _tiles(coverage: Coverage) -> Sequence[Tile]:
    def count(*kinds: Kind) -> str:
        return number(sum(any(one.kind in kinds for one in row.findings) for row in coverage.principles))

    tiles = [
        Tile("Never fire", count(Kind.UNREACHED, Kind.NEVER_ASKED, Kind.NEVER_DECIDES), "not asked, or decide nothing"),
        Tile("Could be left out", count(Kind.REDUNDANT), "hardly a winner changes"),
        Tile("Say the same", count(Kind.REPEATS), "as another principle"),
        Tile("At odds", count(Kind.OPPOSES), "with another principle"),
    ]
    if coverage.people:
        told = f"{between(coverage.people)}, {plural(coverage.matched, 'label')}"
        tiles.append(Tile("Agree with people", percent(coverage.people.value), told))
    return tiles
