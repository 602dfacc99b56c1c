"""Win rates by a judge whose taste is known: what counts as a win, a tie, nothing at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from constitution.load import load
from engines.registry import create_engine
from judges.pairwise import PairwiseJudge
from tenet.console import Console
from tenet.records import Finish, Message, Prompt, Sample
from train.winrate import Duel, duels_of, judgements_of, summed_up, win_rate


@pytest.fixture
def console() -> Iterator[Console]:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        yield Console(quiet=True, err=nowhere)


def judge(taste: str = "longer", mode: str = "each", **options: Any) -> PairwiseJudge:
    return PairwiseJudge(create_engine("scripted", taste, options=options), load("pocket/courteous"), mode, seed=0)


def prompt(number: int) -> Prompt:
    return Prompt.of([Message("user", f"question {number}")])


def sample(asked: Prompt, text: str, who: str, index: int = 0, finish: Finish = Finish.STOP) -> Sample:
    return Sample(f"{who}-{asked.id}-{index}", asked.id, index, text, who, finish)


def duel(number: int, base: str, trained: str, *, finish: Finish = Finish.STOP) -> Duel:
    asked = prompt(number)
    return Duel(asked, sample(asked, base, "base"), sample(asked, trained, "trained", finish=finish))


LONG, SHORT = "one two three four five six seven", "one two"


def test_wins_losses_ties_and_the_rest(console: Console) -> None:
    duels = [
        duel(0, SHORT, LONG),
        duel(1, SHORT, LONG),
        duel(2, LONG, SHORT),
        duel(3, SHORT, SHORT),
        duel(4, SHORT, ""),
        duel(5, "", "", finish=Finish.ERROR),
    ]
    found = win_rate(judge(), duels, console)
    assert (found.wins, found.ties, found.losses) == (2, 1, 2)
    assert (found.identical, found.no_opinion) == (1, 1)
    assert found.win_rate is not None
    assert (found.win_rate.value, found.win_rate.count) == (0.5, 5)
    assert found.mean_p is not None
    assert 0.3 < found.mean_p.value < 0.6
    assert found.flipped == 0.0
    assert found.longer == 1.0
    assert found.p[prompt(3).id, 0] == 0.5
    assert found.p[prompt(4).id, 0] == 0.0


def test_position_bias_is_averaged_away(console: Console) -> None:
    duels = [duel(number, SHORT, LONG) for number in range(6)] + [duel(9, LONG, SHORT)]
    fair = win_rate(judge(), duels, console)
    biased = win_rate(judge(position_bias=3.0), duels, console)
    assert biased.win_rate is not None
    assert fair.win_rate is not None
    assert biased.win_rate.value == fair.win_rate.value == pytest.approx(6 / 7)
    assert biased.flipped == 1.0


def test_an_opinion_in_one_order_only_is_none(console: Console) -> None:
    duels = [duel(number, SHORT, LONG) for number in range(3)]
    taste = judge()
    said = judgements_of(taste, duels, console)
    whole = summed_up(duels, said, taste)
    assert whole.no_opinion == 0
    half = [one for one in said if not (one.prompt_id == prompt(1).id and one.first_id.startswith("base"))]
    cut = summed_up(duels, half, taste)
    assert (cut.no_opinion, cut.wins) == (1, 2)
    assert cut.principles["courteous"].count == 2


def test_each_principle_has_a_rate(console: Console) -> None:
    found = win_rate(judge("word:thanks"), [duel(0, SHORT, "thanks " + SHORT), duel(1, SHORT, LONG)], console)
    assert found.principles["courteous"].value == pytest.approx(0.75)
    whole = win_rate(judge("word:thanks", mode="whole"), [duel(0, SHORT, "thanks " + SHORT)], console)
    assert whole.principles == {}
    assert whole.wins == 1


def test_responses_are_matched_by_prompt_and_number() -> None:
    asked = [prompt(0), prompt(1)]
    base = [sample(one, "b", "base", index) for one in asked for index in range(2)]
    trained = [sample(one, f"t{index}", "trained", index) for one in reversed(asked) for index in (1, 0)]
    found = duels_of(asked, base, trained)
    assert [(one.prompt.id, one.trained.text) for one in found] == [
        (asked[0].id, "t0"), (asked[0].id, "t1"), (asked[1].id, "t0"), (asked[1].id, "t1")
    ]  # fmt: skip


def test_nothing_to_compare(console: Console) -> None:
    found = win_rate(judge(), [duel(0, "", "", finish=Finish.ERROR)], console)
    assert found.win_rate is None
    assert found.as_json()["win_rate"] is None
