"""The spool: what goes in comes out equal and in order, and its digest is that of the whole input."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from generate.spool import Spool
from tenet.ids import digest
from tenet.records import Finish, Message, Prompt, Sample


def prompt(text: str) -> Prompt:
    return Prompt.of([Message("system", "Be brief."), Message("user", text)], tags=("a", "b"), source=f"p.jsonl:{text}")


def sample(one: Prompt, number: int, text: str = "yes", policy: str = "m") -> Sample:
    return Sample(f"{one.id}-{number}", one.id, number, text, policy, Finish.GIVEN)


@pytest.fixture
def spool() -> Iterator[Spool]:
    made = Spool()
    yield made
    made.close()


def test_prompts_come_out_equal_and_the_first_of_an_id_stays(spool: Spool) -> None:
    prompts = [prompt(text) for text in ("x", "y", "ünï\u2028code", "z")]
    for one in [*prompts, prompts[1]]:
        spool.add(one)
    assert len(spool) == 4
    assert list(spool.prompts(range(4))) == prompts
    assert list(spool.prompts([3, 0])) == [prompts[3], prompts[0]]


def test_places_without_ids(spool: Spool) -> None:
    prompts = [prompt(text) for text in "abcd"]
    for one in prompts:
        spool.add(one)
    assert list(spool.without([])) == [0, 1, 2, 3]
    assert list(spool.without(one.id for one in (prompts[2], prompts[0], prompts[0], prompt("other")))) == [1, 3]


def test_responses_by_prompt_in_their_order(spool: Spool) -> None:
    one, other, silent = (prompt(text) for text in "abc")
    first, second, third = sample(one, 0), sample(other, 0), sample(one, 1, "no", "n")
    for answer in (first, second, third):
        spool.give(answer)
    assert dict(spool.given([one.id, other.id, silent.id])) == {one.id: [first, third], other.id: [second]}
    assert spool.responses == 3


def test_alike_counts_by_policy_and_then_by_text(spool: Spool) -> None:
    one, other = prompt("a"), prompt("b")
    for number, (text, policy) in enumerate([("x", "m"), ("y", "m"), ("x", "m"), ("x", "n")]):
        spool.give(sample(one, number, text, policy))
    assert spool.alike(one.id, "m", "x") == (3, 2)
    assert spool.alike(one.id, "n", "y") == (1, 0)
    assert spool.alike(other.id, "m", "x") == (0, 0)


def test_the_digest_is_that_of_the_ids_as_one_value(spool: Spool) -> None:
    assert spool.digest == digest([])
    one, other = prompt("a"), prompt("b")
    spool.add(other)
    spool.add(one)
    answers = [sample(one, number) for number in range(2)]
    for answer in answers:
        spool.give(answer)
    assert spool.digest == digest([[other.id, []], [one.id, [answer.id for answer in answers]]])
