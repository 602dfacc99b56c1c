"""Whole trainings on a tiny model: what is written, what comes back after a stop, and what is refused."""

from __future__ import annotations

import json
import math
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tenet.console import Console
from tenet.errors import FingerprintMismatch, Interrupted, MissingInput, RunLocked, UsageError
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig, Labels, LoraConfig, Margin, PairLoss, Precision, RewardConfig, SftConfig
from train.session import TrainResult

pytest.importorskip("trl")

QUIET: dict[str, Any] = {"batch_size": 4, "log_every": 1, "device": "cpu", "seed": 1}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "pairs.jsonl", pair_rows(40, p=lambda draw: 0.6 + 0.4 * draw.random()))


@pytest.fixture
def console() -> Iterator[Console]:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        yield Console(quiet=True, err=nowhere)


def reward(model: Path, data: Path, out: Path, console: Console, *, resume: bool = False, **keys: Any) -> TrainResult:
    from train.reward import train_reward

    settings = {"learning_rate": 1e-3, "eval_share": 0.2, **QUIET, **keys}
    config = RewardConfig(model=str(model), data=str(data), out=str(out), **settings)
    return train_reward(config, console=console, resume=resume)


def dpo(model: Path, data: Path, out: Path, console: Console, *, resume: bool = False, **keys: Any) -> TrainResult:
    from train.dpo import train_dpo

    settings = {"learning_rate": 5e-4, "eval_share": 0.2, **QUIET, **keys}
    config = DpoConfig(model=str(model), data=str(data), out=str(out), **settings)
    return train_dpo(config, console=console, resume=resume)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def test_a_reward_model(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    out = tmp_path / "out"
    result = reward(tiny_model, data, out, console, epochs=3)
    assert result.rows + result.held_out == 40
    assert {"eval_pair_accuracy", "eval_brier", "eval_ece", "eval_log_loss", "train_loss"} <= set(result.metrics)
    assert result.metrics["eval_pair_accuracy"] > 0.7
    record = json.loads((out / "train.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished"
    assert record["data"]["soft_labels"] is True
    assert record["versions"]["trl"] == "1.16.0"
    assert record["result"]["metrics"] == dict(result.metrics)
    logged = lines(out)
    assert [line["step"] for line in logged if "loss" in line] == list(range(1, result.steps + 1))
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "does not say who judged" in card
    assert "expected calibration error" in card
    left = {path.name for path in out.iterdir()}
    assert not left & {"checkpoints", "cache", "training_args.bin"}
    model = AutoModelForSequenceClassification.from_pretrained(out)
    assert model.config.num_labels == 1
    text = AutoTokenizer.from_pretrained(out)("hello", return_tensors="pt")
    assert model(**text).logits.shape == (1, 1)


def test_a_policy_by_dpo_loads_and_has_learnt(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    from transformers import AutoModelForCausalLM

    result = dpo(tiny_model, data, tmp_path / "out", console, epochs=3)
    assert result.metrics["eval_pair_accuracy"] > 0.7
    assert result.metrics["label_entropy"] < result.metrics["train_loss"] < 0.6931
    margins = [line["rewards/margins"] for line in lines(tmp_path / "out") if "rewards/margins" in line]
    assert margins[-1] > margins[0]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert type(model).__name__ == "Qwen3ForCausalLM"


def test_certain_labels_run_on_and_hard_ones_are_certain(tiny_model: Path, tmp_path: Path, console: Console) -> None:
    """p = 0.6 everywhere would hold the gap near logit(0.6) = 0.41; rounded, it runs on."""
    rows = write_jsonl(tmp_path / "pairs.jsonl", [{**row, "p_chosen": 0.6} for row in pair_rows(40)])
    result = reward(tiny_model, rows, tmp_path / "out", console, epochs=8, center=0.0, labels=Labels.HARD)
    assert lines(tmp_path / "out")[-1]["eval_margin"] > 2.0
    assert "label_entropy" not in result.metrics
    assert result.metrics["eval_entropy"] == pytest.approx(0.6730, abs=1e-4)  # measured against the 0.6 all the same
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Labels were rounded" in card


def gaps(trainer: Any) -> Any:
    """The gaps of the held-out pairs."""
    import torch

    trainer.evaluate()
    return torch.cat([gap for gap, _, _ in trainer._seen])


@pytest.mark.parametrize(("method", "rate"), [("reward", 1e-3), ("dpo", 3e-4)])
def test_gaps_settle_at_the_log_odds_of_labels_that_say_nothing(
    tiny_model: Path, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, method: str, rate: float
) -> None:
    """Labels of mean 0.75 that do not depend on the text: on pairs not seen, the gap is logit(0.75) = 1.0986."""
    from train import session

    labels = [0.6, 0.7, 0.8, 0.9] * 24
    random.Random(2).shuffle(labels)
    rows = [{**row, "p_chosen": p} for row, p in zip(pair_rows(96, seed=1), labels, strict=True)]
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    found: list[Any] = []
    measured = session._measured

    def and_gaps(trainer: Any, *rest: Any) -> dict[str, float]:
        found.append(gaps(trainer))
        return measured(trainer, *rest)

    monkeypatch.setattr(session, "_measured", and_gaps)
    keys = {"epochs": 8, "batch_size": 16, "schedule": "cosine", "learning_rate": rate, "eval_share": 0.3}
    train = {"reward": reward, "dpo": dpo}[method]
    train(tiny_model, data, tmp_path / "out", console, **keys, **({"center": 0.0} if method == "reward" else {}))
    assert float(found[0].mean()) == pytest.approx(math.log(0.75 / 0.25), abs=0.15)


def test_sft_learns_the_answers(marked_model: Path, tmp_path: Path, console: Console) -> None:
    from train.sft import train_sft

    rows = [{"messages": row["prompt"] + row["chosen"]} for row in pair_rows(32)]
    data = write_jsonl(tmp_path / "sft.jsonl", rows)
    config = SftConfig(
        model=str(marked_model), data=str(data), out=str(tmp_path / "out"), learning_rate=3e-3, epochs=4,
        eval_share=0.2, **QUIET,
    )  # fmt: skip
    result = train_sft(config, console=console)
    losses = [line["loss"] for line in lines(tmp_path / "out") if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]
    assert "eval_loss" in result.metrics


@pytest.mark.parametrize(
    ("loss", "told"),
    [(PairLoss.IPO, {"eval_pair_accuracy", "eval_brier", "eval_ece"}), (PairLoss.HINGE, {"eval_pair_accuracy"})],
)
def test_other_losses_tell_what_their_gaps_say(
    tiny_model: Path, data: Path, tmp_path: Path, console: Console, loss: PairLoss, told: set[str]
) -> None:
    result = dpo(tiny_model, data, tmp_path / "out", console, epochs=3, loss=loss, beta=0.3)
    assert result.metrics["eval_pair_accuracy"] > 0.7
    known = {"eval_pair_accuracy", "eval_brier", "eval_ece", "eval_log_loss", "eval_entropy"}
    assert known & set(result.metrics) == told
    assert "label_entropy" not in result.metrics


def test_margins_are_asked_for(tiny_model: Path, tmp_path: Path, console: Console) -> None:
    found = {}
    for margin in (0.0, 3.0):
        rows = [{**row, "p_chosen": 0.7, "judge_margin": margin} for row in pair_rows(40)]
        data = write_jsonl(tmp_path / f"{margin}.jsonl", rows)
        keys = {"epochs": 3, "center": 0.0, "labels": Labels.HARD, "margin": Margin.JUDGE}
        reward(tiny_model, data, tmp_path / f"out{margin}", console, **keys)
        found[margin] = lines(tmp_path / f"out{margin}")[-1]["eval_margin"]
    assert found[3.0] > found[0.0] + 0.5


def test_lora_is_merged_into_an_ordinary_model(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    base = weights(tiny_model)
    dpo(tiny_model, data, tmp_path / "policy", console, lora=LoraConfig(rank=4), max_steps=4)
    assert (tmp_path / "policy" / "adapter" / "adapter_config.json").is_file()
    changed = weights(tmp_path / "policy")
    assert set(changed) == set(base)
    assert any(not bool((changed[name] == base[name]).all()) for name in base)
    AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    reward(tiny_model, data, tmp_path / "rewards", console, lora=LoraConfig(rank=4), max_steps=4)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "rewards", num_labels=1)
    saved = weights(tmp_path / "rewards")["score.weight"]
    assert bool((loaded.score.weight == saved).all())


def test_another_reference(tiny_model: Path, marked_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    result = dpo(
        tiny_model,
        data,
        tmp_path / "out",
        console,
        reference=str(marked_model),
        precompute_reference=False,
        max_steps=2,
    )
    assert result.steps == 2


def test_weights_are_saved_as_the_model_had_them(
    tiny_model: Path, data: Path, tmp_path: Path, console: Console
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float16).save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(half)
    dpo(half, data, tmp_path / "same", console, max_steps=1)
    assert {tensor.dtype for tensor in weights(tmp_path / "same").values()} == {torch.float16}
    dpo(half, data, tmp_path / "full", console, max_steps=1, save_dtype="float32")
    assert {tensor.dtype for tensor in weights(tmp_path / "full").values()} == {torch.float32}


def stop_at(step: int, trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a Ctrl-C in the middle of a step."""
    inner = trainer.compute_loss

    def compute_loss(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(self, *args, **kwargs)

    monkeypatch.setattr(trainer, "compute_loss", compute_loss)


@pytest.mark.parametrize(
    ("method", "after", "keys"),
    [
        ("reward", 5, {}),
        ("reward", 11, {"lora": LoraConfig(rank=4, dropout=0.1)}),
        ("dpo", 11, {}),
        ("dpo", 5, {"lora": LoraConfig(rank=4, dropout=0.1)}),
    ],
    ids=["reward, first epoch", "reward with lora, second epoch", "dpo, second epoch", "dpo with lora, first epoch"],
)
def test_a_stopped_training_goes_on_to_the_same_weights(
    tiny_model: Path, data: Path, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch,
    method: str, after: int, keys: dict[str, Any],
) -> None:  # fmt: skip
    from train.dpo import SoftDPOTrainer
    from train.reward import SoftRewardTrainer

    train, trainer = {"reward": (reward, SoftRewardTrainer), "dpo": (dpo, SoftDPOTrainer)}[method]
    whole = train(tiny_model, data, tmp_path / "whole", console, epochs=2, **keys)
    with monkeypatch.context() as patch:
        stop_at(after, trainer, patch)
        with pytest.raises(Interrupted) as caught:
            train(tiny_model, data, tmp_path / "cut", console, epochs=2, **keys)
    assert caught.value.resume.endswith("--resume")
    assert f"tenet train {method}" in caught.value.resume
    assert json.loads((tmp_path / "cut" / "train.json").read_text(encoding="utf-8"))["status"] == "running"
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    resumed = train(tiny_model, data, tmp_path / "cut", console, resume=True, epochs=2, **keys)
    assert resumed.steps == whole.steps
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert max(float((a[name] - b[name]).abs().max()) for name in a) == 0.0
    steps = [line["step"] for line in lines(tmp_path / "cut") if "loss" in line]
    assert steps == list(range(1, whole.steps + 1))
    again = train(tiny_model, data, tmp_path / "cut", console, resume=True, epochs=2, **keys)
    assert again.metrics == resumed.metrics  # finished: nothing is done again
    assert again.seconds == pytest.approx(resumed.seconds, abs=0.1)


@pytest.mark.parametrize("keys", [{}, {"lora": LoraConfig(rank=4)}], ids=["all weights", "lora"])
def test_a_training_killed_after_its_last_step_takes_no_other(
    tiny_model: Path,
    data: Path,
    tmp_path: Path,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, Any],
) -> None:
    whole = reward(tiny_model, data, tmp_path / "whole", console, max_steps=3, save_every=1, **keys)
    with monkeypatch.context() as patch:
        patch.setattr("train.session.save", lambda *_: (_ for _ in ()).throw(SystemExit("killed")))
        with pytest.raises(SystemExit):
            reward(tiny_model, data, tmp_path / "cut", console, max_steps=3, save_every=1, **keys)
    resumed = reward(tiny_model, data, tmp_path / "cut", console, resume=True, max_steps=3, save_every=1, **keys)
    assert (resumed.steps, whole.steps) == (3, 3)
    found = {name: resumed.metrics[name] for name in whole.metrics}
    assert found == pytest.approx(dict(whole.metrics), abs=1e-4)  # losses are logged to four places
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert max(float((a[name] - b[name]).abs().max()) for name in a) == 0.0


def test_a_folder_belongs_to_one_training(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    out = tmp_path / "out"
    reward(tiny_model, data, out, console, max_steps=1)
    with pytest.raises(UsageError, match="finished training") as caught:
        reward(tiny_model, data, out, console, max_steps=1)
    assert "--resume" in str(caught.value)
    with pytest.raises(FingerprintMismatch, match="max_steps: 1 -> 2"):
        reward(tiny_model, data, out, console, resume=True, max_steps=2)
    write_jsonl(data, pair_rows(12))
    with pytest.raises(FingerprintMismatch, match="data"):
        reward(tiny_model, data, out, console, resume=True, max_steps=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds notes.txt"):
        reward(tiny_model, data, tmp_path / "other", console)


def test_one_training_a_folder_at_a_time(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    from train.folder import TrainFolder

    config = RewardConfig(model=str(tiny_model), data=str(data))
    with TrainFolder.open(tmp_path / "out", config, {}, resume=False), pytest.raises(RunLocked, match="is training in"):
        TrainFolder.open(tmp_path / "out", config, {}, resume=False)


def test_what_is_no_model(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    with pytest.raises(MissingInput, match=r"config\.json"):
        reward(tmp_path, data, tmp_path / "out", console)
    with pytest.raises(MissingInput, match="org/unheard-of"):
        reward(Path("org/unheard-of"), data, tmp_path / "out", console)
    assert not (tmp_path / "out").exists()


def test_conversations_need_a_template(bare_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    with pytest.raises(UsageError, match="no chat template"):
        dpo(bare_model, data, tmp_path / "out", console)


def test_a_reference_of_another_vocabulary(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    import shutil

    from transformers import AutoTokenizer

    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens(["unheard"])
    tokenizer.save_pretrained(other)
    with pytest.raises(UsageError, match="another vocabulary"):
        dpo(tiny_model, data, tmp_path / "out", console, reference=str(other))


def test_a_training_that_runs_off_saves_nothing(tiny_model: Path, data: Path, tmp_path: Path, console: Console) -> None:
    with pytest.raises(UsageError, match="ran off"):
        dpo(tiny_model, data, tmp_path / "out", console, max_steps=6, beta=1e38, precision=Precision.FP32)
    assert not (tmp_path / "out" / "model.safetensors").exists()
