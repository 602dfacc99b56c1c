"""The keys of train.yaml, and the command line that says the same."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tenet.config import load_config, make_config
from tenet.errors import InvalidInput
from train.config import (
    CONFIGS,
    Device,
    DpoConfig,
    Labels,
    LoraConfig,
    Margin,
    Method,
    Precision,
    RewardConfig,
    checked,
    command_of,
    method_of,
    out_of,
)


def test_a_file_and_overrides(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("model: org/policy\ndata: ./rows.jsonl\nbeta: 0.2\nlora: {rank: 8}\n", encoding="utf-8")
    (tmp_path / "rows.jsonl").touch()
    config = load_config(file, DpoConfig, ["epochs=3", "lora.merge=false"])
    assert (config.model, config.beta, config.epochs) == ("org/policy", 0.2, 3.0)
    assert config.data == str(tmp_path / "rows.jsonl")
    assert config.lora == LoraConfig(rank=8, merge=False)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    file.write_text("model: org/policy\nbetta: 0.2\nepochs: 0\nschedule: quick\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load_config(file, DpoConfig)
    said = str(caught.value)
    assert 'did you mean "beta"' in said
    assert "epochs: must be more than 0" in said
    assert "data: is missing" in said
    assert "cosine" in said
    assert f"{file}:2:1" in said


def test_rules_between_keys() -> None:
    with pytest.raises(InvalidInput, match="fp16 needs a GPU"):
        checked(RewardConfig(model="org/m", data="org/d", device=Device.CPU, precision=Precision.FP16))
    with pytest.raises(InvalidInput, match="cannot go with lora"):
        checked(DpoConfig(model="org/m", data="org/d", reference="org/r", lora=LoraConfig()))
    with pytest.raises(InvalidInput, match="learning_rate"):
        checked(RewardConfig(model="org/m", data="org/d", learning_rate=-1.0))


def test_labels_and_margins_are_not_counted_twice() -> None:
    with pytest.raises(InvalidInput, match="twice") as caught:
        make_config({"model": "m", "data": "d"}, RewardConfig, ["margin=judge"])
    assert "labels: hard" in str(caught.value)
    config = make_config({"model": "m", "data": "d"}, RewardConfig, ["margin=judge", "labels=hard"])
    assert (config.margin, config.labels) == (Margin.JUDGE, Labels.HARD)


@pytest.mark.parametrize(
    ("cls", "key", "cure"),
    [
        (DpoConfig, "label_smoothing=0.1", "p_chosen = 1 - e"),
        (RewardConfig, "label_smoothing=0.1", "p_chosen = 1 - e"),
        (DpoConfig, "loss_type=ipo", "the key here is loss"),
        (DpoConfig, "margin=judge", "loss: ipo"),
        (RewardConfig, "loss=hinge", "log-odds only by the logistic loss"),
        (DpoConfig, "loss=robust", "none of sigmoid, ipo, hinge"),
    ],
)
def test_keys_of_other_trainers_name_what_to_write_here(cls: type[DpoConfig], key: str, cure: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make_config({"model": "m", "data": "d"}, cls, [key])
    assert cure in str(caught.value)


@pytest.mark.parametrize("method", list(Method))
def test_where_it_goes(method: Method) -> None:
    config = CONFIGS[method](model="m", data="d")
    assert method_of(config) is method
    assert out_of(config) == Path("train") / method.value
    assert out_of(CONFIGS[method](model="m", data="d", name="kind")) == Path("train/kind")
    assert out_of(CONFIGS[method](model="m", data="d", name="kind", out="x/y")) == Path("x/y")


def test_the_command_says_the_same() -> None:
    config = DpoConfig(
        model="org/m", data="org/d", out="here", beta=0.3, lora=LoraConfig(rank=4, target_modules=("q_proj", "v_proj")),
        chat_template_kwargs={"enable_thinking": False}, device=Device.CPU,
    )  # fmt: skip
    words = shlex.split(command_of(config))
    assert words[:3] == ["tenet", "train", "dpo"]
    given = {words[i].removeprefix("--"): words[i + 1] for i in range(3, 9, 2)}
    overrides = [words[i + 1] for i in range(9, len(words), 2)]
    assert make_config(given, DpoConfig, overrides) == config
