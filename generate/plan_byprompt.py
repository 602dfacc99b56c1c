"""The line of a plan for a judge that is not asked about pairs: its questions counted where a prompt's responses are there, else bounded.

A question about one response costs a call a response and principle; a ranking one a window, principle and order. The calls of prompts to
come are those of as many responses as will be drawn, at most; their tokens are expected with responses of the mean length that is known.
Asks no model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from generate.amounts import NOTHING, Amount
from generate.context import Step
from generate.others import Others
from generate.plan_revising import settled
from generate.planned import Line, Seen, blank_sample
from generate.prefixes import Prefixes
from generate.schedule import field_of
from generate.spending import READ
from judges.kinds.byprompt import PromptJudge
from tenet.records import Prompt
from tenet.runs import Run


def prompt_line(
    run: Run | None, others: Others | None, judge: PromptJudge[Any, Any], prompts: Sequence[Prompt],
    seen: Seen, shards: Collection[int],
) -> Line:  # fmt: skip
    """What a run's ratings or rankings cost."""
    held = settled(run, others, judge.stage, judge.record_type, shards)
    prefixes = Prefixes.of(judge.engine.capabilities)
    calls = reused = owed = tokens = 0
    coming_calls = coming_tokens = NOTHING
    for prompt in prompts:
        if prompt.id in seen.complete:
            asks = judge.asks(prompt, field_of(seen.complete[prompt.id]).samples)
            new = [ask for ask in asks if ask.record_id not in held]
            calls += len(asks)
            reused += sum(ask.record_id not in held.own and ask.record_id in held.lent for ask in asks)
            owed += len(new)
            tokens += sum(len(ask.tokens) for ask in new)
            prefixes.count(ask.tokens for ask in new)
            continue
        count = seen.total if judge.params else min(seen.total, 2)  # questions about one response are alike
        asks = judge.asks(prompt, [blank_sample(prompt, place) for place in range(count)])
        alike = seen.total / max(1, count)
        frames = alike * sum(len(ask.tokens) for ask in asks)
        shown = alike * sum(len(getattr(ask, "shown", (None,))) for ask in asks)
        expected = frames + shown * seen.mean if seen.enough else None
        coming_calls += Amount.bounds(0, alike * len(asks), alike * len(asks))
        coming_tokens += Amount.bounds(0, frames + shown * seen.most, expected)
    due = Amount.exact(owed) + coming_calls
    prompted = Amount.exact(tokens) + coming_tokens
    written = judge.params.max_tokens if judge.params else READ
    return Line(
        Step.JUDGEMENTS, judge.name, Amount.exact(calls) + coming_calls, Amount.exact(reused), due, prompted,
        Amount.exact(prefixes.cached) if coming_calls == NOTHING else prefixes.between(prefixes.cached, prompted.high),
        Amount.bounds(0, due.high * written, due.expected if judge.params is None else None), prefixes.shared,
    )  # fmt: skip
