"""Picks the pairs that a report shows in full, by rule and in one pass: the surest, the closest, flips, random ones.

Random means by the hash of the pair's id, so the same run always shows the same pairs. Knows no texts; `views` puts
them in.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from generate.report.views import CritiqueView, Example, ResponseView, Turn, WrittenView
from tenet.ids import unit_interval
from tenet.records import Critique, Judgement, Preference, PreferencePair, Prompt, Sample

SHOWN_CHARACTERS = 4000
SUREST, RANDOM, CLOSEST, FLIPPED = "surest verdict", "drawn at random", "close call", "order flip"
_MANY = 40
_QUOTED: Final = re.compile(r'"([^"]+)"|“([^”]+)”')
_KEYS: Final[dict[str, Callable[[PreferencePair], float]]] = {
    SUREST: lambda pair: -pair.p_chosen,
    FLIPPED: lambda pair: pair.p_chosen if pair.flipped else math.inf,
    CLOSEST: lambda pair: pair.p_chosen,
    RANDOM: lambda pair: unit_interval("example", pair.id),
}
"""The smaller the key, the better a pair stands for its group; infinity keeps it out."""


@dataclass(frozen=True)
class Pick:
    """A pair and why it was picked."""

    group: str
    pair: PreferencePair


def pick(
    pairs: Iterable[PreferencePair], *, surest: int = 2, random: int = 4, closest: int = 2, flipped: int = 2
) -> list[Pick]:
    """At most that many pairs of each kind; no pair twice, and no prompt while there are others. Holds a few dozen."""
    heaps: dict[str, list[tuple[float, str, PreferencePair]]] = {group: [] for group in _KEYS}
    for pair in pairs:
        for group, key in _KEYS.items():
            # The heap's root is the worst of those kept: keys are negated to turn smallest-first round.
            entry = (-key(pair), _reversed(pair.id), pair)
            if entry[0] == -math.inf:
                continue
            if len(heaps[group]) < _MANY:
                heapq.heappush(heaps[group], entry)
            elif entry[:2] > heaps[group][0][:2]:
                heapq.heapreplace(heaps[group], entry)
    ranked = {
        group: [entry[2] for entry in sorted(heap, key=lambda e: e[:2], reverse=True)] for group, heap in heaps.items()
    }
    wanted = {SUREST: surest, RANDOM: random, CLOSEST: closest, FLIPPED: flipped}
    return list(_distinct(ranked, wanted))


def _reversed(text: str) -> str:
    """A hex id that sorts the other way round, so that the smaller id wins a tie in a heap of the largest."""
    return text.translate(str.maketrans("0123456789abcdef", "fedcba9876543210"))


def _distinct(ranked: Mapping[str, Sequence[PreferencePair]], wanted: Mapping[str, int]) -> Iterator[Pick]:
    pairs: set[str] = set()
    prompts: set[str] = set()
    for group in wanted:
        fresh = [pair for pair in ranked[group] if pair.id not in pairs]
        fresh.sort(key=lambda pair: pair.prompt_id in prompts)
        for pair in fresh[: wanted[group]]:
            pairs.add(pair.id)
            prompts.add(pair.prompt_id)
            yield Pick(group, pair)


def view(
    one: Pick,
    prompt: Prompt | None,
    samples: Mapping[str, Sample],
    critiques: Mapping[str, Sequence[Critique]],
    preference: Preference | None,
    judgements: Sequence[Judgement] = (),
) -> Example:
    """A picked pair with its texts and what was written in judging it; what cannot be found is shown as missing, never made up."""
    pair = one.pair
    turns = (
        tuple(Turn(turn.role, turn.content) for turn in prompt.messages)
        if prompt
        else (Turn("user", "(prompt not in the run)"),)
    )
    return Example(
        group=one.group,
        prompt_id=pair.prompt_id,
        turns=turns,
        chosen=_response(pair.chosen_id, pair.score_chosen, samples, critiques),
        rejected=_response(pair.rejected_id, pair.score_rejected, samples, critiques),
        p_chosen=pair.p_chosen,
        flipped=pair.flipped,
        principles=pair.principles,
        p_shown=_orders(pair, preference),
        written=tuple(_written(one, pair) for one in judgements if one.critique or one.thinking),
    )


def _written(one: Judgement, pair: PreferencePair) -> WrittenView:
    longest = max(len(one.critique), len(one.thinking))
    return WrittenView(
        one.principle or "", one.first_id == pair.chosen_id, one.critique[:SHOWN_CHARACTERS],
        one.thinking[:SHOWN_CHARACTERS], one.cut or longest > SHOWN_CHARACTERS,
    )  # fmt: skip


def _orders(pair: PreferencePair, preference: Preference | None) -> tuple[float | None, float | None]:
    """P(chosen better) when it was shown first, and second."""
    if preference is None:
        return None, None
    told = preference if preference.a_id == pair.chosen_id else preference.flip()
    return told.p_shown_a, told.p_shown_b


def misquoted(critique: str, response: str) -> tuple[str, ...]:
    """What a critique quotes, of several words and in double quotation marks, that a response lacks; spaces and case do not count."""
    held = " ".join(response.casefold().split())
    quoted = [a or b for a, b in _QUOTED.findall(critique)]
    return tuple(
        one for one in quoted if " " in one.strip() and " ".join(one.casefold().split()).strip(".,;:!? ") not in held
    )


def _response(
    sample_id: str, score: float, samples: Mapping[str, Sample], critiques: Mapping[str, Sequence[Critique]]
) -> ResponseView:
    sample = samples.get(sample_id)
    text = sample.text if sample else "(response not in the run)"
    views = tuple(
        CritiqueView(c.principle, c.verdict.value, c.text, misquoted(c.text, text) if sample else ())
        for c in sorted(critiques.get(sample_id, ()), key=lambda one: one.principle)
    )
    cut = max(0, len(text) - SHOWN_CHARACTERS)
    return ResponseView(sample_id, text[:SHOWN_CHARACTERS], sample.policy if sample else "", score, views, cut)
