"""Two real (tiny) models compared: same seeds, a judge, an oracle, the record, and the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.errors import InvalidInput, UsageError
from train.attributes import compared, find_oracle
from train.evaluate import EvaluateConfig, JudgedBy, evaluate, place_of

pytest.importorskip("transformers")


def vowels(prompt: str, response: str) -> Mapping[str, bool | float | None]:
    """An oracle: whether there is an a in the answer, how long it is, and what never applies."""
    return {"has_a": "a" in response, "characters": float(len(response)), "never": None, "asked": "?" in prompt or None}


ORACLE = "tests.train.test_evaluate:vowels"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"question {number}{'?' * (number % 2)}"} for number in range(8)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def other_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with other random weights."""
    import torch
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(tiny_model, folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    torch.manual_seed(7)
    model.model.norm.weight.data += 0.2 * torch.randn_like(model.model.norm.weight)
    model.save_pretrained(folder)
    return folder


def test_a_judge_and_an_oracle(tiny_model: Path, other_model: Path, prompts: Path, tmp_path: Path) -> None:
    judge = JudgedBy(model="longer", principles="pocket/courteous", engine="scripted")
    config = EvaluateConfig(
        base=str(tiny_model), trained=str(other_model), prompts=str(prompts), out=str(tmp_path / "out"), judge=judge,
        oracle=ORACLE, samples=2, max_tokens=8,
    )  # fmt: skip
    found = evaluate(config)
    assert found.judged is not None
    judged = found.judged
    assert judged.wins + judged.ties + judged.losses + judged.no_opinion == 16
    assert [one.name for one in found.attributes] == ["has_a", "characters", "asked"]
    rate, mean, asked = found.attributes
    assert (rate.is_rate, mean.is_rate) == (True, False)
    assert rate.base.count == 8
    assert asked.base.count == 4  # None where it does not apply
    assert asked.base.value == 1.0
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["judge"]["win_rate"]["value"] == pytest.approx((judged.wins + judged.ties / 2) / 16)
    assert record["judge"]["self_judged"] is False
    assert record["attributes"][0]["change"]["low"] <= record["attributes"][0]["change"]["value"]
    assert record["trained"]["fingerprint"]["revision"] != record["base"]["fingerprint"]["revision"]
    answers = (tmp_path / "out" / "evaluation-responses.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(answers) == 16
    assert {"prompt", "base", "trained", "p_trained", "index"} == set(json.loads(answers[0]))
    assert record["headline"] == f"attributes read by the oracle {ORACLE}"
    measured = {one["name"] for one in record["behaviour"]}
    assert {
        "over-refusal (benign prompts)",
        "boilerplate",
        "overlap of answers",
        "distinct-1",
        "distinct-2",
    } <= measured
    assert record["kl"]["nats_per_response"]["k3"]["value"] > 0
    assert "of its probability" in record["not_told"]["sycophancy (shift)"]
    assert "too few" in record["judge"]["length_controlled"]["reason"]


def test_a_model_ties_with_itself(tiny_model: Path, prompts: Path, tmp_path: Path) -> None:
    """The same seeds draw the same answers, so nothing is left to judge."""
    judge = JudgedBy(model="longer", principles="pocket/courteous", engine="scripted")
    config = EvaluateConfig(
        base=str(tiny_model),
        trained=str(tiny_model),
        prompts=str(prompts),
        out=str(tmp_path),
        judge=judge,
        max_tokens=8,
        sycophancy=False,
    )
    found = evaluate(config)
    assert found.divergence is not None
    assert found.divergence.k1.value == 0.0
    assert found.judged is not None
    assert (found.judged.identical, found.judged.ties) == (8, 8)
    assert found.judged.win_rate is not None
    assert found.judged.win_rate.value == 0.5


def test_a_judge_that_made_the_labels_is_named(
    tiny_model: Path, other_model: Path, prompts: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(other_model, trained)
    origin = {"judge": {"mode": "each", "model": {"engine": "vllm", "model": "longer", "revision": ""}}}
    (trained / "train.json").write_text(json.dumps({"status": "finished", "origin": origin}), encoding="utf-8")
    judge = JudgedBy(model="longer", principles="pocket/courteous", engine="scripted")
    config = EvaluateConfig(
        base=str(tiny_model), trained=str(trained), prompts=str(prompts), judge=judge, max_tokens=4, limit=3,
        sycophancy=False, kl=False,
    )  # fmt: skip
    assert place_of(config) == trained / "evaluation.json"
    assert evaluate(config).self_judged is True
    other = JudgedBy(model="shorter", principles="pocket/courteous", engine="scripted")
    assert not evaluate(EvaluateConfig(**{**vars(config), "judge": other})).self_judged


def test_a_self_judged_figure_never_heads_the_table(
    tiny_model: Path, other_model: Path, prompts: Path, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(other_model, trained)
    origin = {"judge": {"mode": "each", "model": {"engine": "vllm", "model": "longer", "revision": ""}}}
    (trained / "train.json").write_text(json.dumps({"status": "finished", "origin": origin}), encoding="utf-8")
    words = [
        "evaluate",
        str(tiny_model),
        str(trained),
        "--prompts",
        str(prompts),
        "--judge",
        "longer",
        "--set",
        "max_tokens=4",
    ]
    words += ["--principles", "pocket/courteous", "--set", "judge.engine=scripted", "--set", "sycophancy=false"]
    alone = CliRunner().invoke(cli, [*words, "--set", "kl=false"], catch_exceptions=False)
    assert "NO INDEPENDENT FIGURE" in alone.stdout
    assert alone.stdout.index("distinct-1") < alone.stdout.index("preferred by longer (self-judged)")
    assert "self-judged: this judge also made the labels" in alone.stderr
    assert "KL cannot be told: not asked for" in alone.stderr
    assert json.loads((trained / "evaluation.json").read_text(encoding="utf-8"))["headline"] is None
    beside = CliRunner().invoke(cli, [*words, "--oracle", ORACLE, "--set", "temperature=0.5"], catch_exceptions=False)
    assert "NO INDEPENDENT FIGURE" not in beside.stdout
    assert beside.stdout.index("has_a") < beside.stdout.index("preferred by longer (self-judged)")
    assert "KL needs responses drawn at temperature 1" in beside.stderr


def test_a_policy_judged_by_its_own_base_is_self_judged(
    tiny_model: Path, other_model: Path, prompts: Path, tmp_path: Path
) -> None:
    judge = JudgedBy(model=str(tiny_model), principles="pocket/courteous", min_label_mass=0.0)
    config = EvaluateConfig(
        base=str(tiny_model), trained=str(other_model), prompts=str(prompts), out=str(tmp_path), judge=judge,
        max_tokens=4, limit=2, kl=False, sycophancy=False,
    )  # fmt: skip
    found = evaluate(config)
    assert found.verdict is not None
    assert found.verdict.because == ["this judge has a base model in common with the policy that it judges"]


def test_attributes_by_hand() -> None:
    before = [("p", True), ("p", False), ("q", False), ("q", False)]
    after = [("p", True), ("p", True), ("q", True), ("q", False)]
    found = compared("x", before, after)
    assert (found.base.value, found.trained.value, found.base.count) == (0.25, 0.75, 2)
    assert found.change is not None
    assert found.change.value == 0.5
    numbers = compared("n", [("p", 1.0), ("q", 3.0)], [("p", 2.0), ("q", 6.0)])
    assert numbers.change is not None
    assert numbers.change.value == 2.0


def test_the_pocket_oracle_is_found_by_name() -> None:
    seen = find_oracle("pocket")("How do I clean a kettle?", "Thank you for asking. Wipe the kettle with a soft cloth.")
    assert seen["courteous"] is True
    assert seen["harmless"] is None
    with pytest.raises(UsageError, match="no such oracle"):
        find_oracle("pocket.oracle:unheard_of")
    with pytest.raises(UsageError, match="no such oracle"):
        find_oracle("nonsense")


def test_something_must_measure(tiny_model: Path, prompts: Path) -> None:
    from tenet.config import make_config

    values = {"base": str(tiny_model), "trained": str(tiny_model), "prompts": str(prompts)}
    with pytest.raises(InvalidInput, match="nothing to measure with"):
        make_config(values, EvaluateConfig)


def test_the_command_prints_one_table(tiny_model: Path, other_model: Path, prompts: Path, tmp_path: Path) -> None:
    words = [
        "evaluate",
        str(tiny_model),
        str(other_model),
        "--prompts",
        str(prompts),
        "--out",
        str(tmp_path / "e.json"),
    ]
    words += [
        "--oracle",
        ORACLE,
        "--judge",
        "longer",
        "--principles",
        "pocket/courteous",
        "--set",
        "judge.engine=scripted",
    ]
    words += ["--set", "max_tokens=6", "--limit", "4", "--set", "sycophancy=false"]
    shown = CliRunner().invoke(cli, words)
    assert shown.exit_code == 0, shown.output
    assert "has_a" in shown.stdout
    assert "preferred by longer" in shown.stdout
    assert "points [" in shown.stdout
    assert "the longer answer won" in shown.stderr
    as_json = CliRunner().invoke(cli, [*words, "--json"])
    value = json.loads(as_json.stdout)
    assert value["prompts"]["count"] == 4
    assert value == {**json.loads((tmp_path / "e.json").read_text(encoding="utf-8")), "seconds": value["seconds"]}


def test_a_judge_needs_principles(prompts: Path, tiny_model: Path) -> None:
    shown = CliRunner().invoke(
        cli, ["evaluate", str(tiny_model), str(tiny_model), "--prompts", str(prompts), "--judge", "longer"]
    )
    assert shown.exit_code == 2
    assert "go together" in shown.stderr
