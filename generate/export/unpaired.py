"""Single responses with a thumb up or down (`trl-unpaired`), as TRL's KTOTrainer reads them. Knows no files.

A response may stand in several pairs, chosen in one and rejected in another. It becomes one row: `p_good` is
the mean over its pairs of the probability that it is the better one, and the label says whether that is above
one half.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from generate.export.columns import PRINCIPLES, PROMPT, PROMPT_ID, VERSIONS, Column, Kind, Row, answer, turns
from generate.export.preference import differing
from generate.export.source import ExportSource, PairRow
from tenet.records import Prompt, Sample

UNDECIDED = "responses that are no better than what they were compared with (p = 0.5)"


@dataclass
class _Side:
    """What the pairs of a prompt say of one response."""

    sample: Sample
    score: float
    source: str
    ps: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    principles: dict[str, None] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)

    @property
    def p_good(self) -> float:
        """Weighted mean of P(this response is better)."""
        total = math.fsum(p * weight for p, weight in zip(self.ps, self.weights, strict=True))
        return total / math.fsum(self.weights)


@dataclass(frozen=True)
class Unpaired:
    """One response a row, `label` true for the better ones."""

    name: str = "trl-unpaired"
    summary: str = "One response a row with a label, good or not: for TRL's KTOTrainer and for classifiers."

    def columns(self, source: ExportSource) -> tuple[Column, ...]:  # noqa: ARG002
        """Which columns the rows have."""
        return (
            PROMPT,
            Column("completion", Kind.MESSAGES, "The response, as one message of the assistant."),
            Column(
                "label",
                Kind.TRUTH,
                "Whether the response is better than what it was compared with (p_good above 0.5).",
            ),
            Column("p_good", Kind.NUMBER, "Mean probability that the response is the better one, over its pairs."),
            Column("score", Kind.NUMBER, "Score of the response among the samples of its prompt, in log-odds."),
            Column("weight", Kind.NUMBER, "Sum of the weights of the pairs that the response stands in."),
            Column("source", Kind.TEXT, "Whose opinion it is: ai, human or revision."),
            PROMPT_ID,
            Column("sample_id", Kind.TEXT, "Content id of the response."),
            PRINCIPLES,
            VERSIONS,
            Column("policy", Kind.TEXT, "The model that wrote the response."),
        )

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a response, the better ones of a prompt first."""
        for _, group in groupby(differing(source, left_out), key=lambda row: row.prompt.id):
            rows = list(group)
            sides = sorted(_sides(rows).values(), key=lambda side: (-side.p_good, side.sample.id))
            for side in sides:
                if side.p_good == 0.5:
                    left_out[UNDECIDED] += 1
                else:
                    yield _row(rows[0].prompt, side)


def _sides(rows: list[PairRow]) -> dict[str, _Side]:
    sides: dict[str, _Side] = {}
    for row in rows:
        pair = row.pair
        seen = (
            (row.chosen, pair.p_chosen, pair.score_chosen),
            (row.rejected, 1.0 - pair.p_chosen, pair.score_rejected),
        )
        for sample, p, score in seen:
            side = sides.setdefault(sample.id, _Side(sample, score, pair.source))
            side.ps.append(p)
            side.weights.append(pair.weight)
            side.principles.update(dict.fromkeys(pair.principles))
            side.versions.update(dict.fromkeys(pair.principle_versions))
    return sides


def _row(prompt: Prompt, side: _Side) -> Row:
    return {
        "prompt": turns(prompt.messages),
        "completion": answer(side.sample.text),
        "label": side.p_good > 0.5,
        "p_good": side.p_good,
        "score": side.score,
        "weight": math.fsum(side.weights),
        "source": side.source,
        "prompt_id": prompt.id,
        "sample_id": side.sample.id,
        "principles": list(side.principles),
        "principle_versions": list(side.versions),
        "policy": side.sample.policy,
    }
