"""The prompts of a run by shard: new ones go after those recorded, and a lost shard is filled from the input again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from generate.context import Step
from generate.intake import read_input, take_on
from generate.prompt_shards import PromptShards
from generate.shards import PROMPTS_PER_SHARD
from generate.spool import Spool
from tenet.records import Message, Prompt
from tenet.runs import Fingerprint, Run
from tests.generate.runs_example import make_order

SHARD = PROMPTS_PER_SHARD


def prompt(number: int) -> Prompt:
    return Prompt.of([Message("user", f"Question {number}?")])


def texts(shards: PromptShards) -> list[str]:
    return [one.text for one in shards.everyone()]


def asked(numbers: Sequence[int]) -> list[str]:
    return [f"Question {number}?" for number in numbers]


def intake(folder: Path, numbers: Sequence[int]) -> list[str]:
    """Take these prompts on; gives all prompts of the run, as the command that takes them on sees them."""
    file = folder / "prompts.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": text}) for text in asked(numbers)))
    models = {"policy": {"engine": "scripted", "model": "hash"}, "judge": {"engine": "scripted", "model": "longer"}}
    found = read_input(make_order(folder, "run", {"prompts": {"path": str(file)}, **models}).config)
    with Run.open(folder / "run", {}, Fingerprint({}, {}, {}), command="tenet generate") as run:
        shards = take_on(run, found)
        assert shards.total == len(texts(shards))
        seen = texts(shards)
    found.close()
    return seen


def test_prompts_that_are_not_recorded_yet_are_laid_out_as_they_will_be() -> None:
    spool = Spool()
    for number in range(2 * SHARD + 3):
        spool.add(prompt(number))
    coming = PromptShards(None, spool)
    assert [len(shard) for shard in coming] == [SHARD, SHARD, 3]
    assert coming.total == 2 * SHARD + 3
    assert coming[2][1] == prompt(2 * SHARD + 1)
    assert [row.key for row in coming.rows(2)] == [f"{2 * SHARD + place:012d}" for place in range(3)]
    with pytest.raises(IndexError):
        coming[3]
    spool.close()


def test_a_run_only_grows(tmp_path: Path) -> None:
    assert intake(tmp_path, range(300)) == asked(range(300))
    assert intake(tmp_path, [*range(600, 900), *range(10)]) == asked([*range(300), *range(600, 900)])
    assert intake(tmp_path, [5]) == asked([*range(300), *range(600, 900)])


def test_a_plan_sees_the_order_that_the_run_will_take_on(tmp_path: Path) -> None:
    intake(tmp_path, range(300))
    spool = Spool()
    for number in (*range(900, 1200), 3):
        spool.add(prompt(number))
    with Run.read(tmp_path / "run") as run:
        coming = PromptShards(run.stage(Step.PROMPTS, Prompt), spool)
        seen = texts(coming)
        assert coming.total == 600
    spool.close()
    assert seen == intake(tmp_path, range(900, 1200)) == asked([*range(300), *range(900, 1200)])


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_shard_is_filled_with_the_same_prompts(tmp_path: Path, lost: int) -> None:
    numbers = range(2 * SHARD + 40)
    whole = intake(tmp_path, numbers)
    file = tmp_path / f"run/prompts/{lost:05d}.parquet"
    file.write_bytes(file.read_bytes()[:100])
    assert intake(tmp_path, numbers) == whole
    with Run.read(tmp_path / "run") as run:
        assert texts(PromptShards(run.stage(Step.PROMPTS, Prompt))) == whole
