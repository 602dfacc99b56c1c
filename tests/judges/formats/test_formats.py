"""Formats of opinions: what each recognises and reads, the traps of real files, and rows that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from judges.formats.base import Comparison, Keyed, Opinion, Rated
from judges.formats.registry import FORMATS, Reading, choose, named, read_file
from judges.humans.importer import read_labels
from tenet.errors import InvalidInput, UsageError
from tenet.reading.rows import open_rows
from tenet.reading.turns import Unreadable
from tenet.records import Choice, Label, Outcome
from tests.judges.formats.public_rows import PUBLIC

SECRET = "words that no message may quote"
LLMBAR: dict[str, Any] = {"input": "Say hi.", "output_1": "hi", "output_2": SECRET, "label": 2}
RESULT: dict[str, Any] = {
    **LLMBAR,
    "results": [
        {
            "swap = False": {"completion": ["Output (b)", "stop"], "winner": "2"},
            "swap = True": {"completion": ["I cannot say", "stop"], "winner": None},
        }
    ],
}
PANDALM: dict[str, Any] = {
    "idx": 7, "motivation_app": "x", "cmp_key": "bloom-7b_opt_7b", "instruction": "Is it?", "input": "", "response1": True,
    "response2": "no", "annotator1": 1, "annotator2": 0, "annotator3": 2,
}  # fmt: skip
RBR: dict[str, Any] = {
    "category": "C-R", "response_type": "Hard Refuse", "prompt": [{"role": "user", "content": SECRET}],
    "completion": [{"role": "assistant", "content": "No."}], "propositions": {"apology": False, "judgement": True},
}  # fmt: skip
TENET: dict[str, Any] = {"prompt": "p", "response_a": "x", "response_b": "y", "preference": "a", "annotator": "ann"}
ROWS = {
    "llmbar": LLMBAR,
    "llmbar-verdicts": RESULT,
    "pandalm": PANDALM,
    "pandalm-verdicts": {"idx": "7", "gpt_result": "Tie", "gpt_reason": "r", "gpt_reference": ""},
    "safety-rbr": RBR,
    "tenet": TENET,
    **PUBLIC,
}


def write(folder: Path, rows: Any, name: str = "result.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(rows))
    return path


def read(folder: Path, *rows: Any, name: str = "result.json", **options: Any) -> Reading:
    return read_file(write(folder, list(rows), name), **{"judge": "judge", **options})


def test_every_format_has_a_row_here() -> None:
    assert set(ROWS) == set(FORMATS)


@pytest.mark.parametrize("name", ROWS)
def test_each_file_is_recognised_by_its_own_format_first(name: str, tmp_path: Path) -> None:
    columns = frozenset(ROWS[name])
    assert next(one.name for one in FORMATS.values() if one.recognises(columns) and one.fits(ROWS[name])) == name
    assert choose(open_rows(write(tmp_path, [ROWS[name]]))).name == name
    assert read(tmp_path, ROWS[name]).format.name == name
    assert read(tmp_path, ROWS[name], format=name).total == 1


def test_llmbar_verdicts_in_both_orders(tmp_path: Path) -> None:
    ((place, item),) = read(tmp_path, RESULT).items
    assert isinstance(item, Comparison)
    assert (place, item.a.text, item.prompt[0].content) == (1, "hi", "Say hi.")
    person, straight, swapped = item.opinions
    assert (person.annotator, person.choice, person.person) == ("expert", Choice.B, True)
    assert (straight.choice, straight.shown_first, straight.person) == (Choice.B, Choice.A, False)
    assert (swapped.choice, swapped.outcome, swapped.shown_first) == (None, Outcome.UNPARSED, Choice.B)


def test_llmbar_judges_are_named_by_the_path(tmp_path: Path) -> None:
    path = write(tmp_path / "Natural/evaluators/GPT-4/CoT", [RESULT])
    ((_, item),) = read_file(path).items
    assert isinstance(item, Comparison)
    assert item.opinions[1].annotator == "GPT-4/CoT"
    with pytest.raises(UsageError, match="--judge NAME"):
        read_file(write(tmp_path, [RESULT]))


def test_pandalm_rows(tmp_path: Path) -> None:
    ((_, item),) = read(tmp_path, PANDALM, {**PANDALM, "idx": 8, "input": "More."}).items[:1]
    assert isinstance(item, Comparison)
    assert (item.key, item.a.text, item.a.policy, item.b.policy) == ("7", "True", "bloom-7b", "opt_7b")
    assert [one.choice for one in item.opinions] == [Choice.A, Choice.TIE, Choice.B]
    second = read(tmp_path, {**PANDALM, "input": "More."}).items[0][1]
    assert isinstance(second, Comparison)
    assert second.prompt[0].content == "Is it?\n\nMore."


@pytest.mark.parametrize(
    ("value", "choice"),
    [("1", Choice.A), (2, Choice.B), ("Tie", Choice.TIE), ("0", Choice.TIE), (0, Choice.TIE), ("garbage", None)],
)
def test_pandalm_verdicts_are_texts_in_one_file_and_numbers_in_the_other(
    value: object, choice: Choice | None, tmp_path: Path
) -> None:
    reading = read(tmp_path, {"idx": 7, "pandalm_result": value}, name="pandalm-7b-testset-v1.json", judge="")
    ((_, item),) = reading.items
    assert isinstance(item, Keyed)
    (opinion,) = item.opinions
    assert (item.key, opinion.annotator, opinion.choice, opinion.shown_first) == ("7", "pandalm-7b", choice, None)
    assert opinion.outcome is (None if choice else Outcome.UNPARSED)


def test_propositions_are_scores_of_one_response(tmp_path: Path) -> None:
    ((_, item),) = read(tmp_path, RBR).items
    assert isinstance(item, Rated)
    assert [(one.principle, one.value) for one in item.scores] == [("apology", 0.0), ("judgement", 1.0)]
    assert item.tags == ("category:C-R", "class:Hard Refuse")


BROKEN = [
    ("llmbar", {**LLMBAR, "label": 3}, "label: is 3; expected one of 1, 2"),
    ("llmbar", {**LLMBAR, "label": SECRET}, "label: is a text; expected one of 1, 2"),
    ("llmbar", {**LLMBAR, "label": True}, "label: is a truth value"),
    ("llmbar", {**LLMBAR, "output_2": 5}, "output_2: is a number and not text"),
    ("llmbar-verdicts", {**RESULT, "results": []}, "results: expected a list with swap = False and swap = True"),
    ("llmbar-verdicts", {**RESULT, "results": [{"swap = True": {}}]}, "results: a verdict has no winner"),
    ("pandalm", {**PANDALM, "annotator2": 3}, "annotator2: is 3"),
    ("pandalm", {**PANDALM, "annotator2": False}, "annotator2: is a truth value"),
    ("pandalm", {**PANDALM, "idx": None}, "idx: expected a number"),
    ("pandalm", {**PANDALM, "instruction": " "}, "the prompt is empty"),
    ("pandalm-verdicts", {"idx": 1, "gpt_result": "3"}, "gpt_result: is '3'"),
    (
        "safety-rbr",
        {**RBR, "propositions": {"apology": 1}},
        "propositions: apology is a number, expected true or false",
    ),
    ("safety-rbr", {**RBR, "propositions": {}}, "propositions: expected names"),
    ("safety-rbr", {**RBR, "completion": RBR["prompt"]}, "completion: expected one message of the assistant"),
    ("safety-rbr", {**RBR, "prompt": [*RBR["prompt"], *RBR["completion"]]}, "prompt: ends with an answer"),
    ("tenet", {**TENET, "preference": "c"}, "preference: is"),
    ("llmbar", "a text", "expected a row with columns"),
]


@pytest.mark.parametrize(("form", "row", "told"), BROKEN)
def test_rows_that_cannot_be_read(form: str, row: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing was written") as caught:
        read(tmp_path, ROWS[form], row, format=form)
    assert f"row 2: {told}" in str(caught.value)
    assert SECRET not in str(caught.value), "texts may be harmful, and are never quoted"
    lenient = read(tmp_path, ROWS[form], row, format=form, strict=False)
    assert (len(lenient.items), len(lenient.skipped)) == (1, 1)
    assert told in "\n".join(lenient.lines())
    with pytest.raises(InvalidInput):
        read(tmp_path, row, format=form, strict=False)  # nothing left


def test_an_opinion_is_a_choice_or_an_outcome() -> None:
    for bad in (
        {"choice": None},
        {"choice": Choice.A, "outcome": Outcome.ERROR},
        {"choice": None, "outcome": Outcome.TIE},
    ):
        with pytest.raises(ValueError, match="choice"):
            Opinion("ann", **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("p", [float("nan"), -0.1, 1.5, float("inf")])
def test_what_is_no_probability_is_no_opinion(p: float) -> None:
    with pytest.raises(Unreadable, match="expected 0 to 1"):
        Opinion("judge", Choice.A, p_a=p)


def test_labels_come_through_the_same_registry(tmp_path: Path) -> None:
    found = read_labels(write(tmp_path, [PANDALM]))
    assert [one.preference for one in found.labels] == [Choice.A, Choice.TIE, Choice.B]
    assert found.counts.annotators == 3
    with pytest.raises(InvalidInput, match="tenet verdicts import"):
        read_labels(write(tmp_path, [RBR]))
    with pytest.raises(UsageError, match='did you mean "pandalm"'):
        named("pandalmm")


def test_gzip_and_labels_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json.gz"
    path.write_bytes(gzip.compress(json.dumps([LLMBAR]).encode()))
    assert read_file(path).format.name == "llmbar"
    ((_, label),) = read(tmp_path, {**TENET, "response_a_id": "s1", "response_b_id": "s2"}).items
    assert isinstance(label, Label)
    assert (label.response_a_id, label.response_b_id) == ("s1", "s2")
    with pytest.raises(InvalidInput, match="both or neither"):
        read(tmp_path, {**TENET, "response_a_id": "s1"})
