"""Small readers of what lies in a run folder beside its stages: JSON files and the principles file. Knows no page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from generate.report.model import PrincipleRow, VersionRow
from generate.report.verdicts import PrincipleTally
from tenet.errors import InvalidInput, Problem, TenetError
from tenet.ids import Json
from tenet.runs import Run

if TYPE_CHECKING:
    from constitution.model import Constitution, Principle


COMPARE, CRITICISE, REVISE = "compare", "criticise", "revise"
WORDINGS: Final[Mapping[str, Callable[[Principle], str]]] = {
    COMPARE: lambda principle: principle.compare_digest,
    CRITICISE: lambda principle: principle.critique_digest,
    REVISE: lambda principle: principle.revise_digest,
}
"""The digest of what a model sees of a principle, by the kind of question."""


def read_json(path: Path) -> Mapping[str, Json]:
    """A JSON object from a file; empty where there is no file.

    Raises:
        InvalidInput: the file holds something else.
    """
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it holds no JSON object")
    except ValueError as error:
        raise InvalidInput("A file of the run cannot be read.", [Problem(str(error), path)]) from error
    return value


def as_mapping(value: Json) -> Mapping[str, Json]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True)
class Principles:
    """A run's principles as far as they can be known now.

    `file` is what the run was judged by, from its own copy or from the file that it names; None where neither is there, and `why`
    then says so. `now` is the file that the run names, as it is now.
    """

    name: str
    digest: str
    file: Constitution | None = None
    why: str = ""
    now: Constitution | None = None


def principles_of(run: Run) -> Principles:
    """The principles that a run was judged by, as far as they can be told, and the file that it names."""
    from constitution.load import load
    from generate.judged_by import judged_by

    named, digest = str(run.config.get("principles") or ""), str(run.fingerprint.growth.get("principles") or "")
    try:
        now = load(named)
    except TenetError:
        now = None
    file = judged_by(run) if digest else now
    if file is not None:
        return Principles(file.name, file.digest, file, now=now)
    gone = "cannot be read any more" if now is None else "has changed since this run was judged"
    return Principles(
        now.name if now else Path(named).stem, digest, None, f"{named} {gone}, so the texts are left out.", now
    )


def version_rows(
    counts: Mapping[tuple[str, str], int], file: Constitution | None, question: str = COMPARE
) -> tuple[VersionRow, ...]:
    """The wordings that answers to a kind of question were given under, by principle, the current one first, then the most asked."""
    now = {principle.id: WORDINGS[question](principle) for principle in file.principles} if file else None
    rows = [
        VersionRow(name, digest, count, None if now is None else now.get(name) == digest, question)
        for (name, digest), count in counts.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.principle, not row.current, -row.judgements, row.digest)))


def principle_rows(tallies: Mapping[str, PrincipleTally], file: Constitution | None) -> tuple[PrincipleRow, ...]:
    """One row for each active principle and for each one asked, in the file's order.

    Where the whole file was asked at once (id ""), that row comes first and the principles carry no figures.
    """
    known = {principle.id: principle for principle in file.active} if file else {}
    ids = [*([""] if "" in tallies else []), *known, *sorted(set(tallies) - set(known) - {""})]
    return tuple(_row(name, known.get(name), tallies.get(name), whole="" in tallies) for name in ids)


def _row(name: str, principle: Principle | None, tally: PrincipleTally | None, *, whole: bool) -> PrincipleRow:
    tally = tally or PrincipleTally()
    return PrincipleRow(
        id=name,
        text=principle.text if principle else "",
        tier=principle.tier.value if principle else "principle",
        weight=principle.weight if principle else 1.0,
        source=principle.source if principle else "",
        prompts=tally.prompts,
        asked=tally.asked,
        questions=tally.questions,
        failures=tally.failures,
        decided=tally.decided.rate,
        followed=tally.followed.rate,
        strength=tally.strength.mean,
        within=whole and bool(name),
    )
