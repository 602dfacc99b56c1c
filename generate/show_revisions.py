"""Tells a person at a terminal what the rounds of a run did, and shows responses step by step.

Knows words; the figures come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from generate.report.revisions import revisions_of
from generate.report.views import ChainView, Revisions
from tenet.console import Console
from tenet.errors import MissingInput
from tenet.ids import Json
from tenet.runs import Run


def show_revisions(folder: Path, shown: int, console: Console) -> None:
    """Print the rounds of a run and so many of its responses with every critique and revision.

    Raises:
        MissingInput: nothing was revised in this run.
    """
    with Run.read(folder) as run:
        found = revisions_of(run, shown)
    if found is None:
        raise MissingInput(
            f"{folder} has no revisions.", hint="make them with: tenet revise run.yaml --set revise.rounds=2"
        )
    if console.json:
        console.data(asdict(found))
        return
    rows: list[list[Json]] = [
        [row.number, row.asked, "; ".join(f"{count:,} {what}" for what, count in sorted(row.outcomes.items()))]
        for row in found.rounds
    ]
    console.table(["round", "asked", "came to"], rows)
    console.data(_summary(found))
    for chain in found.chains:
        console.data("\n" + "\n".join(_lines(chain)))


def _summary(found: Revisions) -> str:
    told = f"{found.responses:,} responses looked at, {found.revised:,} have another text now"
    judged = found.better + found.worse
    return told + (f"; the judge finds {found.better:,} better and {found.worse:,} worse" if judged else "") + "."


def _lines(chain: ChainView) -> Iterator[str]:
    yield f"prompt {chain.prompt_id}"
    for turn in chain.turns:
        yield f"  {turn.role}: {_plain(turn.text)}"
    yield f"  original ({chain.policy}): {_plain(chain.original)}"
    for step in chain.steps:
        yield f"  round {step.number}, {step.principle}: {step.verdict}. {_plain(step.critique)}"
        yield f"    {step.outcome}" + (f": {_plain(step.text)}" if step.text else "")
    if chain.p_better is not None:
        yield f"  P(better than the original), by the judge: {chain.p_better:.2f}"


def _plain(text: str) -> str:
    """A text on one line, without what would steer the terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
