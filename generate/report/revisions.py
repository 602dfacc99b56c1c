"""What critique and revision did in a run: round by round, and a few responses shown step by step.

Counts what is recorded; the responses that are shown are those whose ids come first by hash, so the same run always shows the same.
Knows no page and no terminal.
"""

from __future__ import annotations

import heapq
from collections import Counter

from generate.context import Step
from generate.report.examples import SHOWN_CHARACTERS
from generate.report.views import ChainView, Revisions, RoundRow, StepView, Turn
from generate.revision_chain import Chain, Link, chains_of, rounds_of
from generate.revision_pairs import PREFERENCES
from tenet.ids import unit_interval
from tenet.records import Finish, Preference, Prompt, Verdict
from tenet.runs import Run

LEFT_ALONE, REWRITTEN, SAME = "left alone", "rewritten", "unchanged"
CUT_OFF, FAILED, OWED = "cut off at the token limit", "failed", "not rewritten yet"
UNREADABLE, NO_CRITIQUE = "critique without a verdict", "critique failed"
SHOWN = 3


def revisions_of(run: Run, shown: int = SHOWN) -> Revisions | None:
    """What the rounds of a run came to, with so many responses shown; None where there are no rounds."""
    numbers = rounds_of(run)
    if not numbers:
        return None
    counts = {number: Counter[str]() for number in numbers}
    looked_at = revised = better = worse = 0
    heap: list[tuple[float, str, Prompt, Chain, float | None]] = []
    prompts, judged = run.stage(Step.PROMPTS, Prompt), run.stage(PREFERENCES, Preference)
    for shard in prompts.shards():
        told = {frozenset((one.a_id, one.b_id)): one for one in judged.records(shard)}
        for prompt, chain in chains_of(run, list(prompts.records(shard)), shard):
            p = _p_better(chain, told.get(frozenset((chain.original.id, chain.current.id))))
            looked_at, revised = looked_at + 1, revised + bool(chain.kept)
            better, worse = better + (p is not None and p > 0.5), worse + (p is not None and p < 0.5)
            for link in chain.links:
                counts[link.number][outcome(link)] += 1
            place = unit_interval("chain", chain.original.id) + (not chain.kept)
            entry = (-place, chain.original.id, prompt, chain, p)
            if len(heap) < shown:
                heapq.heappush(heap, entry)
            elif heap and entry[:2] > heap[0][:2]:
                heapq.heapreplace(heap, entry)
    rows = tuple(RoundRow(number, counts[number].total(), dict(counts[number])) for number in numbers)
    views = tuple(_view(prompt, chain, p) for _, _, prompt, chain, p in sorted(heap, reverse=True, key=lambda e: e[:2]))
    return Revisions(looked_at, revised, better, worse, rows, views)


def outcome(link: Link) -> str:
    """What a round came to, in words."""
    if link.critique.verdict is not Verdict.NO:
        return {Verdict.YES: LEFT_ALONE, Verdict.UNPARSED: UNREADABLE}.get(link.critique.verdict, NO_CRITIQUE)
    if link.revision is None:
        return OWED
    if link.kept:
        return REWRITTEN
    return {Finish.LENGTH: CUT_OFF, Finish.ERROR: FAILED}.get(link.revision.finish, SAME)


def _p_better(chain: Chain, told: Preference | None) -> float | None:
    if told is None or not chain.kept:
        return None
    return told.p_a if told.a_id == chain.current.id else 1.0 - told.p_a


def _view(prompt: Prompt, chain: Chain, p_better: float | None) -> ChainView:
    steps = tuple(
        StepView(
            link.number,
            link.critique.principle,
            link.critique.verdict.value,
            (link.critique.text or link.critique.reason)[:SHOWN_CHARACTERS],
            outcome(link),
            link.revision.text[:SHOWN_CHARACTERS] if link.revision is not None else "",
        )
        for link in chain.links
    )
    turns = tuple(Turn(turn.role, turn.content) for turn in prompt.messages)
    original = chain.original.text[:SHOWN_CHARACTERS]
    return ChainView(prompt.id, turns, original, chain.original.policy, steps, p_better)
