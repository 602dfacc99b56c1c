"""Prompts out of every shape that people keep them in, with everything left out counted."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from generate.prompts import open_prompts, read_prompts
from tenet.errors import InvalidInput, MissingInput, UsageError
from tenet.reading.prompts import PromptSet
from tenet.reading.tally import Fate, Note
from tenet.records import Message, Prompt
from tenet.runconfig import PromptsConfig

HH = Path(__file__).parents[3] / "shared" / "data" / "hh-rlhf" / "harmless-base.test.jsonl.gz"
PANDALM = HH.parents[1] / "pandalm" / "testset-v1.json.gz"
RBR = HH.parents[1] / "safety-rbr" / "rbr_gold_train.jsonl.gz"
here = pytest.mark.skipif(not HH.exists(), reason="the shared preference data is not beside this checkout")


def read(tmp_path: Path, rows: list[object] | str, name: str = "p.jsonl", **options: object) -> PromptSet:
    path = tmp_path / name
    path.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
    return read_prompts(PromptsConfig(path=str(path), **options))  # type: ignore[arg-type]


def texts(found: PromptSet) -> list[str]:
    return [prompt.text for prompt in found.prompts]


def test_the_simplest_file_of_all(tmp_path: Path) -> None:
    found = read(tmp_path, "Why is the sky blue?\n\n  How do magnets work?  \nWhy is the sky blue?\n", "p.txt")
    assert texts(found) == ["Why is the sky blue?", "How do magnets work?"]
    assert found.prompts[0] == Prompt.of([Message("user", "Why is the sky blue?")], source="p.txt:1")
    assert found.counts.fates[Fate.DUPLICATE] == 1
    assert found.counts.rows == 3 == sum(found.counts.fates.values())
    assert found.counts.lines() == [
        "p.txt: 3 rows read",
        "prompts are the rows as they stand",
        "2 prompts",
        "1 duplicates of an earlier row, left out (first: line 4)",
    ]


@pytest.mark.parametrize(
    ("row", "turns", "said"),
    [
        ({"prompt": "a"}, ["a"], "prompts are read from the column `prompt`"),
        ({"question": "a", "answer": "b"}, ["a"], "prompts are read from the column `question`"),
        (
            {"instruction": "a", "input": "b", "output": "c"},
            ["a\n\nb"],
            "prompts are read from the columns `instruction` and `input`",
        ),
        ({"instruction": "a", "input": ""}, ["a"], "prompts are read from the columns `instruction` and `input`"),
        ({"input": "a", "output_1": "b", "output_2": "c"}, ["a"], "prompts are read from the column `input`"),
        ({"messages": [{"role": "user", "content": "a"}]}, ["a"], "prompts are read from the column `messages`"),
        (
            {"conversations": [{"from": "human", "value": "a"}]},
            ["a"],
            "prompts are read from the column `conversations`",
        ),
        (
            {"prompt": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
            ["a"],
            "prompts are read from the column `prompt`",
        ),
        (
            {"prompt": {"messages": [{"role": "user", "content": "a"}]}},
            ["a"],
            "prompts are read from the column `prompt`",
        ),
        ([{"role": "user", "content": "a"}], ["a"], "prompts are the rows as they stand"),
        ("a", ["a"], "prompts are the rows as they stand"),
        (
            {"system_prompt": "s", "prompt": "a"},
            ["s", "a"],
            "prompts are read from the column `prompt`; system messages from `system_prompt`",
        ),
        (
            {"prompt": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:"},
            ["a", "b", "c"],
            "prompts are read from the column `prompt`",
        ),
        (
            {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"},
            ["a"],
            "prompts are what `chosen` and `rejected` share",
        ),
        (
            {
                "chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
                "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}],
            },
            ["a"],
            "prompts are what `chosen` and `rejected` share",
        ),
    ],
)
def test_columns_are_found_and_what_was_found_is_said(tmp_path: Path, row: object, turns: list[str], said: str) -> None:
    found = read(tmp_path, [row])
    assert [turn.content for turn in found.prompts[0].messages] == turns
    assert found.prompts[0].messages[-1].role == "user"
    assert found.counts.columns == said


def test_equal_prompts_have_equal_ids_whatever_they_came_in(tmp_path: Path) -> None:
    ways: list[object] = ["a", {"prompt": "a"}, {"messages": [{"role": "user", "content": "a"}]}]
    assert len({read(tmp_path, [way]).prompts[0].id for way in ways}) == 1


def test_tags_from_lists_and_from_cells(tmp_path: Path) -> None:
    listed = read(tmp_path, [{"prompt": "a", "tags": ["x", "y", "x"]}, {"prompt": "b", "tags": None}])
    assert [prompt.tags for prompt in listed.prompts] == [("x", "y"), ()]
    cells = read(tmp_path, 'prompt,tags\na,"x, y"\nb,\n', "p.csv")
    assert [prompt.tags for prompt in cells.prompts] == [("x", "y"), ()]


def test_messages_in_a_cell_of_csv(tmp_path: Path) -> None:
    turns = json.dumps([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]).replace('"', '""')
    found = read(tmp_path, f'prompt\n"{turns}"\n', "p.csv")
    assert [turn.role for turn in found.prompts[0].messages] == ["system", "user"]


def test_answers_after_the_last_question_are_cut_and_counted(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    found = read(tmp_path, [{"messages": chat}])
    assert texts(found) == ["a"]
    assert found.counts.notes[Note.CUT] == 1


def test_every_row_has_one_fate_and_a_place(tmp_path: Path) -> None:
    rows: list[object] = [{"prompt": f"p{i}"} for i in range(60)]
    rows[3:3] = [{"prompt": "  "}, {"prompt": None}, {"prompt": 7}, {"prompt": "p0"}, {"other": 1}]
    counts = read(tmp_path, rows).counts
    assert dict(counts.fates) == {"kept": 60, "duplicate": 1, "empty": 2, "unreadable": 2, "malformed": 0}
    assert counts.rows == 65
    assert counts.first[Fate.UNREADABLE] == (
        "line 6: expected text or a list of messages, found a number",
        "line 8: no column `prompt` in this row",
    )
    assert json.loads(json.dumps(counts.as_json()))["empty"] == 2


def test_cleaning_is_counted(tmp_path: Path) -> None:
    found = read(tmp_path, [{"prompt": "a\0"}, {"prompt": "\ufeffb"}, {"prompt": "c\ud800"}, {"prompt": "d"}])
    assert texts(found) == ["a", "b", "c\ufffd", "d"]
    assert found.counts.notes[Note.CLEANED] == 3
    assert (found.counts.cleaning.nul, found.counts.cleaning.marks, found.counts.cleaning.surrogates) == (
        1,
        1,
        1,
    )


def test_a_few_bad_lines_are_counted_and_many_are_an_error(tmp_path: Path) -> None:
    good = "".join(json.dumps({"prompt": f"p{i}"}) + "\n" for i in range(19))
    assert read(tmp_path, good + "{broken\n").counts.fates[Fate.MALFORMED] == 1
    with pytest.raises(InvalidInput, match=r"2 of 21 rows of p\.jsonl cannot be read \(more than 5%\)") as caught:
        read(tmp_path, good + '{broken\n{"prompt": 3}\n')
    places = [problem.line for problem in caught.value.problems]
    assert places == [20, 21]
    assert "malformed: not JSON" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_limit_stops_the_reading_and_keeps_the_order(tmp_path: Path) -> None:
    found = read(tmp_path, [{"prompt": f"p{i % 7}"} for i in range(1000)], limit=5)
    assert texts(found) == ["p0", "p1", "p2", "p3", "p4"]
    assert found.counts.limited
    assert found.counts.rows == 5


def test_one_id_for_two_prompts_is_an_error_that_names_both(tmp_path: Path) -> None:
    rows: list[object] = [{"id": "q1", "prompt": "a"}, {"id": 2, "prompt": "b"}, {"id": "q1", "prompt": "c"}]
    with pytest.raises(InvalidInput, match=r':3: the id "q1" stands here for another prompt than at line 1'):
        read(tmp_path, rows)
    assert read(tmp_path, [rows[0], rows[1], rows[0]]).counts.fates[Fate.DUPLICATE] == 1


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no column `promt`") as caught:
        read(tmp_path, [{"prompt": "a", "other": 1}], column="promt")
    assert 'the columns are prompt, other; did you mean "prompt"?' in str(caught.value)
    with pytest.raises(InvalidInput, match="name it with `column:`"):
        read(tmp_path, "title,body\na,b\n", "p.csv")
    assert texts(read(tmp_path, "title,body\na,b\n", "p.csv", column="body")) == ["b"]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    for text in ("", '{"prompt": ""}\n'):
        with pytest.raises(InvalidInput, match=r"no prompts in p\.jsonl"):
            read(tmp_path, text)
    with pytest.raises(MissingInput):
        read_prompts(PromptsConfig(path=str(tmp_path / "none.jsonl")))
    with pytest.raises(UsageError, match="one of the two"):
        read_prompts(PromptsConfig())


def test_parquet_and_saved_data_sets(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = [{"prompt": [{"role": "user", "content": f"p{i}"}], "tags": ["t"]} for i in range(3)]
    Dataset.from_list(rows).to_parquet(str(tmp_path / "p.parquet"))
    assert texts(read_prompts(PromptsConfig(path=str(tmp_path / "p.parquet")))) == ["p0", "p1", "p2"]
    Dataset.from_list(rows).save_to_disk(str(tmp_path / "saved"))
    single = read_prompts(PromptsConfig(dataset=str(tmp_path / "saved"), limit=2))
    assert texts(single) == ["p0", "p1"]
    assert single.prompts[0].source == "saved:1"
    both = DatasetDict({"train": Dataset.from_list(rows[:1]), "test": Dataset.from_list(rows[1:])})
    both.save_to_disk(str(tmp_path / "both"))
    assert texts(read_prompts(PromptsConfig(dataset=str(tmp_path / "both"), split="test"))) == ["p1", "p2"]
    assert texts(read_prompts(PromptsConfig(path=str(tmp_path / "both")))) == ["p0"]
    with pytest.raises(InvalidInput, match=r'no split "tets".*\n.*the splits are test, train; did you mean "test"'):
        read_prompts(PromptsConfig(dataset=str(tmp_path / "both"), split="tets"))


def test_a_hub_id_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingInput, match=r"hf download --repo-type dataset nobody/nothing") as caught:
        read_prompts(PromptsConfig(dataset="nobody/nothing"))
    assert caught.value.exit_code == 3
    with pytest.raises(MissingInput, match="no such file"):
        read_prompts(PromptsConfig(dataset="./no/such/folder"))


def test_streaming_holds_ids_and_not_prompts(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        for i in range(20_000):
            file.write(json.dumps({"prompt": f"prompt number {i} " + "x" * 400}) + "\n")
    tracemalloc.start()
    stream = open_prompts(PromptsConfig(path=str(path)))
    total = sum(1 for _ in stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 20_000 == stream.counts.kept
    assert peak < 4_000_000, "10 MB of text in the file"


@here
def test_hh_rlhf() -> None:
    found = read_prompts(PromptsConfig(path=str(HH), format="hh"))
    assert found.counts.rows == 2312
    assert found.counts.notes[Note.ODD] == 5
    assert found.counts.kept == 2310
    assert found.counts.fates[Fate.DUPLICATE] == 2
    assert sum(len(prompt.messages) > 1 for prompt in found.prompts) == 1650
    assert all(prompt.messages[-1].role == "user" for prompt in found.prompts)


@here
def test_other_real_files() -> None:
    pandalm = read_prompts(PromptsConfig(path=str(PANDALM)))
    assert (pandalm.counts.rows, pandalm.counts.kept, pandalm.counts.fates[Fate.DUPLICATE]) == (999, 170, 829)
    rbr = read_prompts(PromptsConfig(path=str(RBR)))
    assert (rbr.counts.rows, rbr.counts.kept) == (351, 350)
