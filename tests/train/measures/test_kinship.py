"""Which judges are independent: lineages made of folders with records, as trainings leave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from train.measures.kinship import Ancestry, Identity, ancestry_of, same_family, self_judged


def model(folder: Path, weights: str, record: dict[str, Any] | None = None, **config: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3", **config}))
    (folder / "model.safetensors").write_text(weights)
    if record is not None:
        (folder / "train.json").write_text(json.dumps({"status": "finished", **record}))
    return folder


def trained(folder: Path, weights: str, base: Path, **more: Any) -> Path:
    """As `tenet train` leaves a folder: its record names what it began with."""
    own = ancestry_of(str(base)).own
    settings = more.pop("config", {})
    record = {
        "identity": {"model": {"name": own.name, "revision": own.revision}},
        "config": {"model": str(base), **settings},
        **more,
    }
    return model(folder, weights, record)


def labels_of(judge: Path | str) -> dict[str, Any]:
    own = ancestry_of(str(judge)).own
    return {"origin": {"judge": {"model": {"model": own.name, "revision": own.revision}}}}


def test_one_model_under_two_hosts() -> None:
    assert Identity("a", "r").same(Identity("b", "r"))
    assert not Identity("a", "r").same(Identity("a", "s"))
    assert Identity("a").same(Identity("a", "s"))
    assert not Identity("").same(Identity(""))


def test_a_judge_of_its_own_labels(tmp_path: Path) -> None:
    base, judge, other = (model(tmp_path / name, name) for name in ("base", "judge", "other"))
    policy = ancestry_of(str(trained(tmp_path / "dpo", "dpo", base, **labels_of(judge))))
    first = ancestry_of(str(base))
    assert "made the labels" in self_judged(ancestry_of(str(judge)), [policy, first])[0]
    assert self_judged(ancestry_of(str(other)), [policy, first]) == []


def test_a_judge_with_a_base_in_common(tmp_path: Path) -> None:
    base, root, other = (model(tmp_path / name, name) for name in ("base", "root", "other"))
    judge = trained(tmp_path / "judge", "judge", root)
    cousin = trained(tmp_path / "cousin", "cousin", root)
    named = model(tmp_path / "named", "named", _name_or_path=str(root))
    policy = ancestry_of(str(trained(tmp_path / "dpo", "dpo", base, **labels_of(judge))))
    # The labels' record has the judge's fingerprint alone, so its descent is known only where the judge itself is asked.
    assert self_judged(ancestry_of(str(other)), [policy]) == []
    grandchild = trained(tmp_path / "grandchild", "grandchild", judge)
    assert "base model in common with the judge" in self_judged(ancestry_of(str(grandchild)), [policy])[0]
    on_root = ancestry_of(str(trained(tmp_path / "on-root", "on-root", root)))
    for akin in (judge, cousin, named, root):
        assert any("in common with the policy" in why for why in self_judged(ancestry_of(str(akin)), [on_root])), akin
    assert self_judged(ancestry_of(str(other)), [on_root]) == []


def test_teachers_of_earlier_rounds_and_of_the_reward_model_count(tmp_path: Path) -> None:
    base, judge, other = (model(tmp_path / name, name) for name in ("base", "judge", "other"))
    reward = trained(tmp_path / "reward", "reward", base, **labels_of(judge))
    ppo = trained(tmp_path / "ppo", "ppo", base, config={"reward_model": str(reward)})
    again = trained(tmp_path / "again", "again", ppo)
    policy = ancestry_of(str(again))
    assert "labels of the reward model" in self_judged(ancestry_of(str(judge)), [policy])[0]
    assert "labels or rewards" in self_judged(ancestry_of(str(reward)), [policy])[0]
    assert self_judged(ancestry_of(str(other)), [policy]) == []
    pupil = trained(tmp_path / "pupil", "pupil", other, **labels_of(judge))
    assert "learnt from the labels" in self_judged(ancestry_of(str(pupil)), [policy])[0]


def test_a_checkpoint_has_the_record_of_its_training(tmp_path: Path) -> None:
    base, judge = model(tmp_path / "base", "base"), model(tmp_path / "judge", "judge")
    folder = trained(tmp_path / "dpo", "dpo", base, **labels_of(judge))
    step = model(folder / "checkpoints" / "checkpoint-5", "step 5")
    assert self_judged(ancestry_of(str(judge)), [ancestry_of(str(step))])


def test_a_base_that_was_replaced_is_another_model(tmp_path: Path) -> None:
    base = model(tmp_path / "base", "old")
    dpo = trained(tmp_path / "dpo", "dpo", base)
    then = ancestry_of(str(base)).own
    (base / "model.safetensors").write_text("new")
    found = ancestry_of(str(dpo))
    assert found.before == (then,)
    assert not found.shares_model(ancestry_of(str(base)))


@pytest.mark.parametrize(
    ("judge", "policies", "said"),
    [
        ("org/Qwen3-14B", ["org/Qwen3-1.7B"], "qwen"),
        ("org/Llama-3", ["org/Qwen3-1.7B"], ""),
        ("models/x", ["models/y"], ""),
    ],
)
def test_families_by_name(judge: str, policies: list[str], said: str) -> None:
    assert same_family(judge, policies) == said


def test_a_hub_id_is_known_by_its_name() -> None:
    assert ancestry_of("org/model") == Ancestry(Identity("org/model"))
    assert self_judged(ancestry_of("org/model"), [ancestry_of("org/model")])
