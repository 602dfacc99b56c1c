"""Several real (tiny) models compared with one base: one table, one plot, one file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.errors import UsageError
from train.compare import configs_for
from train.show import answers_each

pytest.importorskip("transformers")
ORACLE = "tests.train.test_evaluate:vowels"


def test_one_answer_and_several_are_told_in_words() -> None:
    assert (answers_each(1), answers_each(2)) == ("1 answer each", "2 answers each")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("train/a", "train/b"), ["a", "b"]),
        (("x/human-000/dpo", "x/human-050/dpo"), ["human-000-dpo", "human-050-dpo"]),
    ],
)
def test_models_are_called_by_what_tells_them_apart(paths: tuple[str, ...], names: list[str]) -> None:
    assert [Path(place).name for _, place in configs_for(paths, "out")] == names


@pytest.mark.parametrize(("paths", "out"), [(("a", "b"), "out.json"), (("a", "./a"), "out")])
def test_what_cannot_be_put_side_by_side(paths: tuple[str, ...], out: str) -> None:
    with pytest.raises(UsageError, match=r"one file|twice"):
        configs_for(paths, out)


def test_the_command_compares_all_with_one_base(tiny_model: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": f"question {n}{'?' * (n % 2)}"}) + "\n" for n in range(6)))
    trained = [tmp_path / "one", tmp_path / "two"]
    for folder in trained:
        shutil.copytree(tiny_model, folder)
    words = ["evaluate", str(tiny_model), *map(str, trained), "--prompts", str(prompts), "--oracle", ORACLE]
    words += ["--set", "max_tokens=6", "--set", "sycophancy=false", "--out", str(tmp_path / "both")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name in ("has_a", "asked", "base", "one", "two"):
        assert name in done.stdout
    held = json.loads((tmp_path / "both" / "comparison.json").read_text())
    assert [one["name"] for one in held["models"]] == ["one", "two"]
    for one in held["models"]:
        rate = next(found for found in one["attributes"] if found["name"] == "has_a")
        assert rate["base"] == rate["trained"], "the same model with the same seeds answers the same"
        assert one["base"] == held["base"]
        assert (tmp_path / "both" / one["name"] / "evaluation.json").is_file()
    drawn = ElementTree.parse(tmp_path / "both" / "comparison.svg").getroot()
    assert {"has_a", "asked", "one", "two"} <= {text.text for text in drawn.iter() if text.tag.endswith("text")}
