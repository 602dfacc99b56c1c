"""What several formats share: a chosen and a rejected answer as a comparison, conversations parted where they differ, rankings as pairs.

Files that name a winner would put it first in every row. Which side it gets here is drawn from the texts, so that the same row always
comes out the same, no annotator seems to prefer a side, and agreement beyond chance stays measurable. Knows no format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from judges.formats.base import Comparison, LeftOut, Opinion, Response
from tenet.ids import content_id, unit_interval
from tenet.reading.clean import clean, clean_turns
from tenet.reading.transcript import is_transcript, split_pair
from tenet.reading.turns import Unreadable, prompt_of, turns_of
from tenet.records import Choice, Message

Parted = tuple[tuple[Message, ...], str, str]
"""A prompt and two answers to it."""
NO_SHARED_PREFIX: Final = "the two transcripts part before the last answer, so that an answer would hold other turns"
PARTED: Final = "the two conversations part before the last answer, so that they have no prompt in common"
TURNED: Final = {Choice.A: Choice.B, Choice.B: Choice.A}


def drawn_sides(prompt: tuple[Message, ...], better: Response, worse: Response, opinion: Opinion) -> Comparison:
    """A comparison whose a and b are drawn by the texts; `opinion` is told of `better` as a."""
    low, high = sorted((better.text, worse.text))
    straight = (unit_interval("side", [[turn.role, turn.content] for turn in prompt], low, high) < 0.5) == (
        better.text == low
    )
    if straight:
        return Comparison(prompt, better, worse, (opinion,))
    choice = opinion.choice and TURNED.get(opinion.choice, opinion.choice)
    p_a = None if opinion.p_a is None else 1.0 - opinion.p_a
    return Comparison(prompt, worse, better, (replace(opinion, choice=choice, p_a=p_a),))


def parted_transcripts(chosen: str, rejected: str) -> Parted:
    r"""Part two transcripts (`\n\nHuman: ...\n\nAssistant: ...`) at the last answer.

    Raises:
        LeftOut: the texts before their last answers are not the same.
        Unreadable: they share no turns, or what they share holds no turn of a user.
    """
    try:
        split = split_pair(chosen, rejected)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    turns, _ = prompt_of(split.prompt)
    if split.odd:
        raise LeftOut(NO_SHARED_PREFIX, several_turns=sum(turn.role == "user" for turn in turns) > 1)
    return clean_turns(turns)[0], clean(split.chosen)[0], clean(split.rejected)[0]


def parted(prompt: object, chosen: object, rejected: object, *, cells: bool = False) -> Parted:
    """The prompt and the two answers of a row that may hold the prompt on its own (not None), before the answers, or both.

    Raises:
        Unreadable: there is no prompt, or an answer is none.
        LeftOut: the conversations differ before the last answer.
    """
    both = isinstance(chosen, str) and isinstance(rejected, str)
    if prompt is None and both and is_transcript(str(chosen)) and is_transcript(str(rejected)):
        return parted_transcripts(str(chosen), str(rejected))
    given = () if prompt is None else turns_of(prompt, cell=cells)
    (before_a, a), (before_b, b) = (_ending(side, cells=cells, bare=prompt is not None) for side in (chosen, rejected))
    if before_a != before_b:
        raise LeftOut(PARTED, several_turns=sum(turn.role == "user" for turn in before_a) > 1)
    turns = before_a or given
    if given and before_a:
        turns = before_a if before_a[-len(given) :] == given else (*given, *before_a)
    if not turns:
        raise Unreadable("`chosen` and `rejected` share no turns, and there is no `prompt`")
    asked, cut = prompt_of(turns)
    if cut:
        raise Unreadable("the prompt ends with an answer and not with the user's turn")
    return clean_turns(asked)[0], clean(a)[0], clean(b)[0]


def _ending(side: object, *, cells: bool, bare: bool) -> tuple[tuple[Message, ...], str]:
    """What stands before an answer, and the answer."""
    turns = turns_of(side, cell=cells) if not (bare and isinstance(side, str)) else (Message("assistant", side),)
    if bare and cells and isinstance(side, str):
        listed = turns_of(side, cell=True)
        turns = listed if listed[-1].role == "assistant" and not is_transcript(side) else turns
    if not turns or turns[-1].role != "assistant":
        raise Unreadable("`chosen` and `rejected` share no turns, or do not end with an answer")
    return tuple(turns[:-1]), turns[-1].content


def ranked(
    prompt: tuple[Message, ...],
    responses: Sequence[Response],
    scores: Sequence[float],
    *,
    annotator: str,
    span: float | None,
    person: bool = True,
    time: str | None = None,
) -> list[Comparison]:
    """All pairs of responses that one annotator scored (higher is better), under one ranking id; equal scores are ties.

    `span` is the widest gap that the scale allows, which makes strength 1; None where gaps mean nothing, as those of ranks.
    """
    texts = [[one.policy, one.text] for one in responses]
    name = content_id("ranking", annotator, [[turn.role, turn.content] for turn in prompt], texts, list(scores))
    found = []
    for i, j in combinations(range(len(responses)), 2):
        gap = scores[i] - scores[j]
        choice = Choice.TIE if gap == 0 else Choice.A if gap > 0 else Choice.B
        strength = None if span is None or gap == 0 else min(1.0, abs(gap) / span)
        opinion = Opinion(
            annotator, choice, person=person, strength=strength, time=time,
            ranking=name if len(responses) > 2 else None,
        )  # fmt: skip
        found.append(Comparison(prompt, responses[i], responses[j], (opinion,)))
    return found
