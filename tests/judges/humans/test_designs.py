"""Several queues of one run: the joint probability of being labelled is the true one, also where people stop early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from judges.aggregate import Pair
from judges.humans.designs import FILE, PAGE, Design, Inclusion, read_designs, run_labels, write_designs
from judges.humans.labels import with_id
from judges.humans.page.session import Item, Session
from judges.humans.queue import Candidate, Plan, Queue, draw, inclusion
from judges.humans.store import add_labels, append_label
from tenet.ids import Json
from tenet.records import Choice, Label, Message, prompt_id
from tests.judges.humans.page_example import answer

Wish = tuple[Queue, int]
COUNT = 40
QUEUES = {
    "random, then more at random": ((Queue.RANDOM, 10), (Queue.RANDOM, 20)),
    "random, then uncertain": ((Queue.RANDOM, 10), (Queue.UNCERTAIN, 12)),
    "uncertain, then more": ((Queue.UNCERTAIN, 10), (Queue.UNCERTAIN, 20)),
    "three": ((Queue.STRATIFIED, 8), (Queue.UNCERTAIN, 10), (Queue.RANDOM, 10)),
}


def candidates() -> list[Candidate]:
    """Doubt falls with the number; two strata, one small."""
    return [
        Candidate(pair_of(place), 0.5 + (place // 4) / 30, stratum="rare" if place < 5 else "common")
        for place in range(COUNT)
    ]


def turns(place: int) -> tuple[Message, ...]:
    return (Message("user", f"Question {place}?"),)


def pair_of(place: int) -> Pair:
    return prompt_id(turns(place)), f"a{place}", f"b{place}"


PLACE = {pair_of(place): place for place in range(COUNT)}


@lru_cache
def design(kind: Queue, budget: int) -> Design:
    """A queue whose probabilities are known, and nothing drawn yet."""
    return Design.of({}, Plan(kind, 0, COUNT, ()), inclusion(candidates(), kind, budget))


def drawn(wishes: Sequence[Wish], seed: int) -> tuple[Design, ...]:
    pool, found = candidates(), []
    for number, (kind, budget) in enumerate(wishes):
        wanted: dict[str, Json] = {"queue": kind.value, "seed": seed, "budget": budget}
        found.append(replace(design(kind, budget), wanted=wanted, plan=draw(pool, kind, budget, seed, number)))
    return tuple(found)


def labelled(designs: Sequence[Design], stopped: Sequence[float]) -> set[Pair]:
    """What is labelled where people go through one queue after the other, and stop after that share of what each still had."""
    done: set[Pair] = set()
    for one, share in zip(designs, stopped, strict=True):
        left = [row.pair for row in one.plan.chosen if row.pair not in done]
        done.update(left[: round(share * len(left))])
    return done


@pytest.mark.parametrize("wishes", QUEUES.values(), ids=QUEUES)
def test_the_joint_probability_is_that_of_being_labelled(wishes: Sequence[Wish]) -> None:
    draws, seen = 300, Counter[Pair]()
    for seed in range(draws):
        designs = drawn(wishes, seed)
        done = labelled(designs, [1.0] * len(wishes))
        seen.update(done)
    found = Inclusion(designs, done)
    assert found.shares == (1.0,) * len(wishes)
    for pair in PLACE:
        chance = found.of(pair)
        spread = (chance * (1 - chance) / draws) ** 0.5
        assert abs(seen[pair] / draws - chance) <= 4.5 * spread + 1e-9


@pytest.mark.parametrize("stopped", [(1.0, 0.5), (0.5, 1.0), (0.6, 0.3)], ids=str)
@pytest.mark.parametrize("name", ["random, then uncertain", "uncertain, then more"])
def test_weighted_labels_of_two_queues_tell_the_truth_of_all_pairs(name: str, stopped: Sequence[float]) -> None:
    truth, draws = sum(range(COUNT)) / COUNT, 500
    joint, own, size = 0.0, 0.0, 0.0
    for seed in range(draws):
        designs = drawn(QUEUES[name], seed)
        done = labelled(designs, stopped)
        found = Inclusion(designs, done)
        weights = {pair: 1.0 / found.of(pair) for pair in done}
        joint += sum(PLACE[pair] * weight for pair, weight in weights.items()) / COUNT / draws
        size += sum(weights.values()) / draws
        first = {
            pair: designs[0].chance(pair) if pair in designs[0].pairs else designs[1].chance(pair) for pair in done
        }
        own += sum(PLACE[pair] / first[pair] for pair in done) / COUNT / draws
    assert joint == pytest.approx(truth, rel=0.03)
    assert size == pytest.approx(COUNT, rel=0.05), "the weights stand for all pairs, however far people came"
    assert abs(own - truth) > 2.0, "which the probability of the one queue alone does not tell"


def test_figures_of_a_queue_that_others_have_labelled_in_part(tmp_path: Path) -> None:
    """While a second queue is labelled, the pairs that the first had done are not taken for a random part of it."""
    truth, found = 0.0, 0.0
    draws = 30
    for seed in range(draws):
        designs = drawn(((Queue.UNCERTAIN, 12), (Queue.RANDOM, 30)), seed)
        store = tmp_path / f"{seed}.jsonl"
        sessions = [session_of(store, designs, number, seed) for number in range(2)]
        label_first(sessions[0], 12)
        label_first(sessions[1], 6)
        agreement = sessions[1].tally().worth.agreement
        assert agreement is not None
        found += agreement / draws
        truth = sum(place >= COUNT // 2 for place in range(COUNT)) / COUNT
    assert found == pytest.approx(truth, abs=0.06)


def session_of(store: Path, designs: Sequence[Design], number: int, seed: int) -> Session:
    items = [
        Item(
            row.pair,
            turns(PLACE[row.pair]),
            f"first {PLACE[row.pair]}",
            f"second {PLACE[row.pair]}",
            row.probability,
            0.9,
        )
        for row in designs[number].plan.chosen
    ]
    return Session(store, items, seed=seed, overlap=0.0, repeat=0.0, designs=designs, number=number)


def label_first(session: Session, count: int) -> None:
    """So many labels that agree with the judge on the second half of the pairs alone."""
    for second in range(count):
        shown = session.shown("ann")
        if shown is None:
            return
        right = PLACE[shown.item.pair] >= COUNT // 2
        session.answer(answer(shown, "ann", "1" if (shown.first is Choice.A) == right else "2", second=second))


def page_label(place: int, chance: float) -> Label:
    return with_id(
        Label(
            "", turns(place), "one", "other", Choice.A, "ann", source=PAGE, inclusion_probability=chance,
            response_a_id=f"b{place}", response_b_id=f"a{place}",
        )
    )  # fmt: skip


def test_the_labels_of_a_run_carry_the_joint_probability(tmp_path: Path) -> None:
    designs = drawn(((Queue.RANDOM, 10), (Queue.RANDOM, 20)), 0)
    write_designs(tmp_path, designs)
    for one in designs[0].plan.chosen:
        append_label(tmp_path / "labels.jsonl", page_label(PLACE[one.pair], one.probability))
    elsewhere = with_id(Label("", turns(0), "one", "other", Choice.B, "bob", inclusion_probability=0.3))
    lost = page_label(COUNT + 1, 0.7)
    add_labels(tmp_path / "labels.jsonl", [elsewhere, lost])
    assert {one.inclusion_probability for one in run_labels(tmp_path)} == {0.25, 0.3, 0.7}, (
        "of the second none is labelled"
    )
    for one in designs[1].plan.chosen:
        if one.pair not in designs[0].pairs:
            append_label(tmp_path / "labels.jsonl", page_label(PLACE[one.pair], one.probability))
    found = run_labels(tmp_path)
    joint = [one.inclusion_probability for one in found if one.source == PAGE and one.id != lost.id]
    assert joint == pytest.approx([1 - 0.75 * 0.5] * len(joint))
    assert {one.id: one.inclusion_probability for one in found}[elsewhere.id] == 0.3, "which no queue drew"
    assert {one.id: one.inclusion_probability for one in found}[lost.id] == 0.7, "of a queue that is not kept"
    assert {one.id for one in found} >= {elsewhere.id, lost.id}, "and ids stay"


def test_labels_of_a_file_weigh_as_those_of_the_page_where_both_are_random(tmp_path: Path) -> None:
    """Ten rows that came back of an export of all pairs are a sample of them, not certain to be labelled."""
    designs = drawn(((Queue.RANDOM, 10),), 0)
    write_designs(tmp_path, designs)
    shown = [PLACE[one.pair] for one in designs[0].plan.chosen]
    pages = [page_label(place, 10 / COUNT) for place in shown]
    others = [place for place in range(COUNT) if place not in shown]
    files = [with_id(Label("", turns(place), "one", "other", Choice.B, "bob")) for place in others]
    add_labels(tmp_path / "labels.jsonl", [*pages, *files[:10]])
    assert [one.inclusion_probability for one in run_labels(tmp_path)] == pytest.approx([10 / COUNT] * 20)
    add_labels(tmp_path / "labels.jsonl", files)
    again = {one.inclusion_probability for one in run_labels(tmp_path) if one.source != PAGE}
    assert again == {len(files) / COUNT}
    everything = [with_id(Label("", turns(place), "one", "other", Choice.B, "eve")) for place in range(COUNT)]
    add_labels(tmp_path / "labels.jsonl", everything)
    assert {one.inclusion_probability for one in run_labels(tmp_path) if one.source != PAGE} == {1.0}, "a census"


def test_designs_read_back_whole(tmp_path: Path) -> None:
    designs = drawn(QUEUES["three"], 3)
    write_designs(tmp_path, designs)
    again = read_designs(tmp_path)
    assert [one.as_json() for one in again] == [one.as_json() for one in designs]
    assert [one.plan for one in again] == [one.plan for one in designs]
    for one, other in zip(designs, again, strict=True):
        assert [one.chance(pair) for pair in PLACE] == [other.chance(pair) for pair in PLACE]
        assert {row.pair: row.probability for row in one.plan.chosen} == {pair: one.chance(pair) for pair in one.pairs}
        assert other.chance(pair_of(COUNT)) == 0.0, "a pair that came later"
    assert (tmp_path / FILE).stat().st_size < 40_000
    assert read_designs(tmp_path / "nothing") == ()
