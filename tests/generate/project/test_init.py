"""`tenet init` writes a project that the product takes as it stands, names every key, and writes over nothing."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from constitution.load import load
from generate.blend.config import BlendConfig
from generate.project.write import ENGINES, SCHEMA, Project, contents
from tenet.cli import cli
from tenet.config import load_config
from tenet.errors import InvalidInput
from tenet.judgeconfig import JudgeConfig
from tenet.runconfig import PairsConfig, PolicyConfig, PromptsConfig, RunConfig, ScheduleConfig
from train.config import DpoConfig, KtoConfig, RewardConfig, SftConfig, TrainConfig

FILES = {"run.yaml": RunConfig, "train.yaml": DpoConfig, "blend.yaml": BlendConfig}
OPTIONAL = re.compile(r"^(\s*)# (\w+: .*)$")
ANOTHER = {
    "run.yaml samples": "instead of policy",
    "blend.yaml min_agreement": "for routed",
    "blend.yaml axes": "for by-axis",
    "blend.yaml share": "for fraction",
}
"""Optional keys that are for another choice than the file makes; their comment says for which."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tenet(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == code, result.output + result.stderr
    return result


def test_the_offline_project_goes_from_prompts_to_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    told = tenet("init", "my desk")
    assert told.stdout.splitlines()[1] == "my desk/run.yaml"
    assert "cd 'my desk' && tenet generate run.yaml --dry-run" in told.stderr
    monkeypatch.chdir("my desk")
    tenet("principles", "check", "principles/courteous.yaml")
    assert "at most 192" in tenet("generate", "run.yaml", "--dry-run").stdout
    tenet("generate", "run.yaml", "--limit", "3", "--set", "policy.max_tokens=24", "--set", "critique=none")
    (row,) = json.loads(tenet("runs", "list", "--json").stdout)
    assert (row["name"], row["state"]) == ("my-desk", "finished")
    tenet("report", "runs/my-desk")
    assert Path("runs/my-desk/report.html").is_file()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_file_is_taken_as_it_stands(engine: str) -> None:
    tenet("init", "p", "--engine", engine)
    run = load_config(Path("p/run.yaml"), RunConfig)
    assert run.judge.base_url == (("http://127.0.0.1:8000/v1",) if engine == "http" else ())
    assert run.judge.engine == ("transformers" if engine == "pocket" else engine)
    (policy,) = run.policies
    assert bool(policy.chat_template_kwargs) is (engine != "pocket")
    for config in (SftConfig, RewardConfig, DpoConfig, KtoConfig):
        assert load_config(Path("p/train.yaml"), config).model == policy.model
    assert load_config(Path("p/blend.yaml"), BlendConfig).called == "human-first"
    shipped = load("pocket/courteous" if engine == "pocket" else "helpfulness")
    copy = load(run.principles)
    assert Path(run.principles).is_relative_to(Path("p").resolve())
    assert [one.id for one in copy.principles] == [one.id for one in shipped.principles]


@pytest.mark.parametrize("name", FILES)
def test_every_key_that_is_shown_and_not_in_force_can_be_put_in_force(name: str) -> None:
    tenet("init", "p")
    path = Path("p") / name
    lines = path.read_text().splitlines()
    shown = [(place, match) for place, line in enumerate(lines) if (match := OPTIONAL.match(line))]
    assert len(shown) > 4
    for place, match in shown:
        path.write_text("\n".join([*lines[:place], match[1] + match[2], *lines[place + 1 :]]))
        key = f"{name} {match[2].partition(':')[0]}"
        if key in ANOTHER:
            assert ANOTHER[key] in match[2]
            with pytest.raises(InvalidInput):
                load_config(path, FILES[name])
        else:
            load_config(path, FILES[name])


def test_every_key_has_a_comment_beside_it() -> None:
    for name in FILES:
        for line in contents(Project(Path("p"), engine="http"))[name].splitlines():
            assert not line or line.startswith("#") or "  # " in line, line


def test_every_key_of_the_product_is_named() -> None:
    texts = contents(Project(Path("p"), engine="http"))
    classes = {
        "run.yaml": (RunConfig, PromptsConfig, PolicyConfig, JudgeConfig, ScheduleConfig, PairsConfig),
        "train.yaml": (TrainConfig, SftConfig, RewardConfig, DpoConfig, KtoConfig),
        "blend.yaml": (BlendConfig,),
    }
    for name, configs in classes.items():
        keys = {field.name for config in configs for field in dataclasses.fields(config)}
        unnamed = {key for key in keys if not re.search(rf"\b{key}\b", texts[name])}
        assert unnamed <= {"padding_free"}, unnamed


def test_what_is_there_is_never_touched() -> None:
    Path("p").mkdir()
    Path("p/notes.txt").write_text("mine")
    Path("p/train.yaml").write_text("mine too")
    result = tenet("init", "p", code=2)
    assert "p/train.yaml" in result.stderr
    assert "notes" not in result.stderr
    assert sorted(path.name for path in Path("p").iterdir()) == ["notes.txt", "train.yaml"]
    Path("p/train.yaml").unlink()
    tenet("init", "p")
    assert Path("p/notes.txt").read_text() == "mine"
    assert "p/run.yaml" in tenet("init", "p", code=2).stderr
    Path("f").write_text("")
    assert "f is a file" in tenet("init", "f", code=2).stderr


def test_a_principles_file_that_is_not_shipped() -> None:
    assert 'did you mean "honesty"?' in tenet("init", "p", "--principles", "honestly", code=3).stderr
    assert not Path("p").exists()


def test_values_are_quoted_for_yaml_and_names_for_run_folders() -> None:
    Path("x: @JUDGE@").mkdir()
    tenet("init", "a: b #c", "--engine", "transformers", "--policy", "./x: @JUDGE@", "--judge", 'say "hi"')
    run = load_config(Path("a: b #c/run.yaml"), RunConfig)
    assert run.name == "a-b-c"
    assert run.policies[0].model == str(Path("x: @JUDGE@").resolve())  # meant from here, not from the project
    assert run.judge.model == 'say "hi"'


def test_editors_find_the_schema_beside_the_copy() -> None:
    tenet("init", "p", "--principles", "honesty", "--json")
    text = Path("p/principles/honesty.yaml").read_text()
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    assert text.count("yaml-language-server") == 1
    assert json.loads((Path("p/principles") / SCHEMA).read_text())["$schema"].startswith("https://json-schema.org/")
