"""Who is shown which pair, what is kept of an answer, and what the labels come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from judges.humans.labels import with_id
from judges.humans.page.session import GAP, LEASE, AlreadyAnswered, Session
from judges.humans.store import add_labels, read_store
from tenet.errors import UsageError
from tenet.records import Choice
from tests.judges.humans.page_example import answer, make_items, make_session


def label_all(session: Session, name: str, choice: str = "1", *, most: int = 10**6) -> int:
    """Answer until nothing is left; how many answers that took."""
    count = 0
    while count < most and (shown := session.shown(name)) is not None:
        session.answer(answer(shown, name, choice, second=count))
        count += 1
    return count


def test_an_answer_becomes_a_label_with_all_that_it_says(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    shown = session.shown("ann")
    assert shown is not None
    told = replace(answer(shown, " ann ", "2"), strength=0.5, comment=" hard\ud800 to tell ")
    name = session.answer(told)
    (label,) = read_store(tmp_path / "labels.jsonl")
    assert label.id == name
    assert label.preference is (Choice.B if shown.first is Choice.A else Choice.A), "the second shown"
    assert (label.annotator, label.strength, label.comment) == ("ann", 0.5, "hard\ufffd to tell")
    assert (label.shown_first, label.inclusion_probability) == (shown.first, shown.item.probability)
    assert (label.prompt, label.response_a, label.response_b) == (shown.item.prompt, shown.item.a, shown.item.b)
    assert (label.response_a_id, label.response_b_id) == shown.item.pair[1:]
    assert label.principle is None


def test_the_same_answer_twice_is_one_label_also_for_another_server(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    shown = session.shown("ann")
    assert shown is not None
    told = answer(shown, "ann")
    assert session.answer(told) == session.answer(told) == make_session(tmp_path).answer(told)
    assert len(read_store(tmp_path / "labels.jsonl")) == 1
    with pytest.raises(AlreadyAnswered):
        session.answer(replace(told, choice="2"))


def test_both_orders_are_drawn_and_stay(tmp_path: Path) -> None:
    session, orders = make_session(tmp_path, 60), []
    for second in range(60):
        shown = session.shown("ann")
        assert shown is not None
        assert session.shown("ann") == shown == make_session(tmp_path, 60).shown("ann"), "also after a restart"
        orders.append(shown.first)
        session.answer(answer(shown, "ann", second=second))
    assert 15 < orders.count(Choice.A) < 45


def test_undo_takes_back_and_shows_the_pair_again(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    first = session.shown("ann")
    assert first is not None
    kept = session.answer(answer(first, "ann"))
    assert session.last("ann") == kept
    session.undo("ann", kept, "2026-01-31T12:01:00+00:00")
    session.undo("ann", kept, "2026-01-31T12:01:00+00:00")
    assert session.shown("ann") == first
    assert read_store(tmp_path / "labels.jsonl") == ()
    assert session.last("ann") is None
    assert (tmp_path / "labels.jsonl").read_text().count("\n") == 2, "the label, and one line that takes it back"
    again = session.answer(answer(first, "ann", "2", second=9))
    assert [one.id for one in read_store(tmp_path / "labels.jsonl")] == [again]
    with pytest.raises(UsageError, match="no label that you gave"):
        session.undo("bob", again, "2026-01-31T12:01:00+00:00")


def test_two_people_share_the_pairs_and_overlap_on_some(tmp_path: Path) -> None:
    session = make_session(tmp_path, 200, overlap=0.25, repeat=0.0)
    ann, bob = session.shown("ann"), session.shown("bob")
    assert ann is not None
    assert bob is not None
    taken, more = 0, True
    while more:
        more = False
        for name in ("ann", "bob"):
            if (shown := session.shown(name)) is not None:
                session.answer(answer(shown, name, second=taken))
                taken, more = taken + 1, True
    tally = session.tally("ann")
    assert tally.done == tally.pairs == 200
    assert tally.between.of == taken - 200
    assert 0.15 < tally.between.of / 200 < 0.35
    assert tally.people.keys() == {"ann", "bob"}
    assert session.shown("carl") is None


def test_what_another_person_is_looking_at_is_not_shown_until_they_seem_gone(tmp_path: Path) -> None:
    now = [0.0]
    session = Session(tmp_path / "labels.jsonl", make_items(1), seed=1, overlap=0.0, clock=lambda: now[0])
    assert session.shown("ann") is not None
    assert session.shown("bob") is None
    now[0] += LEASE + 1
    assert session.shown("bob") is not None


def test_some_pairs_come_again_to_the_same_person_but_not_at_once(tmp_path: Path) -> None:
    session, seen = make_session(tmp_path, 60, repeat=0.2), []
    while (shown := session.shown("ann")) is not None:
        # The same side of the screen each time: consistent only where the order is the same again.
        session.answer(answer(shown, "ann", "1", second=len(seen)))
        seen.append(shown.item.pair)
    again = [place for place, pair in enumerate(seen) if pair in seen[:place]]
    assert len(seen) == 60 + len(again)
    assert len(again) == 12
    assert all(place - seen.index(seen[place]) > GAP for place in again)
    tally = session.tally("ann")
    assert tally.within.of == 12
    assert 0 < tally.within.same < 12


def test_a_skip_is_no_opinion_and_leaves_the_pair_to_others(tmp_path: Path) -> None:
    session = make_session(tmp_path, 5, overlap=0.0)
    assert label_all(session, "ann", "skip") == 5
    assert session.tally("ann").done == 0
    assert session.tally("ann").skipped == 5
    assert label_all(session, "bob") == 5
    assert session.tally("bob").done == 5


def test_labels_from_elsewhere_count_and_cannot_be_undone_here(tmp_path: Path) -> None:
    session, other = make_session(tmp_path, 3, overlap=0.0), make_session(tmp_path / "other", 3, overlap=0.0)
    shown = other.shown("ann")
    assert shown is not None
    other.answer(answer(shown, "ann"))
    (label,) = read_store(tmp_path / "other" / "labels.jsonl")
    turned = with_id(replace(
        label, response_a=label.response_b, response_b=label.response_a, source="file:1",
        response_a_id=None, response_b_id=None, preference=Choice.B,
    ))  # fmt: skip
    assert session.tally().done == 0
    add_labels(tmp_path / "labels.jsonl", [turned])
    assert session.tally().done == 1
    assert session.last("ann") is None
    assert session.tally().worth.agreement == 1.0, "a is preferred, whichever way round a label names the two"


def test_agreement_with_the_judge_is_weighted_and_ties_are_half(tmp_path: Path) -> None:
    items = make_items(3)
    items[1] = replace(items[1], probability=0.1)
    session = Session(tmp_path / "labels.jsonl", items, seed=1, overlap=0.0, repeat=0.0)
    for second, choice in enumerate((Choice.A, Choice.B, Choice.TIE)):
        shown = session.shown("ann")
        assert shown is not None
        assert shown.item is items[second]
        side = "tie" if choice is Choice.TIE else "1" if choice is shown.first else "2"
        session.answer(answer(shown, "ann", side, second=second))
    assert session.tally().worth.agreement == pytest.approx((2 * 1 + 10 * 0 + 2 * 0.5) / 14)


def test_no_more_labels_are_foretold_than_pairs_are_left(tmp_path: Path) -> None:
    session = make_session(tmp_path, 3, overlap=0.0, repeat=0.0)
    told = []
    for second in range(3):
        shown = session.shown("ann")
        assert shown is not None
        session.answer(answer(shown, "ann", second=second))
        told.append(session.tally().worth)
    assert [one.next for one in told] == [2, 1, 0]
    assert [one.next_narrow > 0 for one in told] == [True, True, False]


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "none"},
        {"choice": "3"},
        {"annotator": " "},
        {"annotator": "two\nlines"},
        {"annotator": "x" * 65},
        {"time": "noon"},
        {"strength": 1.5},
        {"comment": "x" * 4001},
    ],
)
def test_answers_that_cannot_be_kept(tmp_path: Path, changes: dict[str, object]) -> None:
    session = make_session(tmp_path)
    shown = session.shown("ann")
    assert shown is not None
    with pytest.raises(UsageError):
        session.answer(replace(answer(shown, "ann"), **changes))  # type: ignore[arg-type]
    assert read_store(tmp_path / "labels.jsonl") == ()
