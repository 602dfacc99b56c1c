"""Pairs as NeMo-RL's preference datasets hold them (`nemo-rl`): a context, and completions by rank, the better one 0. Knows no files.

NeMo-RL trains DPO and reward models on them; it knows ranks and no probabilities, so `p_chosen` stays beside them for others, and pairs
that are even, whose rank would be a coin's, are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from generate.export.columns import Column, Kind, Row, answer, turns
from generate.export.preference import LABELS, differing, labels
from generate.export.source import ExportSource

EVEN = "pairs that are even (p = 0.5)"


@dataclass(frozen=True)
class NemoRl:
    """Two completions of one context, ranks 0 and 1."""

    name: str = "nemo-rl"
    summary: str = (
        "One pair a row as completions ranked 0 (better) and 1: for NeMo-RL's DPO and reward model trainings."
    )

    def columns(self, source: ExportSource) -> tuple[Column, ...]:  # noqa: ARG002
        """Which columns the rows have."""
        context = Column("context", Kind.MESSAGES, "The turns up to the response, the last one the user's.")
        told = "The two responses, the better one first: rank 0 and rank 1, each as one message of the assistant."
        return (context, Column("completions", Kind.COMPLETIONS, told), *LABELS)

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a pair."""
        for row in differing(source, left_out):
            if row.pair.p_chosen == 0.5:
                left_out[EVEN] += 1
                continue
            sides = (row.chosen, row.rejected)
            yield {
                "context": turns(row.prompt.messages),
                "completions": [{"rank": rank, "completion": answer(side.text)} for rank, side in enumerate(sides)],
                **labels(row, critiques=False),
            }
