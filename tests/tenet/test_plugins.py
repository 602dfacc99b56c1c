"""Plug-ins of other packages: found, used, refused by name, and held to what their kinds promise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from engines.registry import create_engine, engine_named
from generate.export import exporter_named
from judges.formats.registry import choose, named
from judges.registry import judge_named
from tenet.cli import cli
from tenet.config import make_config
from tenet.errors import InvalidInput, PluginBroken, UsageError
from tenet.judgeconfig import JudgeConfig
from tenet.plugins import Kind, find, installed, names
from tenet.plugins.check import check_engine, check_exporter, check_importer, check_judge, check_trainer
from tenet.plugins.cli import LOOKUPS
from tenet.reading.rows import open_rows

ROOT = Path(__file__).parents[2]
Install = Callable[..., None]
TRAINER = """
from dataclasses import dataclass
from typing import ClassVar
from train.config import DpoConfig
from train.dpo import train_dpo
from train.plugin import Trainer

@dataclass(frozen=True, kw_only=True)
class MineConfig(DpoConfig):
    TRAINER: ClassVar[str] = "mine"
    twist: float = 0.5

TRAINER = Trainer("A policy by DPO, with a twist.", MineConfig, train_dpo)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a distribution on the path, as pip would: its metadata with entry points, and one module."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(package: str, points: Mapping[str, Mapping[str, str]], code: str, version: str = "1.2") -> None:
        info = site / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [
            f"[tenet.{kind}]\n" + "\n".join(f"{name} = {where}" for name, where in one.items())
            for kind, one in points.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        (site / f"{package}.py").write_text(code)
        monkeypatch.delitem(sys.modules, package, raising=False)

    return put


def test_every_kind_is_looked_up_by_a_function_that_is_there(install: Install) -> None:
    assert set(LOOKUPS) == set(Kind)
    install("nothing_much", {kind.value: {f"odd-{kind}": "nothing_much:WHAT"} for kind in Kind}, "WHAT = 7\n")
    done = CliRunner().invoke(cli, ["plugins", "list", "--json"])
    told = [one for one in json.loads(done.stdout) if one["package"] == "nothing_much"]
    assert [(one["kind"], one["name"], one["version"], one["works"]) for one in told] == [
        (kind.value, f"odd-{kind}", "1.2", False) for kind in Kind
    ]
    for one in told:
        assert "a plug-in of nothing_much 1.2 that cannot be used: nothing_much:WHAT is no" in one["problem"]
        assert "pip uninstall nothing_much" in one["problem"]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import not_there_at_all", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError: invalid syntax"),
        ("", "AttributeError: module 'broken_one' has no attribute 'IT'"),
    ],
)
def test_a_plugin_that_cannot_be_imported_says_why_and_is_in_nobody_elses_way(
    install: Install, code: str, cause: str
) -> None:
    install("broken_one", {"judges": {"broken": "broken_one:IT"}, "exporters": {"broken": "broken_one:IT"}}, code)
    assert "broken" in names(Kind.JUDGES)
    with pytest.raises(PluginBroken) as caught:
        exporter_named("broken")
    assert caught.value.exit_code == 3
    assert "broken, of tenet.exporters, is a plug-in of broken_one 1.2 that cannot be used" in str(caught.value)
    assert cause in str(caught.value)
    with pytest.raises(PluginBroken):
        make_config({"model": "m", "kind": "broken"}, JudgeConfig)
    assert exporter_named("sft").name == "sft"
    assert make_config({"model": "m"}, JudgeConfig).kind == "pairwise"
    listed = CliRunner().invoke(cli, ["plugins", "list"])
    assert listed.exit_code == 0
    assert cause in listed.stderr


def test_a_name_that_two_claim_is_an_error_that_names_both(install: Install) -> None:
    install("first_one", {"exporters": {"twice": "first_one:IT", "sft": "first_one:IT"}}, "")
    install("second_one", {"exporters": {"twice": "second_one:IT"}}, "", "3.4")
    with pytest.raises(UsageError, match=r'the name "twice" is claimed by first_one 1.2 and by second_one 3.4'):
        exporter_named("twice")
    with pytest.raises(
        UsageError, match=r'tenet.exporters: the name "sft" is claimed by Tenet itself and by first_one 1.2'
    ):
        exporter_named("sft")
    assert exporter_named("reward").name == "reward"
    assert find(Kind.EXPORTERS, "reward", ["reward"]) is None


def test_unknown_names_are_told_with_those_of_plugins(install: Install) -> None:
    install("more", {kind.value: {f"more-{kind}": "more:IT"} for kind in Kind}, "")
    with pytest.raises(InvalidInput, match=r'"more-judgess" is none of|did you mean "more-judges"'):
        make_config({"model": "m", "kind": "more-judgess"}, JudgeConfig)
    for look, kind in (
        (exporter_named, "exporters"),
        (named, "importers"),
        (engine_named, "engines"),
        (judge_named, "judges"),
    ):
        with pytest.raises(UsageError, match=f"more-{kind}"):
            look("nothing")


def test_nothing_is_imported_before_it_is_asked_for(install: Install) -> None:
    install("watched", {"exporters": {"watched": "watched:IT"}, "trainers": {"watched": "watched:IT"}}, "IT = 1")
    assert [str(one) for one in installed(Kind.EXPORTERS) if one.name == "watched"] == ["watched 1.2"]
    done = CliRunner().invoke(cli, ["train", "--help"])
    assert "Train by watched, which a plug-in brings" in done.stdout
    assert "watched" not in sys.modules


def test_settings_are_only_for_kinds_of_plugins() -> None:
    with pytest.raises(InvalidInput, match="settings: a judge of kind pairwise has none"):
        make_config({"model": "m", "settings": {"a": 1}}, JudgeConfig)


def test_a_broken_importer_is_told_only_where_it_might_have_helped(install: Install, tmp_path: Path) -> None:
    install("sorry", {"importers": {"sorry": "sorry:IT"}}, "import not_there_at_all")
    ours = tmp_path / "ours.jsonl"
    ours.write_text('{"prompt": "p", "response_a": "a", "response_b": "b", "preference": "a"}\n')
    assert choose(open_rows(ours)).name == "tenet"
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_text('{"nobody": 1, "knows": 2}\n')
    with pytest.raises(PluginBroken, match="sorry, of tenet"):
        choose(open_rows(theirs))


def test_an_engine_of_a_plugin_is_started_and_checked(install: Install) -> None:
    code = (
        "from dataclasses import replace\nfrom engines.scripted import ScriptedEngine\n\n"
        "class Mine(ScriptedEngine):\n    @property\n    def info(self):\n        return replace(super().info, engine={name!r})\n"
    )
    install("engine_pack", {"engines": {"mine": "engine_pack:Mine"}}, code.format(name="mine"))
    assert create_engine("mine", "hash", options={"noise": 1.0}).info.engine == "mine"
    assert make_config({"model": "m", "engine": "mine"}, JudgeConfig).engine == "mine"
    check_engine("mine", "hash")
    install("engine_two", {"engines": {"other": "engine_two:Mine"}}, code.format(name="mine"))
    with pytest.raises(PluginBroken, match=r"info\.engine is 'mine'"):
        check_engine("other", "hash")


def test_a_trainer_of_a_plugin_has_its_own_keys_and_its_own_command(install: Install, tmp_path: Path) -> None:
    install("trainer_pack", {"trainers": {"mine": "trainer_pack:TRAINER"}}, TRAINER)
    from pocket import POLICY_PATH

    rows = [
        {"prompt": f"Question {n}?", "chosen": "Gladly: yes.", "rejected": "No.", "p_chosen": 0.8, "prompt_id": f"p{n}"}
        for n in range(20)
    ]
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    check_trainer("mine", str(POLICY_PATH), str(data), tmp_path / "out")
    record = json.loads((tmp_path / "out/train.json").read_text())
    assert record["identity"]["trainer"] == "mine"
    assert record["config"]["twist"] == 0.5
    refused = CliRunner().invoke(
        cli,
        ["train", "mine", "--model", str(POLICY_PATH), "--data", str(data), "--set", "twost=1"],
        standalone_mode=False,
    )
    assert isinstance(refused.exception, InvalidInput)
    assert 'did you mean "twist"' in str(refused.exception)


def test_the_checks_find_what_is_wrong(install: Install, tmp_path: Path) -> None:
    install(
        "careless",
        {
            "judges": {"flat": "careless:FLAT"},
            "importers": {"loose": "careless:LOOSE"},
            "exporters": {"odd": "careless:ODD"},
        },
        """
from dataclasses import dataclass, replace
from judges.formats.base import Format
from judges.pairwise import PairwiseJudge
from judges.plugin import JudgeKind, NoSettings
from generate.export.columns import Column, Kind, PROMPT_ID

class Flat(PairwiseJudge):
    kind = "flat"
    def judge(self, asks):
        return [replace(one, p_first=0.25) for one in super().judge(asks)]

FLAT = JudgeKind(NoSettings, lambda engine, file, config, seed, settings: Flat(engine, file, config.principles, seed=seed))

def read(source):
    for row in source.rows:
        yield row.place, row.value["text"]

LOOSE = Format("loose", "", lambda columns: False, read)

class Odd:
    name = "odd"
    summary = "Rows that are not what the columns say."
    def columns(self, source):
        return (Column("text", Kind.TEXT, "A text."), PROMPT_ID)
    def rows(self, source, left_out):
        for row in source.pairs():
            yield {"prompt_id": row.prompt.id, "words": 3}

ODD = Odd()
""",
    )
    with pytest.raises(PluginBroken) as judge:
        check_judge("flat")
    for told in (
        "under() makes another judge",
        "p_first is 0.25 and the outcome FIRST",
        "a request that failed became an opinion",
    ):
        assert told in str(judge.value)
    sample = tmp_path / "sample.jsonl"
    sample.write_text('{"text": "a"}\n')
    with pytest.raises(PluginBroken) as importer:
        check_importer("loose", sample)
    assert "its summary is empty" in str(importer.value)
    assert "without --format, the sample file is read as tenet" in str(importer.value)
    assert "the sample file does not read: AttributeError" in str(importer.value)
    assert "reading raises TypeError" in str(importer.value)
    with pytest.raises(PluginBroken, match="rows and columns differ in text, words"):
        check_exporter("odd")
    with pytest.raises(UsageError, match="no plug-in adds"):
        check_exporter("sft")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The example package, built and installed by pip into a folder of its own; `run` runs Python with it on the path."""
    pytest.importorskip("setuptools", reason="the example is built by setuptools")
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "examples/plugin", folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    made = subprocess.run(
        [*pip, "--target", str(folder / "site"), str(folder / "source")], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}"}
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True
        )

    return SimpleNamespace(folder=folder, run=run)


def test_the_example_adds_a_judge_an_importer_and_an_exporter(example: SimpleNamespace) -> None:
    listed = example.run("tenet", "plugins", "list", "--json")
    told = [(one["kind"], one["name"], one["version"], one["works"]) for one in json.loads(listed.stdout)]
    assert ("judges", "length-fair", "0.1.0", True) in told
    assert ("importers", "duels", "0.1.0", True) in told
    assert ("exporters", "plain-pairs", "0.1.0", True) in told

    rows = [{"prompt": f"Question {n}?", "responses": ["short", "much longer " * (2 + n)]} for n in range(12)]
    (example.folder / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (example.folder / "run.yaml").write_text(
        "name: fair\nprinciples: helpfulness\nsamples: {path: samples.jsonl}\ncritique: none\nexport: [plain-pairs]\n"
        "judge: {engine: scripted, model: longer, kind: length-fair, settings: {per_doubling: 50}}\n"
    )
    done = example.run("tenet", "generate", "run.yaml")
    assert done.returncode == 0, done.stderr
    import pyarrow.dataset as ds

    found = ds.dataset(example.folder / "runs/fair/dataset/plain-pairs").to_table().to_pylist()
    assert len(found) == 12
    assert {row["good"] for row in found} == {"short"}  # a judge by length, held to much less than length
    identity = json.loads((example.folder / "runs/fair/run.json").read_text())
    assert '"length-fair"' in json.dumps(identity)
    told = identity["fingerprint"]["informational"]["plugins"]
    assert told == {"judges.length-fair": "tenet-example-plugin 0.1.0"}
    (metadata,) = (example.folder / "site").glob("*.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("Version: 0.1.0", "Version: 0.2.0"))
    again = example.run("tenet", "generate", "run.yaml")
    metadata.write_text(metadata.read_text().replace("Version: 0.2.0", "Version: 0.1.0"))
    assert again.returncode == 0, again.stderr
    newer = "plugins.judges.length-fair: tenet-example-plugin 0.1.0 -> tenet-example-plugin 0.2.0"
    assert f"note: this run was begun with another {newer}" in again.stderr

    duels = str(ROOT / "examples/plugin/tests/duels.jsonl")
    imported = example.run("tenet", "verdicts", "import", duels, "--to", "runs/told")
    assert imported.returncode == 0, imported.stderr
    told = json.loads((example.folder / "runs/told/run.json").read_text())["fingerprint"]["informational"]["plugins"]
    assert told == {"importers.duels": "tenet-example-plugin 0.1.0"}

    labelled = example.run(
        "tenet", "labels", "import", str(ROOT / "examples/plugin/tests/duels.jsonl"), "--to", "labels.jsonl"
    )
    assert labelled.returncode == 0, labelled.stderr
    assert "duels.jsonl is read as duels" in labelled.stderr
    assert len((example.folder / "labels.jsonl").read_text().splitlines()) == 3


def test_the_examples_own_tests_pass(example: SimpleNamespace) -> None:
    tests = example.folder / "source/tests"
    done = example.run("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests), "-c", os.devnull, str(tests))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
