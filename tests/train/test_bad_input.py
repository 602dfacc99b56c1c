"""What a training cannot begin with: each one clear error, before any weight is loaded, that names the place and the cure."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.console import Console
from tenet.errors import (
    FingerprintMismatch,
    Interrupted,
    InvalidInput,
    MissingInput,
    TenetError,
    TooManyFailures,
    UsageError,
)
from tests.train.world import pair_rows, write_jsonl
from train.config import (
    CONFIGS,
    Device,
    DpoConfig,
    LoraConfig,
    Method,
    Precision,
    RewardConfig,
    SftConfig,
    checked,
)
from train.session import run_training

pytest.importorskip("trl")


def refused(method: Method, model: Path, rows: Path, *, resume: bool = False, **keys: Any) -> str:
    """The words with which a training is refused; a trainer is never built."""

    def build(_job: Any) -> Any:
        raise AssertionError("the training went on to load weights")

    given = {"batch_size": 4, "device": Device.AUTO, "eval_share": 0.0, **keys}
    config = CONFIGS[method](model=str(model), data=str(rows), out=str(rows.parent / "out"), **given)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, pytest.raises(TenetError) as caught:
        run_training(config, build, console=Console(quiet=True, err=nowhere), resume=resume)
    refused.error = caught.value  # type: ignore[attr-defined]
    return str(caught.value)


def error() -> TenetError:
    found: TenetError = refused.error  # type: ignore[attr-defined]
    return found


def changed(number: int, **values: Any) -> list[dict[str, Any]]:
    """Forty labelled pairs, with other values in one row (numbers count from 1)."""
    rows = [{**row, "p_chosen": 0.8, "weight": 1.0} for row in pair_rows(40)]
    rows[number - 1] |= values
    return rows


@pytest.mark.parametrize("method", [Method.REWARD, Method.DPO, Method.KTO])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"p_chosen": 1.4}, "row 7, column p_chosen: 1.4"),
        ({"p_chosen": -0.1}, "row 7, column p_chosen: -0.1"),
        ({"p_chosen": None}, "row 7, column p_chosen: None"),
        ({"p_chosen": math.nan}, "row 7, column p_chosen: nan"),
        ({"weight": math.nan}, "row 7, column weight: nan"),
        ({"weight": -2.0}, "row 7, column weight: -2.0"),
        ({"weight": math.inf}, "row 7, column weight: inf"),
    ],
    ids=lambda value: "-".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, dict) else "",
)
def test_one_bad_label_stops_it(
    tiny_model: Path, tmp_path: Path, method: Method, values: dict[str, Any], said: str
) -> None:
    """One row of forty is under 5 %: it stops all the same, for a column with one such value is no probability."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(changed(7, **values)), data)
    words = refused(method, tiny_model, data)
    assert said in words
    assert "pairs.parquet" in words
    assert "from 0" in words
    assert error().exit_code == 2


def test_all_bad_labels_are_counted_and_the_first_named(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{**row, "p_chosen": 3.0, "weight": 0.0} for row in pair_rows(12)]
    words = refused(Method.DPO, tiny_model, write_jsonl(tmp_path / "pairs.jsonl", rows))
    assert "row 1, column p_chosen: 3.0; 12 rows in all" in words
    assert "row 6" not in words
    assert "no row weighs more than 0" in words
    rows = [{**row, "p_chosen": "likely"} for row in pair_rows(12)]
    words = refused(Method.REWARD, tiny_model, write_jsonl(tmp_path / "words.jsonl", rows))
    assert "column p_chosen holds string" in words


def test_mended_data_is_trained_on_without_more_ado(tiny_model: Path, tmp_path: Path) -> None:
    """A refusal leaves nothing behind that the next call would have to resume."""
    data = write_jsonl(tmp_path / "pairs.jsonl", changed(3, p_chosen=7.0))
    assert "row 3" in refused(Method.DPO, tiny_model, data)
    write_jsonl(data, changed(3))
    config = DpoConfig(model=str(tiny_model), data=str(data), out=str(tmp_path / "out"), device=Device.CPU)

    def build(_job: Any) -> Any:
        raise KeyboardInterrupt

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, pytest.raises(Interrupted):
        run_training(config, build, console=Console(quiet=True, err=nowhere))


def test_labels_of_single_responses(tiny_model: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": "hi", "completion": f"answer {n}", "label": n % 2 == 0, "p_good": 0.9 - 0.8 * (n % 2)}
        for n in range(40)
    ]
    bad = [*rows[:3], {**rows[3], "p_good": 2.0}, *rows[4:]]
    assert "row 4, column p_good: 2.0" in refused(Method.KTO, tiny_model, write_jsonl(tmp_path / "a.jsonl", bad))
    numbers = [{**row, "label": 3 if place == 5 else int(row["label"])} for place, row in enumerate(rows)]
    words = refused(Method.KTO, tiny_model, write_jsonl(tmp_path / "b.jsonl", numbers))
    assert "row 6, column label: 3" in words
    assert "true for a good response" in words
    crossed = [{**row, "label": not row["label"]} for row in rows]
    assert "a label that contradicts it" in refused(Method.KTO, tiny_model, write_jsonl(tmp_path / "c.jsonl", crossed))


RATED = [{"prompt": "hi", "completion": "good", "label": True}, {"prompt": "hi", "completion": "bad", "label": False}]
SHOWN = [{"prompt": "hi", "completion": "good"}]
TURNS = [{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}]
PAIRS = [{"prompt": "hi", "chosen": "good", "rejected": "bad"}]


@pytest.mark.parametrize(
    ("method", "rows", "said"),
    [
        (Method.DPO, SHOWN, "needed: chosen and rejected; there is: prompt, completion"),
        (Method.DPO, RATED, "tenet train sft or kto"),
        (Method.REWARD, TURNS, "it fits tenet train sft"),
        (Method.SFT, PAIRS, "it fits tenet train reward or dpo"),
        (Method.SFT, RATED, "the bad ones would be imitated too"),
        (Method.KTO, SHOWN, "completion and label and prompt or chosen and rejected"),
        (Method.REWARD, [{"question": "hi"}], "there is: question"),
        (Method.REWARD, [{**PAIRS[0], "margin": 1.0}], "column margin: TRL's reward loss subtracts it"),
    ],
)
def test_data_of_another_method(
    tiny_model: Path, tmp_path: Path, method: Method, rows: list[dict[str, Any]], said: str
) -> None:
    words = refused(method, tiny_model, write_jsonl(tmp_path / "rows.jsonl", rows))
    assert said in words
    assert isinstance(error(), InvalidInput)
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_rows_that_would_vanish(tiny_model: Path, tmp_path: Path) -> None:
    rows = pair_rows(40)
    rows[0] = {**rows[0], "rejected": rows[0]["chosen"]}
    rows[1] = {**rows[1], "chosen": [{"role": "assistant", "content": " "}]}
    rows[2] = {**rows[2], "chosen": [{"role": "assistant", "content": "long " * 400}]}
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    words = refused(Method.DPO, tiny_model, data, max_length=200)
    assert "3 of 40 rows (7.5 %)" in words
    for meaning in ("longer than max_length", "an empty prompt or response", "chosen equals rejected"):
        assert f"1 with {meaning}" in words
    assert "--set max_dropped=" in words
    assert isinstance(error(), TooManyFailures)


def test_a_tokenizer_without_a_token_to_pad_or_to_end_with(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from train.models import find_base

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    words = refused(Method.REWARD, folder, data)
    assert "names no pad_token" in words
    free = words.split("pad_token='")[1].split("'")[0]
    assert find_base(RewardConfig(model=str(folder), data="d", pad_token=free)).tokenizer.pad_token == free
    assert "not in the vocabulary" in refused(Method.REWARD, folder, data, pad_token="<unheard>")
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    assert "names no eos_token" in refused(Method.DPO, folder, data)


def test_conversations_without_a_chat_template(bare_model: Path, tmp_path: Path) -> None:
    for method in (Method.DPO, Method.KTO, Method.REWARD):
        words = refused(method, bare_model, write_jsonl(tmp_path / method / "pairs.jsonl", pair_rows(4)))
        assert "no chat template" in words
        assert "chat_template.jinja" in words


def classifier(model: Path, folder: Path, labels: int) -> Path:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    AutoModelForSequenceClassification.from_pretrained(model, num_labels=labels).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


def test_a_classifier_of_several_labels(tiny_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    three = classifier(tiny_model, tmp_path / "three", 3)
    assert "a classifier of 3 labels; a reward model has one score" in refused(Method.REWARD, three, data)
    assert "writes no text" in refused(Method.DPO, three, data)


def test_an_adapter_of_a_reward_model_without_its_head(tiny_model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig as Peft
    from peft import get_peft_model
    from transformers import AutoModelForSequenceClassification

    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    for name, saved in (("headless", []), ("whole", ["score"])):
        # task_type is written afterwards: peft would save the head of its own accord
        adapted = get_peft_model(model, Peft(r=2, target_modules=["q_proj"], modules_to_save=saved))
        adapted.save_pretrained(tmp_path / name)
        file = tmp_path / name / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), "task_type": "SEQ_CLS"}))
        model = adapted.unload()
    words = refused(Method.REWARD, tmp_path / "headless", data)
    assert "without its head" in words
    assert 'modules_to_save=["score"]' in words
    assert "not a whole model" in refused(Method.REWARD, tmp_path / "whole", data)  # merged first, it is one


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
def test_half_precision_on_a_cpu(tiny_model: Path, tmp_path: Path, precision: Precision) -> None:
    import torch

    with pytest.raises(InvalidInput, match=f"{precision.value} needs a GPU"):
        checked(DpoConfig(model="org/m", data="org/d", device=Device.CPU, precision=precision))
    if torch.accelerator.is_available():
        pytest.skip("there is an accelerator: device auto takes it")
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    words = refused(Method.DPO, tiny_model, data, precision=precision)
    assert f"precision: {precision.value} needs a GPU" in words
    assert "--set precision=fp32" in words


def test_what_needs_a_gpu_or_a_package(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from train import preflight

    data = write_jsonl(tmp_path / "rows.jsonl", TURNS)
    with pytest.raises(InvalidInput, match="quantise: needs a GPU"):
        checked(DpoConfig(model="org/m", data="org/d", device=Device.CPU, lora=LoraConfig(quantise="4bit")))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert "lora.quantise: 8bit needs a GPU" in refused(Method.SFT, tiny_model, data, lora=LoraConfig(quantise="8bit"))
    assert "packing needs a GPU" in refused(Method.SFT, tiny_model, data, packing=True)
    assert "see each other" in refused(Method.SFT, tiny_model, data, padding_free=True)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    there = preflight._there
    monkeypatch.setattr(preflight, "_there", lambda name: name not in ("bitsandbytes", "flash_attn") and there(name))
    with pytest.raises(MissingInput, match="bitsandbytes, which is not installed"):
        preflight.check_machine(SftConfig(model="m", data="d", lora=LoraConfig(quantise="4bit")))
    with pytest.raises(MissingInput, match="pip install flash-attn"):
        preflight.check_machine(SftConfig(model="m", data="d", padding_free=True))


def test_reports_to_what_is_not_there(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train import preflight

    data = write_jsonl(tmp_path / "rows.jsonl", TURNS)
    assert "known: tensorboard, wandb" in refused(Method.SFT, tiny_model, data, report_to=("tensorbord",))
    monkeypatch.setattr(preflight, "_there", lambda name: False)
    words = refused(Method.SFT, tiny_model, data, report_to=("wandb",))
    assert "wandb is not installed" in words
    assert "pip install wandb" in words
    assert isinstance(error(), MissingInput)


def test_a_checkpoint_of_another_data_set_or_model(tiny_model: Path, marked_model: Path, tmp_path: Path) -> None:
    from train.folder import TrainFolder
    from train.models import find_base
    from train.session import _opened

    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(8))
    config = DpoConfig(model=str(tiny_model), data=str(data), out=str(tmp_path / "out"), batch_size=4, eval_share=0.0)
    with _opened(config, find_base(config), resume=False, writes=True) as folder:
        assert isinstance(folder, TrainFolder)
        folder.note({})
    (tmp_path / "out" / "checkpoints" / "checkpoint-3").mkdir(parents=True)
    write_jsonl(data, pair_rows(9))
    words = refused(Method.DPO, tiny_model, data, resume=True)
    assert "data:" in words
    assert isinstance(error(), FingerprintMismatch)
    write_jsonl(data, pair_rows(8))
    other = tmp_path / "tiny"
    shutil.copytree(tiny_model, other)
    described = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**described, "rms_norm_eps": 1e-5}), encoding="utf-8")
    words = refused(Method.DPO, other, data, resume=True)
    assert "model" in words
    assert isinstance(error(), FingerprintMismatch)
    assert isinstance(error(), UsageError)


@pytest.mark.parametrize("method", ["reward", "dpo"])
def test_pickled_weights_are_not_opened_beside_other_safetensors(tiny_model: Path, tmp_path: Path, method: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weights": 1}))
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(8))
    words = ["train", method, "--model", str(folder), "--data", str(data), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3, done.output
    assert "the model cannot be loaded" in done.stderr
    assert "model.safetensors" in done.stderr
