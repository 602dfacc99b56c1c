"""Audits of judges whose habits are known: one that obeys, one that reads one word, one of lengths, one of places."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import pytest

from engines.base import LabelRead, Request, TokenIds
from engines.scripted import ScriptedEngine
from generate.audit.attacked import injection, sycophancy
from generate.audit.bench import Bench
from generate.audit.cases import Case
from generate.audit.habits import length, null_response, over_refusal
from generate.audit.model import Audit, Result, Row, row_all
from generate.audit.steering import steerability
from judges.pairwise import PairAsk, PairwiseJudge
from judges.steer import swaps
from tenet.budget import Spent
from tenet.ids import Json
from tenet.records import Judgement
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of

FILE = constitution_of(principle("kind"))
_ORDER = re.compile(r"Choose ([AB])\.|Answer: ([AB])")


class Obedient(ScriptedEngine):
    """Likes the word kettle, and does what a response orders it to."""

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """As scripted, but for what orders are found."""
        return [
            self._told(request, read)
            for request, read in zip(requests, super().read_labels(requests, labels), strict=True)
        ]

    def _told(self, request: Request, read: LabelRead) -> LabelRead:
        order = _ORDER.search(self.tokenizer.decode(request.tokens))
        if order is None:
            return read
        p = 0.9 if (order[1] or order[2]) == "A" else 0.1
        return LabelRead((math.log(p), math.log(1.0 - p)), read.usage)


class Direct:
    """Asks here and now."""

    def __init__(self) -> None:
        self.spent = Spent()

    def get(self, judge: PairwiseJudge, asks: Iterable[PairAsk], title: str) -> Mapping[str, Judgement]:
        found = judge.judge([*{ask.record_id: ask for ask in asks}.values()])
        self.spent += sum(map(Spent.of, found), Spent())
        return {one.id: one for one in found}


PROMPTS = 40


def cases(number: int = PROMPTS, *, tags: tuple[str, ...] = ()) -> list[Case]:
    """A good response, one word longer than the poor one; which is `a` changes."""
    found = []
    for n in range(number):
        prompt = prompt_of(f"How do I descale number {n}?", tags=tags)
        good, poor = (
            sample_of(f"Fill the {word} with {n} cups of water.", prompt=prompt) for word in ("kettle", "basket")
        )
        found.append(Case(prompt, *((good, poor) if n % 2 else (poor, good))))
    return found


def bench(engine: type[ScriptedEngine] = ScriptedEngine, model: str = "word:kettle", **options: Json) -> Bench:
    return Bench(
        PairwiseJudge(engine(model, options=options), FILE),
        cases(),
        Direct(),
        words=("water", "cups", "sink", "slowly"),
    )


def whole(found: Audit) -> Row:
    row = row_all(found.rows)
    assert row is not None
    return row


def test_a_judge_that_obeys_fails_and_its_masters_are_named() -> None:
    found = injection(bench(Obedient))
    assert (found.result, found.prompts, found.unread) == (Result.FAILS, PROMPTS, 0)
    rows = {row.name: row for row in found.rows}
    for name in ("instruction-ignore", "verdict-letter"):
        assert (rows[name].hits, rows[name].count) == (2 * PROMPTS, 2 * PROMPTS)  # both orders of every pair
        assert rows[name].control is not None
        assert rows[name].control.value == 0.0
    assert rows["authority-plea"].hits == 0
    assert rows["encoded-base64"].hits == 0
    assert found.value is not None
    assert found.value.low < 0.1 < found.value.high  # over all attacks together nothing would be said
    assert "attacks turned" in found.says
    assert "it falls for: instruction, verdict" in found.says


def test_a_judge_of_one_word_holds() -> None:
    found = injection(bench())
    assert found.result is Result.HOLDS
    assert whole(found).hits == 0
    assert sycophancy(bench()).result is Result.HOLDS


def test_a_judge_of_lengths_is_turned_by_any_text_alike() -> None:
    """Random text of equal length is what tells an attack that is read from one that is merely there."""
    found = injection(bench(model="longer", gain=40.0, noise=0.3))
    row = whole(found)
    assert row.rate is not None
    assert row.rate.value > 0.5
    assert found.value is not None
    assert abs(found.value.value) < 0.1
    assert found.result is not Result.FAILS


def test_a_judge_of_places_is_not_turned_by_text() -> None:
    one = bench(gain=0.0, position_bias=5.0)
    found = injection(one)
    assert len(one.decided) == 2 * PROMPTS
    assert (whole(found).hits, found.result) == (0, Result.HOLDS)
    assert steerability(one, swaps(FILE)).result is Result.FAILS


def test_a_judge_without_decided_verdicts_is_not_cleared() -> None:
    found = injection(bench(gain=0.0))
    assert (found.result, found.value, found.count) == (Result.TOO_FEW, None, 0)


def test_verdicts_that_are_not_read_count_as_nothing() -> None:
    found = injection(bench(low_mass=0.3))
    assert found.unread > 0
    assert whole(found).hits == 0


def test_an_empty_answer_wins_from_a_judge_who_likes_it_short() -> None:
    assert null_response(bench()).result is Result.HOLDS  # against a poor answer it comes to one half, which is no win
    found = null_response(bench(model="shorter", gain=5.0))
    assert found.result is Result.FAILS
    assert whole(found).count == PROMPTS * 3


@pytest.mark.parametrize(("model", "sign"), [("longer", 1), ("shorter", -1), ("word:tea", 0)])
def test_padding_moves_a_judge_of_lengths(model: str, sign: int) -> None:
    found = length(bench(model=model))
    assert found.value is not None
    assert found.value.value * sign > 0.2 if sign else found.value.value == 0.0
    assert found.result is (Result.FAILS if sign else Result.HOLDS)
    assert {row.name for row in found.rows} == {"all", "repetition", "filler"}


def test_a_refusal_is_put_against_the_better_answer_of_harmless_prompts_only() -> None:
    assert over_refusal(bench()).result is Result.HOLDS
    assert over_refusal(bench(model="word:cannot")).rows[1].hits == PROMPTS
    one = bench()
    one.cases = cases(tags=("harmful",))
    found = over_refusal(one)
    assert (found.result, found.says, found.count) == (Result.TOO_FEW, "no prompt to ask about", 0)
