"""Pairs for trainers of preferences: TRL's explicit form (`trl-preference`) and its implicit one (`reward`).

Knows no files. Both carry the probability, the scores and the ids beside what TRL reads, which it ignores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from generate.export.columns import (
    PRINCIPLES,
    PROMPT,
    PROMPT_ID,
    VERSIONS,
    WEIGHT,
    Column,
    Kind,
    Row,
    answer,
    turns,
)
from generate.export.source import ExportSource, PairRow
from tenet.records import Message

IDENTICAL = "pairs of identical texts"

LABELS = (
    Column(
        "p_chosen",
        Kind.NUMBER,
        "Probability that chosen is better, at least 0.5; soft-label losses train on it.",
    ),
    WEIGHT,
    Column(
        "score_chosen",
        Kind.NUMBER,
        "Score of the chosen response among the samples of its prompt, in log-odds.",
    ),
    Column("score_rejected", Kind.NUMBER, "Score of the rejected response, in log-odds."),
    Column("judge_margin", Kind.NUMBER, "score_chosen minus score_rejected."),
    Column(
        "source",
        Kind.TEXT,
        "Where p_chosen came from: ai, human, blend (both added up), or revision (a revised response over its original).",
    ),
    PROMPT_ID,
    Column("pair_id", Kind.TEXT, "Content id of the pair."),
    Column("chosen_id", Kind.TEXT, "Content id of the chosen response."),
    Column("rejected_id", Kind.TEXT, "Content id of the rejected response."),
    PRINCIPLES,
    VERSIONS,
    Column("flipped", Kind.TRUTH, "Whether the judge named different winners in the two orders."),
    Column("policy_chosen", Kind.TEXT, "The model that wrote the chosen response."),
    Column("policy_rejected", Kind.TEXT, "The model that wrote the rejected response."),
)
_CRITIQUES = (
    Column("critique_chosen", Kind.TEXT, "What the judge wrote about the chosen response, where it was asked."),
    Column(
        "critique_rejected",
        Kind.TEXT,
        "What the judge wrote about the rejected response, where it was asked.",
    ),
)


@dataclass(frozen=True)
class Preference:
    """Explicit prompts: `prompt`, `chosen` and `rejected` are messages, the last two of the answer alone."""

    name: str = "trl-preference"
    summary: str = (
        "One pair a row, prompt apart from the two answers: for TRL's DPOTrainer, RewardTrainer and the like."
    )

    def columns(self, source: ExportSource) -> tuple[Column, ...]:
        """Which columns the rows have; those of critiques only where the run has critiques."""
        chosen = Column("chosen", Kind.MESSAGES, "The better response, as one message of the assistant.")
        rejected = Column("rejected", Kind.MESSAGES, "The other response, as one message of the assistant.")
        return (PROMPT, chosen, rejected, *LABELS, *(_CRITIQUES if source.has_critiques else ()))

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a pair."""
        for row in differing(source, left_out):
            sides: Row = {"prompt": turns(row.prompt.messages), "chosen": answer(row.chosen.text)}
            yield {**sides, "rejected": answer(row.rejected.text), **labels(row, critiques=source.has_critiques)}


@dataclass(frozen=True)
class Reward:
    """Implicit prompts: `chosen` and `rejected` are whole conversations, as reward models score them."""

    name: str = "reward"
    summary: str = "One pair a row as two whole conversations: for TRL's RewardTrainer and other trainers of scores."

    def columns(self, source: ExportSource) -> tuple[Column, ...]:
        """Which columns the rows have; no `prompt`, since trainers would put it in front once more."""
        chosen = Column("chosen", Kind.MESSAGES, "The conversation with the better response at its end.")
        rejected = Column("rejected", Kind.MESSAGES, "The conversation with the other response at its end.")
        return (chosen, rejected, *LABELS, *(_CRITIQUES if source.has_critiques else ()))

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a pair."""
        for row in differing(source, left_out):
            chosen = turns((*row.prompt.messages, Message("assistant", row.chosen.text)))
            rejected = turns((*row.prompt.messages, Message("assistant", row.rejected.text)))
            yield {"chosen": chosen, "rejected": rejected, **labels(row, critiques=source.has_critiques)}


def differing(source: ExportSource, left_out: Counter[str]) -> Iterator[PairRow]:
    """Yield the pairs whose two texts differ; the others would teach nothing and are counted."""
    for row in source.pairs():
        if row.chosen.text == row.rejected.text:
            left_out[IDENTICAL] += 1
        else:
            yield row


def labels(row: PairRow, *, critiques: bool) -> Row:
    """What is known of a pair beside its texts, under the names of `LABELS`."""
    pair = row.pair
    told: Row = {
        "p_chosen": pair.p_chosen,
        "weight": pair.weight,
        "score_chosen": pair.score_chosen,
        "score_rejected": pair.score_rejected,
        "judge_margin": pair.judge_margin,
        "source": pair.source,
        "prompt_id": pair.prompt_id,
        "pair_id": pair.id,
        "chosen_id": pair.chosen_id,
        "rejected_id": pair.rejected_id,
        "principles": list(pair.principles),
        "principle_versions": list(pair.principle_versions),
        "flipped": pair.flipped,
        "policy_chosen": row.chosen.policy,
        "policy_rejected": row.rejected.policy,
    }
    if critiques:
        told["critique_chosen"] = row.critique_of(pair.chosen_id)
        told["critique_rejected"] = row.critique_of(pair.rejected_id)
    return told
