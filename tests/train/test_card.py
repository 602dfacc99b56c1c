"""The model card: how to load the model, whose labels it learnt from, how far that judge may be trusted, the base's licence."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tenet.console import Console
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig, LoraConfig, RewardConfig

pytest.importorskip("trl")

FIGURES = {
    "accuracy": {"value": 0.712, "low": 0.66, "high": 0.751},
    "flip_rate": {"value": 0.123, "low": None, "high": None},
    "cohen_kappa": {"value": None, "reason": "no labels"},
}


def run_folder(folder: Path, card: dict[str, Any] | None) -> Path:
    """A finished run with its data set, and a judge card if it has one."""
    write_jsonl(folder / "dataset" / "trl-preference" / "train.jsonl", pair_rows(8))
    identity = {"judge": {"model": {"model": "the-judge", "revision": "abc"}, "mode": "each"}}
    fingerprint = {"identity": identity, "growth": {"principles": "f00d" * 16}, "informational": {}}
    record = {"name": "support", "fingerprint": fingerprint, "config": {"principles": "kind.yaml"}}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    if card is not None:
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def trained(config: Any, how: Any) -> str:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        folder = how(config, console=Console(quiet=True, err=nowhere)).folder
    return (folder / "README.md").read_text(encoding="utf-8")  # type: ignore[no-any-return]


def test_a_validated_judge_and_a_licensed_base(tiny_model: Path, tmp_path: Path) -> None:
    from train.dpo import train_dpo

    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    (base / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Base\n", encoding="utf-8")
    run = run_folder(tmp_path / "run", {"validated": True, "judges": {"the-judge": FIGURES}})
    config = DpoConfig(model=str(base), data=str(run), out=str(tmp_path / "out"), max_steps=1, device="cpu")  # type: ignore[arg-type]
    card = trained(config, train_dpo)
    for words in (
        "Judged by `the-judge` (revision abc), principles each.",
        "By the principles `kind.yaml` with digest `f00df00df00df00d`.",
        "- the-judge: gave the verdict of most people: 71.2 % (66.0 % to 75.1 %); changed its verdict with the order: 12.3 %",
        "`base` is under `apache-2.0` by its own card",
        "AutoModelForCausalLM.from_pretrained",
        "The data has no probabilities",
    ):
        assert words in card, words
    assert "nvalidated" not in card
    record = json.loads((tmp_path / "out" / "train.json").read_text(encoding="utf-8"))
    assert f"digest `{record['identity']['data'][:16]}`" in card
    assert record["judge_card"]["judges"]["the-judge"]["accuracy"]["value"] == 0.712


def test_an_unvalidated_judge_and_an_adapter_of_a_reward_model(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from peft import AutoPeftModelForSequenceClassification
    from safetensors.torch import load_file

    from train.reward import train_reward

    run = run_folder(
        tmp_path / "run", {"validated": False, "judges": {"the-judge": {"flip_rate": FIGURES["flip_rate"]}}}
    )
    config = RewardConfig(
        model=str(tiny_model),
        data=str(run),
        out=str(tmp_path / "out"),
        max_steps=1,
        lora=LoraConfig(rank=2, merge=False),
        device="cpu",
    )  # type: ignore[arg-type]
    card = trained(config, train_reward)
    assert "**Unvalidated**" in card
    assert "changed its verdict with the order: 12.3 %" in card
    assert "Licence" not in card
    assert "AutoPeftModelForSequenceClassification" in card
    saved = load_file(tmp_path / "out" / "adapter_model.safetensors")
    heads = [name for name in saved if "score" in name]
    assert heads  # an adapter without its head would score at random
    model = AutoPeftModelForSequenceClassification.from_pretrained(tmp_path / "out", num_labels=1)
    assert torch.equal(model.base_model.model.score.modules_to_save["default"].weight, saved[heads[0]])


def test_a_judge_without_a_card(tiny_model: Path, tmp_path: Path) -> None:
    from train.judgecard import judge_card_of, trust

    run = run_folder(tmp_path / "run", None)
    assert judge_card_of(run / "dataset" / "trl-preference") is None
    assert judge_card_of(None) is None
    assert "tenet card RUN" in "".join(trust(None))
    (run / "card.json").write_text("{", encoding="utf-8")
    assert judge_card_of(run / "dataset") is None
