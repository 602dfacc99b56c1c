"""Writes supported candidates as a principles file: it includes the file in force, and every candidate in it is a draft.

Judges ask no draft, so a run judged by this file has the labels that it has now, until a person sets a candidate to `status: active`.
The file says what the labels said of each. It holds no date, so the same labels and answers give the same file. Asks nobody.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from constitution.model import Constitution, Principle, Status
from constitution.sources import shipped
from constitution.write import to_yaml
from generate.report.model import Rate
from generate.suggest.evidence import Evidence
from generate.suggest.score import Effect, Ranked, Scored, Standing

_NOT_IN: Final = (Standing.NOT_CHOSEN, Standing.NOT_SUPPORTED, Standing.CONTRADICTED)


def draft(file: Constitution, named: str, ranked: Ranked, evidence: Evidence, judge: str, target: Path) -> str:
    """The draft's text, to be written at `target`; `named` is how the run names the file in force."""
    ids = {one.id for one in file.principles} | {one.principle.id for one in ranked.supported}
    principles = tuple(_as_draft(one.principle, ids, len(evidence.pairs)) for one in ranked.supported)
    suggested = Constitution(
        name=f"{file.name}-suggested",
        version="",
        description=f"What {file.name} says, and drafts of principles that labels of people suggest.",
        licence="",
        principles=principles,
    )
    comments = {one.principle.id: _figures(one) for one in ranked.supported}
    remarks = _head(ranked, evidence, judge)
    return to_yaml(suggested, remarks=remarks, comments=comments, include=[_included(file, named, target)])


def _as_draft(principle: Principle, ids: set[str], labelled: int) -> Principle:
    source = f"suggested from {labelled:,} labelled pairs" + (f"; {principle.source}" if principle.source else "")
    yields_to = tuple(name for name in principle.yields_to if name in ids)
    return replace(principle, status=Status.DRAFT, source=source, yields_to=yields_to)


def _head(ranked: Ranked, evidence: Evidence, judge: str) -> list[str]:
    together = ranked.together
    assert together is not None
    added = "all of them" if len(ranked.supported) > 1 else "it"
    told = [
        f"Suggested by tenet principles suggest from {len(evidence.pairs):,} pairs that people labelled, as {judge} judges them: "
        f"{len(evidence.fit):,} chose the candidates, {len(evidence.held_out):,} were held out to measure them.",
        "Every principle here is a draft: no judge asks it until its status is active. Read them before you set one; figures say "
        "what explains the labels, not what is right.",
        f"With {added} active, verdicts on held-out labels agree in {interval(together.after)}, without in {interval(together.before)}.",
    ]
    for standing in _NOT_IN:
        names = [one.principle.id for one in ranked.candidates if one.standing is standing]
        told += [f"{standing.value.capitalize()}, and not in this file: {', '.join(names)}."] if names else []
    return told


def _figures(one: Scored) -> str:
    held_out = one.held_out
    assert held_out.share is not None
    share = interval(held_out.share)
    return f"Held out: {counted(held_out)}; {share} of these go to people's side. To choose by: {counted(one.fit)}."


def counted(effect: Effect) -> str:
    """What an addition turns, in words: fixes 12, breaks 2."""
    return f"fixes {effect.fixed:,}, breaks {effect.broken:,}"


def interval(rate: Rate) -> str:
    """A share with its interval, in words."""
    return f"{rate.value:.2f} (95 % interval {rate.low:.2f} to {rate.high:.2f})"


def _included(file: Constitution, named: str, target: Path) -> str:
    """How the draft names the file in force: a shipped one by its name, another one from the draft's folder."""
    assert file.path is not None
    if file.path == shipped().get(named):
        return named
    path, folder = file.path.resolve(), target.resolve().parent
    if path.drive != folder.drive:  # Windows: no way leads from one drive to another
        return path.as_posix()
    return Path(os.path.relpath(path, folder)).as_posix()
