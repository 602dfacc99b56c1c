"""A configuration is read whole, refused whole with every place named, and written so that it reads back equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest

from tenet.config import AtLeast, InputPath, ModelRef, as_json, dump_yaml, load_config, make_config, to_yaml
from tenet.errors import InvalidInput, MissingInput
from tenet.ids import Json
from tenet.runconfig import (
    JudgeConfig,
    PairsConfig,
    PolicyConfig,
    PromptsConfig,
    ReviseConfig,
    RunConfig,
    ScheduleConfig,
)
from tenet.yamlfile import parse_yaml

GOOD = """\
name: support
principles: helpfulness
prompts: {path: prompts.jsonl}
policy: {model: org/policy, samples: 3}
judge:
  model: org/judge
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config and prompts; the current folder is another one."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    there = tmp_path / "there"
    there.mkdir()
    (there / "prompts.jsonl").write_text("{}\n")
    (there / "run.yaml").write_text(GOOD)
    return there


def read(folder: Path, text: str = "", *overrides: str) -> RunConfig:
    if text:
        (folder / "run.yaml").write_text(text)
    return load_config(folder / "run.yaml", RunConfig, overrides)


def refused(folder: Path, text: str = "", *overrides: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(folder, text, *overrides)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_a_small_file_gets_the_documented_defaults(folder: Path) -> None:
    config = read(folder)
    assert config == RunConfig(
        name="support",
        principles="helpfulness",
        judge=JudgeConfig(model="org/judge"),
        prompts=PromptsConfig(path=str(folder / "prompts.jsonl")),
        policy=(PolicyConfig(model="org/policy", samples=3),),
    )
    assert config.policies[0].engine == "transformers"
    assert config.critique == "pairs"
    assert config.revise is None
    assert config.export == ("trl-preference",)


def test_every_problem_is_reported_with_its_place_and_a_suggestion(folder: Path) -> None:
    text = """\
name: my run
principals: x.yaml
prompts: {path: promts.jsonl, limit: 0}
policy:
  - {engine: vlm, model: m, temperature: -1}
  - model: 3
    keep: yes
judge:
  model: m
  principles: sample
pairs: [1]
export: [sft, tlr-preference]
max_failures: 2
"""
    assert refused(folder, text) == [
        "run.yaml:1:1: name: must be letters, digits, dots, dashes and underscores, not 'my run'",
        "run.yaml:1:1: principles: is missing\n  add, for example: principles: principles/helpfulness.yaml",
        'run.yaml:2:1: principals: unknown key\n  did you mean "principles"?',
        'run.yaml:3:11: prompts.path: there is no promts.jsonl\n  did you mean "prompts.jsonl"?',
        "run.yaml:3:31: prompts.limit: must be at least 1, not 0",
        "run.yaml:5:6: policy.0.engine: 'vlm' "
        'is none of transformers, vllm, vllm-server, http, recorded, scripted\n  did you mean "vllm"?',
        "run.yaml:5:29: policy.0.temperature: must be at least 0, not -1.0",
        'run.yaml:6:5: policy.1.model: expected a text, found the number 3\n  to mean a text, put it in quotes: "3"',
        "run.yaml:7:5: policy.1.keep: unknown key\n  the keys here are model, engine, base_url, samples, temperature, top_p, "
        "max_tokens, stop, system, chat_template_kwargs, name, options",
        "run.yaml:10:3: judge.principles: 'sample' is none of sampled, each, whole\n  did you mean \"sampled\"?",
        "run.yaml:11:1: pairs: expected a table of select, min_margin, keep_ties, min_agreement, confidence, found a list",
        "run.yaml:12:15: export.1: 'tlr-preference' is none of trl-preference, trl-unpaired, reward, sft, nemo-rl\n"
        '  did you mean "trl-preference"?',
        "run.yaml:13:1: max_failures: must lie between 0 and 1, not 2.0",
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("policy: {model: m, samples: 1}", "policy: a single response to a prompt leaves nothing to compare"),
        ("policy: {model: m, temperature: 0}", "policy.temperature: temperature 0 draws the same response 4 times"),
        ("policy: [{model: m}, {model: m}]", "policy.1: two policies are called m"),
        ("policy: []", "policy: there is nothing to judge"),
        ("policy: {model: m, samples: 2.0}", "policy.samples: expected a whole number, found the number 2.0"),
        ("policy: {model: m, samples: true}", "policy.samples: expected a whole number, found true"),
        ("policy: {model: m, top_p: 0}", "policy.top_p: must be more than 0"),
        ("policy: {model: ./gone}", "policy.model: there is no gone"),
        (
            "pairs: {keep_ties: no}",
            "pairs.keep_ties: expected true or false, found the text 'no'\n  write true or false",
        ),
        ("pairs: {min_margin: -0.1}", "pairs.min_margin: must be at least 0, not -0.1"),
        ("prompts: {}", "prompts: names no source"),
        ("prompts: {path: prompts.jsonl, dataset: a/b}", "prompts.dataset: `path` and `dataset` exclude each other"),
        ("samples: {path: prompts.jsonl}", "policy: `samples` are given, so policy would not be used"),
        ("judge: {model: m, base_url: http://x}", "judge.base_url: the engine transformers runs in this process"),
        ("judge: {model: m, engine: http}", "judge.base_url: the engine http needs the address of a server"),
        (
            "judge: {model: m, engine: htp}",
            "judge.engine: 'htp' is none of transformers, vllm, vllm-server, http, recorded",
        ),
        ("policy: {model: m, base_url: http://x}", "policy.base_url: the engine transformers runs in this process"),
        ("judge: m", "judge: expected a table of model, engine"),
        ("revise: {rounds: 0}", "revise.rounds: must be at least 1"),
        ("seed: -1", "seed: must be at least 0"),
        ("schedule: round", "schedule.kind: 'round' is none of round-robin, regular, knockout, auto"),
        ("schedule: {kind: regular, degree: 1}", "schedule.degree: must be at least 2, not 1"),
        ("schedule: {close_within: 0}", "schedule.close_within: must be more than 0, not 0.0"),
        ("schedule: {second: close}", 'schedule.second: unknown key\n  did you mean "second_order"?'),
        ("schedule: [regular]", "schedule: expected a table of kind, degree, second_order, close_within, found a list"),
        ("schedule: ~", None),
        ("schedule: round-robin", None),
        ("seed: ~", None),
        ("revise: ~", None),
        ("pairs: ~", None),
    ],
)
def test_one_problem_at_a_time(folder: Path, change: str, says: str | None) -> None:
    data = {**dict(parse_yaml(GOOD).data), **dict(parse_yaml(change).data)}  # type: ignore[arg-type, call-overload]
    text = dump_yaml(data)
    if says is None:
        assert read(folder, text) == read(folder, GOOD)
    else:
        assert any(says in problem for problem in refused(folder, text)), refused(folder, text)


def test_a_lone_value_stands_for_a_list_of_one(folder: Path) -> None:
    config = read(folder, GOOD + "export: sft\n")
    assert config.export == ("sft",)


def test_a_word_stands_for_the_kind_of_a_schedule(folder: Path) -> None:
    assert read(folder, GOOD + "schedule: regular\n").schedule == ScheduleConfig("regular")
    long = read(folder, GOOD + "schedule: {kind: knockout, second_order: close}\n")
    assert long.schedule == ScheduleConfig("knockout", second_order="close")
    assert read(folder, GOOD, "schedule=auto").schedule == ScheduleConfig("auto")
    assert read(folder, GOOD, "schedule={kind: regular, degree: 6}").schedule == ScheduleConfig("regular", 6)
    assert read(folder, GOOD, "schedule.second_order=close").schedule == ScheduleConfig(second_order="close")
    assert refused(folder, GOOD + "schedule: knockuot\n") == [
        "run.yaml:7:1: schedule.kind: 'knockuot' is none of round-robin, regular, knockout, auto\n"
        '  did you mean "knockout"?'
    ]
    assert refused(folder, GOOD, "schedule=best") == [
        "--set schedule=best: 'best' is none of round-robin, regular, knockout, auto"
    ]


def test_what_is_no_table_or_not_there(folder: Path) -> None:
    assert "expected a table" in refused(folder, "- 1\n")[0]
    assert "name: is missing" in refused(folder, "# nothing\n")[0]
    with pytest.raises(MissingInput):
        load_config(folder / "other.yaml", RunConfig)


def test_paths_of_the_file_are_meant_from_its_folder_and_flags_from_here(folder: Path) -> None:
    here = Path.cwd()
    (here / "mine.jsonl").write_text("{}\n")
    (folder / "models" / "judge").mkdir(parents=True)
    config = read(folder, "", "prompts.path=mine.jsonl", "policy.model=mine.jsonl")
    assert config.prompts is not None
    assert config.prompts.path == str(here / "mine.jsonl")
    assert config.policy[0].model == str(here / "mine.jsonl")
    config = read(folder, GOOD.replace("org/judge", "models/judge").replace("helpfulness", "../there/run.yaml"))
    assert config.judge.model == str(folder / "models" / "judge")
    assert config.principles == str(folder / "run.yaml")
    assert refused(folder, GOOD, "prompts.path=prompts.jsonl") == [
        f'--set prompts.path=prompts.jsonl: there is no {here}/prompts.jsonl\n  did you mean "mine.jsonl"?'
    ]


def test_overrides_take_the_type_of_their_field(folder: Path) -> None:
    words = [
        "name=42", "seed=7", "policy.samples=5", "policy.0.system=on", "policy.stop=['a', 7]", "export=[sft, reward]",
        "judge.chat_template_kwargs.enable_thinking=false", "judge.prefill=Answer: x", "pairs.min_margin=1",
        "prompts.column=", "revise={rounds: 2}", "judge.prefill=A=B",
    ]  # fmt: skip
    config = read(folder, GOOD, *words)
    assert (config.name, config.seed) == ("42", 7)
    assert config.policy[0].samples == 5
    assert config.policy[0].system == "on"
    assert config.policy[0].stop == ("a", "7")
    assert config.export == ("sft", "reward")
    assert config.judge.chat_template_kwargs == {"enable_thinking": False}
    assert config.judge.prefill == "A=B"
    assert config.pairs == PairsConfig(min_margin=1.0)
    assert isinstance(config.pairs.min_margin, float)
    assert config.prompts is not None
    assert config.prompts.column == ""
    assert config.revise == ReviseConfig(2)


def test_overrides_reach_one_policy_of_several(folder: Path) -> None:
    text = GOOD.replace("policy: {model: org/policy, samples: 3}", "policy: [{model: a}, {model: b}]")
    assert [policy.samples for policy in read(folder, text, "policy.1.samples=2").policy] == [4, 2]
    (problem,) = refused(folder, text, "policy.samples=2")
    assert "there are 2 of them: say which, by number from 0" in problem
    config = read(folder, GOOD, "policy=null", "prompts=null", f"samples.path={folder}/prompts.jsonl")
    assert config.policy == ()
    assert config.samples is not None


@pytest.mark.parametrize("word", ["seed", "=3", ".seed=3", "seed..x=3", "judge.model.x.y=3", "policy.7.samples=3"])
def test_overrides_that_lead_nowhere(folder: Path, word: str) -> None:
    text = GOOD.replace("policy: {model: org/policy, samples: 3}", "policy: [{model: a}, {model: b}]")
    assert any(problem.startswith(f"--set {word}") for problem in refused(folder, text, word))


def test_flags_make_a_configuration_too(folder: Path) -> None:
    values: dict[str, Json] = {
        "name": "quick", "principles": "honesty", "prompts": {"path": str(folder / "prompts.jsonl")},
        "policy": {"model": "m"}, "judge": {"model": "j"},
    }  # fmt: skip
    assert make_config(values, RunConfig, ["judge.min_label_mass=0.25"]).judge.min_label_mass == 0.25
    with pytest.raises(InvalidInput, match="the command line cannot be used") as caught:
        make_config({**values, "judge": {"model": "j", "modle": 1}}, RunConfig)
    assert str(caught.value.problems[0]).startswith("judge.modle: unknown key")


ODD = [
    "no",
    "null",
    "~",
    "1e-5",
    "12:30",
    "2026-01-01",
    "#x",
    " lead",
    "tail ",
    "a: b",
    "- x",
    "{",
    "'\"",
    "é🙂",
    "\t",
    "x\ny\n",
    "",
]


@pytest.mark.parametrize(
    "text", [*ODD, "\x00\x07", "\u2028", "0x10", "1_000", "true", "%x", "@y", "&a", "*b", "!t", "<<"]
)
def test_what_is_written_reads_back_equal(folder: Path, text: str) -> None:
    config = read(folder, GOOD, "critique=all")
    odd = RunConfig(
        config.name, config.principles, JudgeConfig("m", prefill=text, options={f"k{text}": [text, {"k": text}], "n": 1e-5}),
        policy=(PolicyConfig("m", system=text, stop=(text, text)),), prompts=PromptsConfig(dataset="a/b", column=text),
    )  # fmt: skip
    (folder / "again.yaml").write_text(to_yaml(odd))
    assert load_config(folder / "again.yaml", RunConfig) == odd


def test_as_json_holds_every_field_as_plain_values(folder: Path) -> None:
    values: Any = as_json(read(folder))
    assert values["policy"][0]["samples"] == 3
    kept = {"select": "best-vs-worst", "min_margin": 0.0, "keep_ties": False}
    assert values["pairs"] == {**kept, "min_agreement": None, "confidence": 0.9}
    assert values["revise"] is None


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Base:
    size: Annotated[int, AtLeast(1)] = 1


@dataclass(frozen=True, kw_only=True)
class Child(Base):
    colour: Colour = Colour.RED
    share: float | str = 0.5
    table: Mapping[str, int] = field(default_factory=dict)
    nested: Base | None = None
    files: tuple[InputPath, ...] = ()
    model: ModelRef | None = None


def test_any_dataclass_will_do(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        "colour: blue\nshare: all\nnested: {size: 2}\nfiles: [run.yaml, prompts.jsonl]\nmodel: org/m\n"
    )
    made = load_config(folder / "c.yaml", Child, ["size=3", "table.a=1"])
    files = (str(folder / "run.yaml"), str(folder / "prompts.jsonl"))
    assert made == Child(
        size=3, colour=Colour.BLUE, share="all", table={"a": 1}, nested=Base(size=2), files=files, model="org/m"
    )
    with pytest.raises(InvalidInput) as caught:
        make_config({"colour": "bleu", "nested": {"size": 0}, "share": []}, Child)
    assert [str(problem).split(":")[0] for problem in caught.value.problems] == ["colour", "nested.size", "share"]


def test_the_export_formats_are_the_exporters() -> None:
    export = pytest.importorskip("generate.export")
    from tenet.judgeconfig import ENGINES, JUDGE_KINDS, NOT_ABOUT_PAIRS
    from tenet.runconfig import EXPORT_FORMATS

    assert set(EXPORT_FORMATS) == set(export.EXPORTERS)
    registry = pytest.importorskip("engines.registry")
    assert set(ENGINES) == set(registry.ENGINES)
    judges = pytest.importorskip("judges.registry")
    assert {*JUDGE_KINDS} == {*judges.JUDGES, *judges.PROMPT_JUDGES, "panel"}
    assert set(judges.PROMPT_JUDGES) == NOT_ABOUT_PAIRS


def test_a_wrong_kind_of_value_is_told_with_what_to_write(folder: Path) -> None:
    assert refused(folder, GOOD, "policy.samples=many") == [
        "--set policy.samples=many: expected a whole number, found the text 'many'\n  write a whole number, such as 3"
    ]
    (said,) = refused(folder, GOOD, "prompts.path=-")
    assert said.startswith("--set prompts.path=-: there is no ")
    assert said.endswith("standard input is not read: write it to a file, and name that")
