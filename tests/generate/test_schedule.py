"""Which pairs are judged, and what is left out and counted."""

from __future__ import annotations

from itertools import groupby

from generate.schedule import field_of, round_robin
from tenet.records import Finish, Sample


def samples_of(*texts: str) -> list[Sample]:
    return [Sample(f"s{n}", "p", n, text, "policy", Finish.STOP) for n, text in enumerate(texts)]


def test_every_pair_in_both_orders_once() -> None:
    pairs = [(first.id, second.id) for first, second in round_robin(samples_of("a", "b", "c", "d"))]
    assert len(pairs) == len(set(pairs)) == 12
    assert all((second, first) in pairs for first, second in pairs)


def test_pairs_with_the_same_first_response_stand_together() -> None:
    firsts = [first.id for first, _ in round_robin(samples_of("a", "b", "c"))]
    assert len(list(groupby(firsts))) == 3


def test_identical_and_unusable_texts_are_left_out_and_counted() -> None:
    failed = Sample("bad", "p", 9, "some words", "policy", Finish.ERROR, reason="cut")
    field = field_of([*samples_of("a", " a\n", "b", "", "  ", "b"), failed])
    assert [sample.text for sample in field.samples] == ["a", "b"]
    assert (field.identical, field.unusable, field.pairs) == (2, 3, 1)


def test_nothing_to_compare() -> None:
    assert round_robin([]) == []
    assert round_robin(samples_of("same", "same", "same")) == []


def test_cut_off_texts_are_compared() -> None:
    cut = Sample("cut", "p", 1, "a long answ", "policy", Finish.LENGTH)
    assert len(round_robin([*samples_of("a"), cut])) == 2
