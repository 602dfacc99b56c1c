"""Moves rows that no question asks for any more out of a stage, so that readers of the stage find what is current and nothing else.

An edited principle changes the keys of its questions: the new ones are owed, the old answers are of no use and are not thrown away. They go
to a stage of their own, and come back from there if the edit is taken back. Knows nothing of what the rows say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tenet.runs import Run, Stage
from tenet.runs.codec import R
from tenet.workers.local import Task

T = TypeVar("T")


def attic_of(name: str) -> str:
    """The stage that a stage's rows are moved to."""
    return f"{name}-superseded"


def supersede(run: Run, stage: Stage[R], shards: Sequence[Sequence[Task[T]]]) -> tuple[int, int]:
    """Move rows between a stage and its attic (`NAME-superseded`) until the stage holds nothing that `shards` do not ask for.

    Returns how many rows went to the attic and how many came back. A crash on the way leaves a row in both places at worst, never in none;
    the next call mends that.
    """
    if not stage.shards():
        return 0, 0
    attic = run.stage(attic_of(stage.name), stage.codec.record_type)
    gone = back = 0
    for number in sorted({*stage.shards(), *attic.shards()}):
        wanted = {task.key for task in shards[number]} if number < len(shards) else set()
        held = stage.keys(number)
        stray = held.keys() - wanted
        known = attic.keys(number)
        missed = {key for key in wanted - held.keys() if known.get(key)}
        if stray:
            attic.reopen(number)
            attic.put(number, [row for row in stage.rows(number) if row.key in stray])
            attic.publish(number)
        if stray or missed:
            returned = [row for row in attic.rows(number, ok=True) if row.key in missed] if missed else []
            stage.replace(number, [*(row for row in stage.rows(number) if row.key in wanted), *returned])
        gone, back = gone + len(stray), back + len(missed)
    return gone, back
