"""Data sets of every kind found, opened, held out by prompt, and refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tenet.errors import InvalidInput, MissingInput, TooManyFailures
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig, Labels, Margin, Method, RewardConfig, SftConfig, TrainConfig
from train.data import Prepared, prepare
from train.provenance import origin_of
from train.sources import digests, locate, open_source

pytest.importorskip("datasets")


def prepared(model: Path, tmp_path: Path, method: Method, **keys: Any) -> Prepared:
    from transformers import AutoTokenizer

    cls = {Method.SFT: SftConfig, Method.REWARD: RewardConfig, Method.DPO: DpoConfig}[method]
    config = cls(model=str(model), **keys)
    return prepare(config, method, AutoTokenizer.from_pretrained(model), "tokenizer", tmp_path / "cache")


def test_rows_are_held_out_by_prompt(tiny_model: Path, tmp_path: Path) -> None:
    twice = [row for row in pair_rows(60) for _ in range(2)]
    data = write_jsonl(tmp_path / "pairs.jsonl", twice)
    found = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), eval_share=0.2)
    assert found.test is not None
    assert len(found.train) + len(found.test) == 120
    assert len(found.test) % 2 == 0  # both rows of a prompt on one side
    ours, theirs = ({tuple(ids) for ids in rows["prompt_ids"]} for rows in (found.train, found.test))
    assert not ours & theirs
    again = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), eval_share=0.2)
    assert again.test is not None
    assert list(again.test["chosen_ids"]) == list(found.test["chosen_ids"])


def test_labels_and_weights(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{**row, "p_chosen": 0.9, "weight": 3.0 if place % 2 else 1.0} for place, row in enumerate(pair_rows(10))]
    rows[0]["p_chosen"] = 0.2
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    found = prepared(tiny_model, tmp_path, Method.REWARD, data=str(data), eval_share=0)
    assert found.soft
    assert found.census.flipped == 1
    assert found.train["p_chosen"][0] == pytest.approx(0.8)
    assert list(found.train["weight"])[:2] == pytest.approx([0.5, 1.5])
    assert found.test is None
    assert "nothing held out" in found.lines()[0]


def test_hard_labels_leave_ties_out_and_measure_on_soft_ones(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{**row, "p_chosen": 0.8} for row in pair_rows(40)]
    rows[0]["p_chosen"], rows[1]["p_chosen"] = 0.5, 0.3
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    found = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), labels=Labels.HARD, eval_share=0.3)
    assert found.facts()["census"]["dropped"] == {"tie": 1}  # type: ignore[index, call-overload]
    assert found.census.flipped == 1
    assert "p_chosen" not in found.train.column_names
    assert found.test is not None
    assert list(found.test["p_chosen"]) == pytest.approx([0.8] * len(found.test))
    all_rows = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), eval_share=0.3)
    assert (all_rows.census.kept, all_rows.census.ties) == (40, 1)


def test_margins_follow_their_rows(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{**row, "p_chosen": 0.8, "judge_margin": float(place)} for place, row in enumerate(pair_rows(40))]
    rows[2] |= {"p_chosen": 0.2, "judge_margin": -1.5}  # the other side is better, by 1.5
    rows[3]["judge_margin"] = -1.0  # speaks against its label
    rows[4]["judge_margin"] = None
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    keys = {"data": str(data), "labels": Labels.HARD, "margin": Margin.JUDGE, "eval_share": 0.3}
    found = prepared(tiny_model, tmp_path, Method.REWARD, **keys)
    assert found.facts()["census"]["dropped"] == {"bad_margin": 2}  # type: ignore[index, call-overload]
    assert found.test is not None
    assert "margin" not in found.test.column_names
    margins = list(found.train["margin"])
    held_out = sorted({0.0, 1.0, 1.5, *map(float, range(5, 40))} - set(margins))
    assert len(margins) + len(found.test) == 38
    assert len(held_out) == len(found.test)
    plain = prepared(tiny_model, tmp_path, Method.REWARD, data=str(data), eval_share=0)
    assert "margin" not in plain.train.column_names
    assert len(plain.train) == 40


def test_margins_that_are_not_there(tiny_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    with pytest.raises(InvalidInput, match="no column judge_margin") as caught:
        prepared(tiny_model, tmp_path, Method.REWARD, data=str(data), labels=Labels.HARD, margin=Margin.JUDGE)
    assert "leave margin out" in str(caught.value)


def test_reward_models_read_the_prompt_too(tiny_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    policy = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), eval_share=0)
    rewards = prepared(tiny_model, tmp_path, Method.REWARD, data=str(data), eval_share=0)
    joined = [a + b for a, b in zip(policy.train["prompt_ids"], policy.train["chosen_ids"], strict=True)]
    assert list(rewards.train["chosen_ids"]) == joined


def test_a_split_of_its_own(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_jsonl(folder / "train.jsonl", pair_rows(20))
    write_jsonl(folder / "test.jsonl", pair_rows(5, seed=9))
    found = prepared(tiny_model, tmp_path, Method.DPO, data=str(folder))
    assert found.test is not None
    assert (len(found.train), len(found.test)) == (20, 5)
    assert found.test_census is not None
    limited = prepared(tiny_model, tmp_path, Method.DPO, data=str(folder), limit=7)
    assert len(limited.train) == 7


def test_what_cannot_be_learnt_is_counted_and_stops(tiny_model: Path, tmp_path: Path) -> None:
    rows = pair_rows(20)
    rows[3] = {**rows[3], "rejected": rows[3]["chosen"]}
    rows[4] = {**rows[4], "chosen": [{"role": "assistant", "content": "long " * 400}]}
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(TooManyFailures, match="2 of 20 rows"):
        prepared(tiny_model, tmp_path, Method.DPO, data=str(data), max_length=200)
    found = prepared(tiny_model, tmp_path, Method.DPO, data=str(data), max_length=200, max_dropped=0.1)
    assert found.census.kept == 18
    assert found.facts()["census"]["dropped"] == {"equal": 1, "over_long": 1}  # type: ignore[index, call-overload]


def test_sft_reads_what_the_export_writes(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{"prompt": row["prompt"], "completion": row["chosen"], "source": "winner"} for row in pair_rows(10)]
    data = write_jsonl(tmp_path / "sft.jsonl", rows)
    found = prepared(tiny_model, tmp_path, Method.SFT, data=str(data), eval_share=0)
    assert found.train.column_names == ["input_ids", "labels", "length"]
    assert not found.soft


def config_for(data: object, **keys: Any) -> TrainConfig:
    return DpoConfig(model="m", data=str(data), **keys)


def test_a_run_stands_for_its_dataset(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_jsonl(run / "dataset" / "trl-preference" / "train-00000.jsonl", pair_rows(3))
    fingerprint = {"identity": {"judge": {"model": {"model": "judge", "revision": "abc"}}, "policy base": {}},
                   "growth": {"principles": "f00"}, "informational": {}}  # fmt: skip
    record = {"name": "run", "fingerprint": fingerprint, "config": {"principles": "/somewhere/kind.yaml"}}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    found = locate(str(run), Method.DPO)
    assert found == run / "dataset" / "trl-preference"
    origin = origin_of(found)
    assert (origin.run, origin.principles, origin.principles_file) == ("run", "f00", "kind.yaml")
    assert origin.judge_model == {"model": "judge", "revision": "abc"}
    assert origin.policies == ("base",)
    with pytest.raises(InvalidInput, match="trl-preference"):
        locate(str(run), Method.SFT)
    (run / "run.json").unlink()
    assert origin_of(found).judge is None


def test_a_run_without_a_dataset_says_so(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MissingInput, match="no dataset yet"):
        locate(str(tmp_path), Method.DPO)


def test_missing_data(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such file or folder"):
        locate(str(tmp_path / "nothing.jsonl"), Method.DPO)
    with pytest.raises(MissingInput, match="org/unheard-of"):
        open_source(config_for("org/unheard-of"), Method.DPO, tmp_path / "cache")


def test_wrong_columns_name_what_is_there(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "sft.jsonl", [{"prompt": "a", "completion": "b"}])
    with pytest.raises(InvalidInput) as caught:
        open_source(config_for(data), Method.DPO, tmp_path / "cache")
    said = str(caught.value)
    assert "chosen and rejected" in said
    assert "completion" in said
    assert "tenet train sft" in said


def test_a_margin_column_is_refused_where_trl_would_subtract_it(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", [{**row, "margin": 2.0} for row in pair_rows(3)])
    with pytest.raises(InvalidInput, match="column margin"):
        open_source(config_for(data), Method.REWARD, tmp_path / "cache")
    assert "margin" not in open_source(config_for(data), Method.DPO, tmp_path / "cache").train.column_names


def test_splits_that_are_not_there(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "set" / "train.jsonl", pair_rows(3))
    write_jsonl(tmp_path / "set" / "test.jsonl", pair_rows(3))
    with pytest.raises(InvalidInput) as caught:
        open_source(config_for(tmp_path / "set", split="trian", eval_split="tset"), Method.DPO, tmp_path / "cache")
    assert "'trian'" in str(caught.value)
    assert "'tset'" in str(caught.value)
    assert "train, test" in str(caught.value)


def test_an_empty_data_set(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: pa.array([], pa.string()) for name in ("prompt", "chosen", "rejected")})
    pq.write_table(table, tmp_path / "empty.parquet")
    with pytest.raises(InvalidInput, match="no rows"):
        open_source(config_for(tmp_path / "empty.parquet"), Method.DPO, tmp_path / "cache")


def test_digests_follow_the_bytes(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "set" / "train.jsonl", pair_rows(3))
    before = digests(tmp_path / "set")
    assert list(before) == ["train.jsonl"]
    write_jsonl(data, pair_rows(4))
    assert digests(tmp_path / "set") != before
    assert digests(None) == {}


def test_a_readme_that_is_no_card_of_the_hub_leaks_no_warning_of_its_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "pairs"
    write_jsonl(folder / "train.jsonl", pair_rows(3))
    (folder / "README.md").write_text("# Pairs of ours\n")
    assert len(open_source(config_for(folder), Method.DPO, tmp_path / "cache").train) == 3
    assert [record.message for record in caplog.records if "card metadata" in record.message] == []
