"""Pairs as three plain texts a row, for trainers that know no messages. Knows no files; prompts of several turns are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from generate.export import ExportSource
from generate.export.columns import PROMPT_ID, Column, Kind, Row
from generate.export.preference import differing

SEVERAL_TURNS: Final = "prompts of several turns"


@dataclass(frozen=True)
class PlainPairs:
    """One pair a row: `question`, `good`, `bad`, and the probability that good is better."""

    name: str = "plain-pairs"
    summary: str = "One pair a row as three plain texts: question, good, bad."

    def columns(self, source: ExportSource) -> tuple[Column, ...]:  # noqa: ARG002 - the same of every source
        """Which columns the rows have."""
        return (
            Column("question", Kind.TEXT, "What the user asked."),
            Column("good", Kind.TEXT, "The better response."),
            Column("bad", Kind.TEXT, "The other response."),
            Column("p_chosen", Kind.NUMBER, "Probability that good is better."),
            PROMPT_ID,
        )

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a pair; count what is left out under its reason."""
        for row in differing(source, left_out):
            if len(row.prompt.messages) > 1:
                left_out[SEVERAL_TURNS] += 1
                continue
            yield {
                "question": row.prompt.messages[0].content,
                "good": row.chosen.text,
                "bad": row.rejected.text,
                "p_chosen": row.pair.p_chosen,
                "prompt_id": row.prompt.id,
            }


PLAIN_PAIRS: Final = PlainPairs()
