"""A curve over real (tiny) checkpoints, full and LoRA, through the command; and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.console import Console
from tenet.errors import MissingInput
from tests.train.world import pair_rows, write_jsonl
from train.config import Device, DpoConfig
from train.measures.checkpoints import Checkpoint, checkpoints_of, loadable

pytest.importorskip("trl")


def counts(prompt: str, response: str) -> Mapping[str, float | bool]:
    """An oracle of the tiny world: how much is said, and whether little is."""
    return {"characters": float(len(response)), "short": len(response) < 12}


ORACLE = "tests.train.measures.test_curve:counts"


@pytest.fixture(scope="module")
def training(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPO training with a checkpoint every two steps."""
    from train.dpo import train_dpo

    work = tmp_path_factory.mktemp("training")
    data = write_jsonl(work / "pairs.jsonl", pair_rows(24))
    config = DpoConfig(
        model=str(tiny_model), data=str(data), out=str(work / "dpo"), learning_rate=1e-3, batch_size=4, device=Device.CPU,
        max_steps=5, save_every=2, keep_checkpoints=20, eval_share=0.0,
    )  # fmt: skip
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        train_dpo(config, console=Console(quiet=True, err=nowhere))
    return work / "dpo"


def test_checkpoints_are_found_and_thinned(training: Path, tmp_path: Path) -> None:
    found = checkpoints_of(training, 12)
    assert [(one.step, one.name) for one in found] == [(2, "checkpoint-2"), (4, "checkpoint-4"), (5, "checkpoint-5")]
    assert [one.step for one in checkpoints_of(training / "checkpoints", 2)] == [2, 5]
    with pytest.raises(MissingInput, match="no checkpoints"):
        checkpoints_of(tmp_path, 12)


def test_the_command_measures_every_checkpoint(tiny_model: Path, training: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"question {n}"}) + "\n" for n in range(6)))
    words = ["evaluate-curve", str(tiny_model), "--checkpoints", str(training), "--prompts", str(prompts)]
    words += ["--proxy-oracle", f"{ORACLE}/characters", "--gold-oracle", f"{ORACLE}/short", "--set", "max_tokens=6"]
    done = CliRunner().invoke(cli, [*words, "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "checkpoint-4" in done.stdout
    held = json.loads((tmp_path / "curve.json").read_text())
    first, *rest = held["checkpoints"]
    assert [one["step"] for one in held["checkpoints"]] == [0, 2, 4, 5]
    assert first["kl"]["nats_per_response"]["k1"]["value"] == 0.0
    assert all(one["kl"]["nats_per_response"]["k3"]["value"] > 0 for one in rest)
    assert held["parting"]["prompts"] == 6
    assert held["self_judged"] is False
    ElementTree.parse(tmp_path / "curve.svg")


def test_a_gold_judge_that_is_kin_is_told(tiny_model: Path, training: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(json.dumps({"prompt": "question"}) + "\n")
    reward = tmp_path / "reward"
    shutil.copytree(tiny_model, reward)
    (reward / "train.json").write_text((training / "train.json").read_text())
    from transformers import AutoModelForSequenceClassification

    AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1).save_pretrained(reward)
    places = ["--checkpoints", str(training), "--prompts", str(prompts), "--gold-reward", str(reward), "--most", "2"]
    proxy = ["--proxy-judge", "longer", "--proxy-principles", "pocket/courteous"]
    settings = [f"--set={one}" for one in ("kl=false", "max_tokens=4", "proxy.judge.engine=scripted")]
    words = ["evaluate-curve", str(tiny_model), *places, *proxy, *settings]
    done = CliRunner().invoke(cli, [*words, "--out", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    held = json.loads((tmp_path / "curve.json").read_text())
    assert held["checkpoints"][0]["proxy"]["value"] == 0.5, "the base is even with itself"
    assert held["checkpoints"][0]["kl"] is None
    assert "gold (self-judged)" in done.stdout
    assert "in common with the policy" in done.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--proxy-oracle", "pocket/brief"], "name one of --gold"),
        (["--proxy-oracle", "pocket/brief", "--gold-oracle", "pocket/x", "--gold-reward", "m"], "name one of --gold"),
        (["--proxy-judge", "m", "--gold-oracle", "pocket/x"], "go together"),
        (["--proxy-oracle", "pocket", "--gold-oracle", "pocket/courteous"], "names several values"),
    ],
)
def test_what_is_refused(flags: list[str], said: str, tiny_model: Path, training: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(json.dumps({"prompt": "question"}) + "\n")
    words = [
        "evaluate-curve",
        str(tiny_model),
        "--checkpoints",
        str(training),
        "--prompts",
        str(prompts),
        "--set",
        "max_tokens=2",
    ]
    done = CliRunner().invoke(cli, [*words, "--most", "2", *flags])
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_adapter_is_merged_with_its_base(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig as Peft
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model), Peft(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    )
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_()
    folder = tmp_path / "checkpoints" / "checkpoint-3"
    model.save_pretrained(folder)
    merged = AutoModelForCausalLM.from_pretrained(
        loadable(Checkpoint("checkpoint-3", 3, folder), str(tiny_model), tmp_path / "scratch")
    )
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        assert torch.allclose(merged(ids).logits, model(ids).logits, atol=1e-4)
    assert any((tmp_path / "scratch/checkpoint-3").glob("tokenizer*"))
