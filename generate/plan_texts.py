"""What judging costs more where the judge writes before it answers: the text, and the second request that reads it.

Works on the line that a plan has of direct questions. How long texts will be is predicted from those that are recorded, prompt by prompt
(`generate.planned.written`); before that there are bounds. Knows no prompt and no schedule.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from generate.amounts import Amount
from generate.planned import Line, written
from generate.spending import READ
from judges.pairwise import Mode, PairwiseJudge
from tenet.records import Judgement
from tenet.runs import Run


def recorded_texts(run: Run | None, name: str, judge: PairwiseJudge, shards: Collection[int]) -> list[float]:
    """The mean tokens that the answers in the stage of this name took to write, a number a prompt; none where the judge writes nothing."""
    lengths: dict[str, list[int]] = {}
    if run is not None and judge.written:
        stage = run.stage(name, Judgement)
        for shard in sorted(set(stage.shards()).intersection(shards)):
            for one in stage.records(shard):
                if one.completion_tokens is not None:
                    lengths.setdefault(one.prompt_id, []).append(max(0, one.completion_tokens - READ))
    return [sum(some) / len(some) for some in lengths.values()]


def with_texts(line: Line, judge: PairwiseJudge, known: Sequence[float], prompts: int) -> Line:
    """The line of direct questions as this judge asks them, about so many prompts; `known` are the lengths of texts.

    The second request begins with the first, so that a prefix cache holds that.
    """
    if not judge.written:
        return line
    owed = line.owed
    share = (owed.expected or 0.0) / max(1, prompts)
    found = written(known, [share] * prompts if share else [], judge.written)
    text = Amount(found.expected, min(found.low, owed.low * judge.written), owed.high * judge.written, found.bounded)
    if judge.requests == 1:
        return replace(line, completion_tokens=text)
    again = line.prompt_tokens + owed.scaled(_overhead(judge)) + text
    cached = line.cached_tokens
    if cached.high > 0:
        cached = cached + line.prompt_tokens
    return replace(
        line, prompt_tokens=line.prompt_tokens + again, cached_tokens=cached, completion_tokens=text + line.completion_tokens
    )  # fmt: skip


def _overhead(judge: PairwiseJudge) -> float:
    """The mean over the principles that it may ask about."""
    active = judge.constitution.active
    subjects = [None] if judge.mode is Mode.WHOLE else [principle.id for principle in active]
    return sum(map(judge.overhead, subjects)) / len(subjects) if subjects else 0.0
