"""Responses worth imitating (`sft`), as TRL's SFTTrainer reads them: revisions, else winners.

Knows no files. Of several rounds of revision the last that succeeded is taken (Bai et al. 2022,
arXiv:2212.08073, revise four times and keep all rounds apart), unless it was cut off or the judge finds it
worse than the original; of several pairs of a prompt the chosen response with the highest score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from generate.export.columns import PRINCIPLES, PROMPT, PROMPT_ID, VERSIONS, Column, Kind, Row, answer, turns
from generate.export.preference import differing
from generate.export.source import ExportSource, RevisionRow
from tenet.records import Finish, Prompt

NO_WINNER = "prompts whose pairs are all ties"
FAILED = "samples whose revisions all failed or came back empty"
CUT_OFF = "samples whose revisions were cut off at the token limit"
SAME = "samples whose revisions say what the original says"
WORSE = "samples whose revision the judge finds worse than the original"


@dataclass(frozen=True)
class Sft:
    """One prompt and one completion a row."""

    name: str = "sft"
    summary: str = "One good response a row: for TRL's SFTTrainer, which learns the completion alone."

    def columns(self, source: ExportSource) -> tuple[Column, ...]:  # noqa: ARG002
        """Which columns the rows have."""
        return (
            PROMPT,
            Column("completion", Kind.MESSAGES, "The response to imitate, as one message of the assistant."),
            Column(
                "source",
                Kind.TEXT,
                "revision: a response rewritten by critique; winner: the best of the samples.",
            ),
            PROMPT_ID,
            Column("sample_id", Kind.TEXT, "Content id of the response."),
            PRINCIPLES,
            VERSIONS,
            Column("policy", Kind.TEXT, "The model that wrote the response."),
        )

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield one row a revised sample, or one row a prompt where the run has no revisions."""
        return _revised(source, left_out) if source.has_revisions else _winners(source, left_out)


def _revised(source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
    for _, rounds in groupby(source.revisions(), key=lambda row: (row.prompt.id, row.original.id)):
        tried = list(rounds)
        good = [row for row in tried if row.kept and row.revision.usable]
        if not good:
            left_out[_why_none(tried)] += 1
            continue
        last = max(good, key=lambda row: row.revision.round)
        if last.p_better is not None and last.p_better < 0.5:
            left_out[WORSE] += 1
            continue
        principles = dict.fromkeys(row.revision.principle for row in good)
        versions = dict.fromkeys(row.revision.version for row in good if row.revision.version is not None)
        one = last.revision
        yield _row(last.prompt, one.text, "revision", one.id, list(principles), list(versions), one.model)


def _why_none(tried: Sequence[RevisionRow]) -> str:
    if any(row.revision.finish is Finish.LENGTH for row in tried):
        return CUT_OFF
    return SAME if any(row.revision.usable for row in tried) else FAILED


def _winners(source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
    for _, group in groupby(differing(source, left_out), key=lambda row: row.prompt.id):
        won = [row for row in group if row.pair.p_chosen > 0.5]
        if not won:
            left_out[NO_WINNER] += 1
            continue
        best = max(won, key=lambda row: row.pair.score_chosen)
        chosen = best.chosen
        principles, versions = list(best.pair.principles), list(best.pair.principle_versions)
        yield _row(best.prompt, chosen.text, "winner", chosen.id, principles, versions, chosen.policy)


def _row(
    prompt: Prompt, text: str, source: str, name: str, principles: list[str], versions: list[str], policy: str
) -> Row:
    return {
        "prompt": turns(prompt.messages),
        "completion": answer(text),
        "source": source,
        "prompt_id": prompt.id,
        "sample_id": name,
        "principles": list(principles),
        "principle_versions": list(versions),
        "policy": policy,
    }
