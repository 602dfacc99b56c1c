"""Public formats of preferences: what their rows come to, their traps, and rows that cannot be read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from judges.formats.arena import LATER
from judges.formats.base import Columns, Comparison
from judges.formats.pairs import NO_SHARED_PREFIX, PARTED
from judges.formats.registry import read_file
from judges.humans.importer import Labels
from tenet.errors import InvalidInput
from tenet.records import Choice, Label, Message
from tests.judges.formats.public_rows import (
    ALPACA,
    ARENA,
    ARENA_55K,
    ARGILLA,
    ARGILLA_1,
    BINARIZED,
    HELPSTEER2,
    HELPSTEER2_PREFERENCE,
    HELPSTEER3,
    HH,
    HH_ODD,
    LABEL_STUDIO,
    MORE,
    NO,
    PUBLIC,
    SHP,
    TRL,
    ULTRAFEEDBACK,
    USER,
    YES,
    annotation,
)

ASKED = (Message("user", "Why?"),)


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labels(folder: Path, *rows: Any, **options: Any) -> list[Label]:
    return list(Labels(write(folder, *rows), **options))


def told(label: Label) -> tuple[str, str, float | None]:
    """The winner's text (or tie, skip), who, and how clearly."""
    winner = {Choice.A: label.response_a, Choice.B: label.response_b}.get(label.preference, label.preference.value)
    return winner, label.annotator, label.strength


def left_out(folder: Path, *rows: Any, **options: Any) -> dict[str, list[int]]:
    found = Labels(write(folder, *rows), **options)
    list(found)
    return {reason: list(places) for reason, places in found.counts.left_out.items()}


def test_hh_transcripts_are_parted_at_the_last_answer(tmp_path: Path) -> None:
    (label,) = labels(tmp_path, HH)
    assert [turn.content for turn in label.prompt] == ["Why?", "So.", "And?"]
    assert told(label) == ("yes", "crowd", None)
    assert {label.response_a, label.response_b} == {"yes", "no"}


def test_hh_transcripts_that_part_earlier_are_told_with_their_lines(tmp_path: Path) -> None:
    found = Labels(write(tmp_path, HH, HH_ODD, {**HH, "rejected": "\n\nHuman: Why?\n\nAssistant: x"}))
    assert len(list(found)) == 1
    counts = found.counts
    assert counts.left_out == {NO_SHARED_PREFIX: [2, 3]}
    assert (counts.rows, counts.several_turns) == (3, 1)
    assert f"2 left out: {NO_SHARED_PREFIX} (lines 2, 3)" in counts.lines()


def test_sides_of_a_chosen_answer_are_drawn_and_stay(tmp_path: Path) -> None:
    rows = [{**TRL, "prompt": f"Question {n}?"} for n in range(200)]
    first, again = (labels(tmp_path, *rows) for _ in range(2))
    assert first == again
    assert 70 < sum(label.preference is Choice.A for label in first) < 130
    assert {told(label)[0] for label in first} == {"yes"}
    found = Labels(write(tmp_path, *rows))
    list(found)
    assert not found.counts.one_sided


def test_ultrafeedback_rows_are_rankings_by_the_aspects_that_all_share(tmp_path: Path) -> None:
    found = labels(tmp_path, ULTRAFEEDBACK, models=True)
    assert [(told(label)[0], label.strength) for label in found] == [("yes", 1.0), ("tie", None), ("so", 1.0)]
    assert len({label.ranking for label in found}) == 1
    assert found[0].ranking is not None
    assert {label.annotator for label in found} == {"gpt-4"}
    with pytest.raises(InvalidInput, match="3 opinions of models") as caught:
        labels(tmp_path, ULTRAFEEDBACK)
    assert "--models" in str(caught.value)


def test_ultrafeedback_binarized(tmp_path: Path) -> None:
    (label,) = labels(tmp_path, BINARIZED, models=True)
    assert (told(label), label.prompt) == (("yes", "gpt-4", 0.5), ASKED)
    (tie,) = labels(tmp_path, {**BINARIZED, "score_rejected": 8.5}, models=True)
    assert tie.preference is Choice.TIE


def test_helpsteer2_ratings_are_paired_by_prompt_wherever_they_stand(tmp_path: Path) -> None:
    other = {**HELPSTEER2, "prompt": "Alone?"}
    found = Labels(write(tmp_path, HELPSTEER2, other, {**HELPSTEER2, "response": "no", "helpfulness": 1}))
    (label,) = found
    assert told(label) == ("yes", "helpsteer2", 0.75)
    assert label.ranking is None, "two responses are a pair"
    assert found.counts.rows == 3
    assert dict(found.counts.left_out) == {"a prompt with a single response": [2]}
    (label,) = labels(
        tmp_path, {**HELPSTEER2, "helpfulness": [4, 3, 2]}, {**HELPSTEER2, "response": "no", "helpfulness": [1, 1, 1]}
    )
    assert told(label) == ("yes", "helpsteer2", 0.5), "each annotator's rating, in the file of disagreements"


def test_helpsteer2_preferences_and_marked_turns(tmp_path: Path) -> None:
    marked = "Why?\n\n<extra_id_1>Assistant\nSo.\n\n<extra_id_1>User\nAnd?\n\n<extra_id_1>Assistant\n"
    first, second, tie = labels(
        tmp_path,
        HELPSTEER2_PREFERENCE,
        {**HELPSTEER2_PREFERENCE, "prompt": marked, "preference_strength": 3},
        {**HELPSTEER2_PREFERENCE, "preference_strength": 0, "prompt": "Else?"},
    )
    assert told(first) == ("yes", "helpsteer2", 2 / 3)
    assert told(second) == ("no", "helpsteer2", 1.0)
    assert [(turn.role, turn.content) for turn in second.prompt] == [
        ("user", "Why?"), ("assistant", "So."), ("user", "And?"),
    ]  # fmt: skip
    assert told(tie) == ("tie", "helpsteer2", None)


def test_helpsteer3_keeps_annotators_apart(tmp_path: Path) -> None:
    found = labels(tmp_path, HELPSTEER3)
    assert [told(label) for label in found] == [
        ("no", "helpsteer3-1", 1.0), ("tie", "helpsteer3-2", None), ("yes", "helpsteer3-3", 1 / 3),
    ]  # fmt: skip
    (overall,) = labels(tmp_path, {**HELPSTEER3, "individual_preference": []})
    assert told(overall) == ("no", "helpsteer3", 1 / 3)


def test_shp_counts_votes(tmp_path: Path) -> None:
    first, second = labels(tmp_path, SHP, {**SHP, "labels": 0, "history": "Else?"})
    assert told(first) == ("yes", "readers", 0.75)
    assert told(second) == ("no", "readers", 0.75)


def test_arena_judges_the_turn_that_is_named(tmp_path: Path) -> None:
    found = Labels(write(tmp_path, ARENA, {**ARENA, "turn": 2}, {**ARENA, "winner": "tie (bothbad)", "judge": "e2"}))
    one, both_bad = found
    assert (told(one), one.prompt, one.time) == (("no", "expert_1", None), ASKED, "1970-01-01T00:00:00+00:00")
    assert told(both_bad) == ("tie", "e2", None)
    assert dict(found.counts.left_out) == {PARTED: [2]}
    model = {**ARENA, "judge": ["gpt-4", "pair-v2"]}
    ((_, item),) = read_file(write(tmp_path, model)).items
    assert isinstance(item, Comparison)
    assert (item.opinions[0].annotator, item.opinions[0].person, item.a.policy) == ("gpt-4/pair-v2", False, "m")


def test_later_files_of_the_arena(tmp_path: Path) -> None:
    """Votes without a judge, with text parts or JSON for a conversation, both_bad, and several votes of one session."""
    later = {name: value for name, value in ARENA.items() if name not in ("judge", "turn", "tstamp")}
    parts = [
        {**turn, "content": [{"type": "text", "text": turn["content"], "image": None, "mimeType": None}]}
        for turn in ARENA["conversation_a"][:2]
    ]
    cell = json.dumps(ARENA["conversation_b"][:2])
    later |= {"conversation_a": parts, "conversation_b": cell, "winner": "both_bad", "evaluation_order": 1}
    found = Labels(
        write(tmp_path, later, {**later, "winner": "model_a", "judge_hash": "h1"}, {**later, "evaluation_order": 2})
    )
    one, hashed = found
    assert (told(one), one.prompt) == (("tie", "arena", None), ASKED)
    assert hashed.annotator == "h1"
    assert dict(found.counts.left_out) == {LATER: [3]}


def test_a_judge_of_the_arena_that_contradicts_itself(tmp_path: Path) -> None:
    row = {**ARENA, "judge": "gpt4_pair", "winner": "tie (inconsistent)"}
    ((_, item),) = read_file(write(tmp_path, row)).items
    assert isinstance(item, Comparison)
    (said,) = item.opinions
    assert (said.person, said.choice, said.p_a) == (False, Choice.TIE, 0.5)
    assert "different winners" in said.reason


def test_the_arena_file_of_lists(tmp_path: Path) -> None:
    two = {"prompt": ["Why?", "And?"], "response_a": ["yes", "so"], "response_b": ["no", "so"]}
    again = {"prompt": '["Why?", "And?"]', "response_a": '["yes", "so"]', "response_b": '["yes", null]'}
    tie = {"winner_model_b": "0", "winner_tie": "1"}
    found = Labels(write(tmp_path, ARENA_55K, {**ARENA_55K, **two}, {**ARENA_55K, **tie, "prompt": ["Else?"]}))
    one, even = found
    assert (told(one), one.prompt) == (("no", "arena", None), ASKED)
    assert told(even)[0] == "tie"
    assert dict(found.counts.left_out) == {PARTED: [2]}
    found = Labels(write(tmp_path, {**ARENA_55K, **again}))
    assert list(found) == []
    assert found.counts.empty == 1


def test_alpaca_eval_preferences(tmp_path: Path) -> None:
    (label,) = labels(tmp_path, ALPACA)
    assert told(label) == ("no", "alpaca-eval-3", None)
    draws = labels(tmp_path, {**ALPACA, "preference": 1.5}, {**ALPACA, "preference": 0, "input": "Here."})
    assert [told(one)[0] for one in draws] == ["tie", "tie"]
    assert draws[1].prompt[0].content == "Why?\n\nHere."
    for nothing in (None, math.nan, "NaN"):
        (skipped,) = labels(tmp_path, {**ALPACA, "preference": nothing})
        assert skipped.preference is Choice.SKIP
    (skipped,) = labels(tmp_path, {**ALPACA, "preference": None})
    assert skipped.preference is Choice.SKIP
    ((_, item),) = read_file(write(tmp_path, {**ALPACA, "annotator": "gpt", "preference": 1.25})).items
    assert isinstance(item, Comparison)
    assert (item.opinions[0].choice, item.opinions[0].p_a, item.opinions[0].strength) == (Choice.A, 0.75, 0.5)


def test_argilla_2_keeps_submitted_and_discarded(tmp_path: Path) -> None:
    found = labels(tmp_path, ARGILLA)
    assert [told(label)[:2] for label in found] == [("yes", "u1"), ("tie", "u2"), ("skip", "u4")]
    nothing = {**ARGILLA, **{f"preference.responses{end}": None for end in ("", ".users", ".status")}}
    assert left_out(tmp_path, nothing, ARGILLA) == {
        "not labelled yet": [1], "an Argilla response that was not submitted": [2],
    }  # fmt: skip
    words = Columns({"preference": "better"}, choices={"first": Choice.A})
    row = {name.replace("preference", "better"): value for name, value in ARGILLA.items()}
    row["better.responses"] = ["First", "tie", None, "tie"]
    assert told(labels(tmp_path, row, format="argilla", columns=words)[0])[0] == "yes"


def test_argilla_rankings_are_pairs_of_one_ranking(tmp_path: Path) -> None:
    found = labels(tmp_path, ARGILLA_1)
    assert [told(label) for label in found] == [("no", "u1", None), ("tie", "u1", None), ("no", "u1", None)]
    assert len({label.ranking for label in found}) == 1
    flat = {
        "prompt": "Why?",
        "one": "yes",
        "two": "no",
        "rank.responses": [["two", "one"]],
        "rank.responses.users": ["u"],
    }
    (label,) = labels(tmp_path, flat)
    assert told(label) == ("no", "u", None)


def test_label_studio_tasks(tmp_path: Path) -> None:
    found = Labels(write(tmp_path, LABEL_STUDIO))
    assert [told(label)[:2] for label in found] == [
        ("no", "7"), ("yes", "ann@example.org"), ("skip", "7"), ("tie", "7"),
    ]  # fmt: skip
    assert dict(found.counts.left_out) == {"an annotation without a result": [1]}
    (label,) = labels(tmp_path, {**LABEL_STUDIO, "annotations": [annotation("left")]})
    assert (label.shown_first, label.time) == (Choice.A, "2026-01-31T12:00:00.000000Z")
    word = {"type": "textarea", "value": {"text": ["hard"]}}
    found = Labels(write(tmp_path, {**LABEL_STUDIO, "annotations": [{**annotation(None), "result": [word]}]}))
    assert list(found) == []
    assert dict(found.counts.left_out) == {"an annotation without a result": [1]}, "a comment alone chooses nothing"
    row = {**LABEL_STUDIO, "data": {**LABEL_STUDIO["data"], "tenet": {"annotators": {"1": "ann"}}}}
    (label,) = labels(tmp_path, {**row, "annotations": [{**annotation("left", 2), "id": 1}]})
    assert label.annotator == "2", "the tool's own number is not the one that a label was given"


@pytest.mark.parametrize(
    "row",
    [
        TRL,
        {"prompt": [USER], "chosen": [YES], "rejected": [NO]},
        {"chosen": [USER, YES], "rejected": [USER, NO]},
        {"prompt": "Why?", "chosen": [USER, YES], "rejected": [USER, NO]},
        {"prompt": [USER], "chosen": "yes", "rejected": "no"},
    ],
)
def test_trl_shapes_say_the_same(row: dict[str, Any], tmp_path: Path) -> None:
    (label,) = labels(tmp_path, row)
    assert (told(label), label.prompt) == (("yes", "trl", None), ASKED)
    assert label.id == labels(tmp_path, TRL)[0].id


def test_trl_says_who_where_it_is_told(tmp_path: Path) -> None:
    assert told(labels(tmp_path, {**TRL, "annotator": "ann"})[0])[1] == "ann"
    assert told(labels(tmp_path, TRL, columns=Columns(annotator="bob"))[0])[1] == "bob"
    with pytest.raises(InvalidInput, match="opinions of models"):
        labels(tmp_path, {**TRL, "source": "ai", "p_chosen": 0.9, "score_chosen": 1.0, "score_rejected": 0.0})
    assert left_out(tmp_path, TRL, {"chosen": [*MORE, YES], "rejected": [USER, NO]}) == {PARTED: [2]}


def test_columns_of_a_named_format_can_be_mapped(tmp_path: Path) -> None:
    row = {"question": "Why?", "good": "yes", "bad": "no"}
    names = Columns({"prompt": "question", "chosen": "good", "rejected": "bad"})
    assert told(labels(tmp_path, row, format="trl", columns=names)[0])[0] == "yes"


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("hh-rlhf", {**HH, "rejected": "no"}, "expected transcripts"),
    ("ultrafeedback", {**ULTRAFEEDBACK, "completions": "x"}, "completions: expected a list of tables"),
    ("ultrafeedback", {**ULTRAFEEDBACK, "completions": [{}, {}]}, "no `annotations`"),
    ("ultrafeedback-binarized", {**BINARIZED, "score_rejected": 9}, "score_rejected is above score_chosen"),
    ("ultrafeedback-binarized", {**BINARIZED, "score_chosen": "much"}, "score_chosen: is a text; expected a number"),
    ("helpsteer2", {**HELPSTEER2, "helpfulness": 5}, "helpfulness: is 5; expected 0 to 4"),
    ("helpsteer2", {**HELPSTEER2, "helpfulness": None}, "helpfulness: is nothing; expected a number"),
    ("helpsteer2-preference", {**HELPSTEER2_PREFERENCE, "preference_strength": 4}, "is 4; expected -3 to 3"),
    ("helpsteer3", {**HELPSTEER3, "individual_preference": [1]}, "expected a list of tables"),
    ("helpsteer3", {**HELPSTEER3, "context": [USER, YES]}, "context: ends with an answer"),
    ("shp", {**SHP, "labels": 2}, "labels: is 2; expected one of 1, 0"),
    ("shp", {**SHP, "score_ratio": 0.5}, "score_ratio: is 0.5; expected 1 or more"),
    ("arena", {**ARENA, "winner": "me"}, "winner: is 'me'"),
    ("arena", {**ARENA, "turn": 3}, "turn: 2 answers in a conversation, and turn 3"),
    ("arena", {**ARENA, "judge": None}, "judge: expected a name"),
    ("arena-55k", {**ARENA_55K, "winner_tie": 1}, "expected a 1 in one of them"),
    ("arena-55k", {**ARENA_55K, "response_a": "yes"}, "response_a: expected a list of texts"),
    ("arena-55k", {**ARENA_55K, "response_a": ["a", "b"]}, "different numbers of turns"),
    ("arena", {**ARENA, "tstamp": 1e300}, "tstamp: is no time"),
    ("alpaca-eval", {**ALPACA, "preference": 3}, "preference: is 3; expected 1 to 2"),
    ("argilla", {**ARGILLA, "preference.responses": "a"}, "preference.responses: expected a list"),
    ("argilla", {**ARGILLA, "preference.responses": ["c"]}, 'preference: is "c"; expected one of a, b, tie, skip'),
    ("argilla", {"prompt": "Why?"}, "no question has responses; name it"),
    ("argilla-1", {**ARGILLA_1, "rank": [{"value": ["four", "one"], "user_id": 1}]}, "no `four`"),
    ("argilla-1", {**ARGILLA_1, "rank": [{"value": ["one", "one"], "user_id": 1}]}, "names each field once"),
    ("label-studio", {**LABEL_STUDIO, "data": "x"}, "expected a task with data and annotations"),
    ("label-studio", {**LABEL_STUDIO, "annotations": [annotation("up")]}, "no result selects left or right"),
    (
        "label-studio",
        {**LABEL_STUDIO, "annotations": [{"result": [*annotation("left")["result"], *annotation("right")["result"]]}]},
        "results that contradict each other",
    ),
    ("label-studio", {**LABEL_STUDIO, "annotations": [1]}, "annotations: expected tables"),
    ("trl", {**TRL, "chosen": 1}, "found a number"),
    ("trl", {"chosen": "yes", "rejected": "no"}, "share no turns"),
]


@pytest.mark.parametrize(("form", "row", "reason"), BROKEN)
def test_rows_that_cannot_be_read(form: str, row: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = [PUBLIC[form], *([{**HELPSTEER2, "response": "no"}] if form == "helpsteer2" else [])]
    path = write(tmp_path, *good, row)
    with pytest.raises(InvalidInput, match="nothing was written") as caught:
        read_file(path, format=form)
    assert reason in str(caught.value)
    assert f"rows.jsonl:{len(good) + 1}: " in str(caught.value)
    lenient = read_file(path, format=form, strict=False)
    assert len(lenient.skipped) == 1


def test_rows_of_another_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="this row has the columns of shp: give each format a file of its own"):
        read_file(write(tmp_path, ALPACA, SHP))


@pytest.mark.parametrize(
    "form", ["arena", "argilla", "argilla-1", "helpsteer2-preference", "helpsteer3", "hh-rlhf", "shp", "trl"]
)
def test_parquet_says_the_same(form: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([PUBLIC[form]]), tmp_path / "rows.parquet")
    found = list(Labels(tmp_path / "rows.parquet"))
    assert [one.id for one in found] == [one.id for one in labels(tmp_path, PUBLIC[form])]
