"""Responses that users bring: every shape of row, ids that follow the text, and what is no response counted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from generate.samples import SampleCounts, read_samples
from tenet.errors import InvalidInput
from tenet.reading.tally import Fate, Note
from tenet.records import Finish, Prompt, Sample
from tenet.runconfig import SamplesConfig

HH = Path(__file__).parents[3] / "shared" / "data" / "hh-rlhf" / "harmless-base.test.jsonl.gz"
PANDALM = HH.parents[1] / "pandalm" / "testset-v1.json.gz"
here = pytest.mark.skipif(not HH.exists(), reason="the shared preference data is not beside this checkout")


@dataclass(frozen=True)
class Collected:
    """A set of samples, all of it in memory."""

    prompts: Sequence[Prompt]
    samples: Mapping[str, Sequence[Sample]]
    counts: SampleCounts


def collect(path: Path) -> Collected:
    found = read_samples(SamplesConfig(path=str(path)))
    prompts = list(found.spool.prompts(range(len(found.spool))))
    samples = found.spool.given(prompt.id for prompt in prompts)
    found.spool.close()
    return Collected(prompts, samples, found.counts)


def read(tmp_path: Path, rows: list[object] | str, name: str = "s.jsonl") -> Collected:
    path = tmp_path / name
    path.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
    return collect(path)


def told(found: Collected, place: int = 0) -> list[tuple[str, str, int]]:
    return [(sample.text, sample.policy, sample.index) for sample in found.samples[found.prompts[place].id]]


TRANSCRIPTS = {"chosen": "\n\nHuman: a\n\nAssistant: x", "rejected": "\n\nHuman: a\n\nAssistant: y"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "a", "responses": ["x", "y"]}, [("x", "given", 0), ("y", "given", 1)]),
        ({"prompt": "a", "responses": ["x", "y"], "model": "m"}, [("x", "m", 0), ("y", "m", 1)]),
        (
            {
                "prompt": "a",
                "responses": [{"text": "x", "model": "m"}, {"text": "y", "model": "n"}, {"text": "z"}],
            },
            [("x", "m", 0), ("y", "n", 0), ("z", "given", 0)],
        ),
        (
            {"instruction": "a", "completions": [{"model": "m", "response": "x"}]},
            [("x", "m", 0)],
        ),
        ({"prompt": "a", "chosen": "x", "rejected": "y"}, [("x", "chosen", 0), ("y", "rejected", 0)]),
        (TRANSCRIPTS, [("x", "chosen", 0), ("y", "rejected", 0)]),
        (
            {
                "prompt": "a",
                "chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}],
                "rejected": "y",
            },
            [("x", "chosen", 0), ("y", "rejected", 0)],
        ),
        ({"prompt": "a", "response_a": "x", "response_b": "y"}, [("x", "given", 0), ("y", "given", 1)]),
        ({"input": "a", "output_1": "x", "output_2": "y"}, [("x", "given", 0), ("y", "given", 1)]),
        ({"prompt": "a", "response": "x", "model": "m"}, [("x", "m", 0)]),
    ],
)
def test_shapes_of_rows(tmp_path: Path, row: object, expected: list[tuple[str, str, int]]) -> None:
    found = read(tmp_path, [row])
    assert told(found) == expected
    assert found.prompts[0].text == "a"
    assert all(sample.finish is Finish.GIVEN for sample in found.samples[found.prompts[0].id])


def test_rows_of_one_prompt_are_brought_together(tmp_path: Path) -> None:
    rows: list[object] = [
        {"prompt": "a", "response": "x"},
        {"prompt": "b", "response": "x"},
        {"prompt": "a", "response": "y"},
        {"prompt": "a", "response": "x"},
    ]
    found = read(tmp_path, rows)
    assert [prompt.text for prompt in found.prompts] == ["a", "b"]
    assert told(found) == [("x", "given", 0), ("y", "given", 1), ("x", "given", 2)]
    ids = [sample.id for samples in found.samples.values() for sample in samples]
    assert len(set(ids)) == 4
    assert found.counts.lines()[-1] == "4 responses to 2 prompts"


def test_ids_follow_the_text_and_not_the_order_of_the_file(tmp_path: Path) -> None:
    rows: list[object] = [{"prompt": "a", "response": text} for text in ("x", "y", "x")]
    forward, backward = read(tmp_path, rows), read(tmp_path, rows[::-1])
    ids = [{sample.id for sample in found.samples[found.prompts[0].id]} for found in (forward, backward)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3


def test_a_list_in_a_cell_of_csv(tmp_path: Path) -> None:
    assert told(read(tmp_path, 'prompt,responses\na,"[""x"", ""y""]"\n', "s.csv")) == [
        ("x", "given", 0),
        ("y", "given", 1),
    ]


def test_empty_and_unreadable_responses_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, [{"prompt": "a", "responses": ["x", "", True, {"text": 3}, "y\0"]}])
    assert [text for text, _, _ in told(found)] == ["x", "", "y"]
    assert [sample.usable for sample in found.samples[found.prompts[0].id]] == [True, False, True]
    counts = found.counts
    assert (counts.responses, counts.empty, counts.unreadable, counts.rows.notes[Note.CLEANED]) == (
        3,
        1,
        2,
        1,
    )
    assert json.loads(json.dumps(counts.as_json()))["unreadable"] == 2


def test_files_without_responses(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no column of s\.jsonl holds responses") as caught:
        read(tmp_path, [{"prompt": "a", "score": 1}])
    assert "the columns are prompt, score" in str(caught.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path, [{"prompt": "a", "responses": ["x"]}, {"prompt": "b", "responses": 3}])


@here
def test_hh_rlhf() -> None:
    found = collect(HH)
    assert found.counts.rows.rows == 2312
    assert found.counts.rows.fates[Fate.UNREADABLE] == 5
    assert found.counts.responses == 2 * 2307
    assert {sample.policy for samples in found.samples.values() for sample in samples} == {
        "chosen",
        "rejected",
    }


@here
def test_pandalm_has_six_responses_that_are_no_text() -> None:
    found = collect(PANDALM)
    assert (found.counts.rows.kept, found.counts.unreadable, found.counts.responses) == (999, 6, 1992)
