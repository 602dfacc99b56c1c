"""A pipeline file: every mistake at its line, before anything starts; the order of stages; rounds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenet.errors import InvalidInput, MissingInput, TenetError
from tenet.pipeline.config import load_pipeline
from tenet.pipeline.order import ordered, require_inputs, selected
from tenet.pipeline.stages import Stage, stages_of
from tests.tenet.pipeline.world import ROOT, write

ROUNDS = """\
name: iterated
rounds: 3
variables:
  base: model
  policy: ${folder}/${previous}/dpo
first:
  policy: ${base}
stages:
  - name: draw
    run: tenet sample run.yaml --policy ${policy} --runs ${folder} --name run-${round}
    makes: ${folder}/run-${round}
    repeat: true
  - name: dpo
    run: tenet train dpo --model ${policy} --data ${folder}/run-${round} --out ${folder}/${round}/dpo
    makes: ${folder}/${round}/dpo
    repeat: true
  - name: measure
    run: [tenet, evaluate, "${base}", "${folder}/${rounds}/dpo", --prompts, p.txt, --oracle, pocket]
"""


def read(folder: Path, text: str, *overrides: str) -> tuple[Stage, ...]:
    file = load_pipeline(write(folder / "p.yaml", text), overrides)
    return ordered(file, stages_of(file))


def refused(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(TenetError) as caught:
        read(folder, text, *overrides)
    return str(caught.value)


def test_rounds_are_written_out_one_after_the_other(tmp_path: Path) -> None:
    stages = read(tmp_path, ROUNDS)
    assert [stage.name for stage in stages] == ["draw.1", "dpo.1", "draw.2", "dpo.2", "draw.3", "dpo.3", "measure"]
    assert stages[0].command == "tenet sample run.yaml --policy model --runs runs/iterated --name run-1"
    assert stages[-1].words[2] == "runs/iterated/3/dpo"
    assert len(read(tmp_path, ROUNDS, "rounds=1")) == 3


def test_a_stage_needs_what_its_command_names_and_another_makes(tmp_path: Path) -> None:
    needs = {stage.name: stage.needs for stage in read(tmp_path, ROUNDS, "rounds=2")}
    assert needs == {
        "draw.1": (),  # in the first round the policy is the base, which no stage makes
        "dpo.1": ("runs/iterated/run-1",),
        "draw.2": ("runs/iterated/1/dpo",),
        "dpo.2": ("runs/iterated/1/dpo", "runs/iterated/run-2"),
        "measure": ("runs/iterated/2/dpo",),
    }


def test_stages_stand_in_the_order_of_what_they_need(folder: Path) -> None:
    file = load_pipeline(folder / "people.yaml")
    stages = ordered(file, stages_of(file))
    assert [stage.name for stage in stages] == ["labels", "table"]
    assert selected(stages, "table", None) == stages[1:]
    assert selected(stages, None, "labels") == stages[:1]
    with pytest.raises(TenetError, match='did you mean "table"'):
        selected(stages, "tabel", None)
    with pytest.raises(TenetError, match="exclude each other"):
        selected(stages, "table", "labels")


def test_a_value_with_spaces_stays_one_word_and_is_no_code(folder: Path) -> None:
    file = load_pipeline(folder / "people.yaml", ["data=my votes; rm -rf $$HOME.csv"])
    assert stages_of(file)[1].words[2] == "my votes; rm -rf $HOME.csv"


def test_an_override_keeps_its_text(folder: Path) -> None:
    file = load_pipeline(folder / "people.yaml", ["data=1.10", "folder=elsewhere"])
    assert stages_of(file)[1].words == ("labels", "import", "1.10", "--to", "elsewhere/labels.jsonl")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("run: tenet labels import", "run: tenet labels imprt", "p.yaml:12:5: labels: tenet labels has no command imprt\n  did you mean"),
        ("run: tenet labels import", "run: tenet label import", 'labels: tenet has no command label\n  did you mean "labels"?'),
        ("run: tenet labels import", "run: rm", "p.yaml:12:5: labels: a stage runs a command of Tenet's"),
        ("run: tenet labels import", "run: tenet pipeline", "labels: a pipeline cannot run a pipeline"),
        ("run: tenet labels import ${data} --to", "run: tenet labels import ${data} --too", "has no option --too\n  did you mean --to?"),
        ("run: tenet labels import ${data}", "run: tenet labels import --to x ${data} ${data}", "unexpected extra argument"),
        ("run: tenet labels import", "run: tenet labels 'import", "labels: no command line: No closing quotation"),
        ("tenet labels import ${data}", "tenet labels import ${dota}", 'labels: there is no variable dota here\n  did you mean "data"?'),
        ("${form}", "tables", "table: tenet labels export: Invalid value for '--to'"),
        ("needs: ${data}", "needs: ${folder}/labels.jsonl", "p.yaml:13:5: labels needs what it makes itself"),
        ("needs: ${data}", "needs: ${folder}/table", "p.yaml:9:5: stages that need each other"),
        ("makes: ${folder}/labels.jsonl", "makes: ${folder}/table", "is made by table already"),
        ("name: labels", "name: table", 'there is a stage "table" already'),
        ("  data: votes.csv", "  data:", "p.yaml:4:3: data has no value\n  give it: --set data=VALUE"),
        ("  data: votes.csv", "  data: [a]", "p.yaml:4:3: variables.data: expected a text or a number"),
        ("  data: votes.csv", "  round: 3\n  data: x", "variables.round: no name for a variable"),
        ("needs: ${data}", "need: ${data}", 'stages.1.need: unknown key\n  did you mean "needs"?'),
        ("folder: work", "rounds: 0", "rounds: must be at least 1"),
        ("variables:", "first: {dat: x}\nvariables:", 'first.dat: no such variable\n  did you mean "data"?'),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_their_line(folder: Path, before: str, after: str, told: str) -> None:
    text = (folder / "people.yaml").read_text(encoding="utf-8")
    assert before in text
    assert told in refused(folder, text.replace(before, after, 1))


def test_unknown_variables_on_the_command_line(folder: Path) -> None:
    text = (folder / "people.yaml").read_text(encoding="utf-8")
    assert 'no such variable\n  did you mean "data"?' in refused(folder, text, "dota=x")
    assert "there is no value in it" in refused(folder, text, "data")


def test_a_missing_input_is_told_before_anything_starts(folder: Path) -> None:
    (folder / "votes.csv").rename(folder / "votess.csv")
    file = load_pipeline(folder / "people.yaml")
    stages = ordered(file, stages_of(file))
    with pytest.raises(MissingInput) as caught:
        require_inputs(file, stages, stages)
    assert 'people.yaml:13:5: labels: there is no votes.csv\n  did you mean "votess.csv"?' in str(caught.value)
    with pytest.raises(MissingInput, match="labels makes it: run that too"):
        require_inputs(file, stages, stages[1:])


def test_a_file_that_a_command_names_may_still_have_to_be_made(tmp_path: Path) -> None:
    run = "tenet report runs/x --evaluation runs/x/evaluation.json"
    (stage,) = read(tmp_path, f"name: x\nstages:\n  - name: report\n    run: {run}\n")
    assert stage.command == run


PIPELINES = sorted(file for file in (ROOT / "examples").glob("*.yaml") if not file.stem.startswith("blend-"))


@pytest.mark.parametrize("file", PIPELINES, ids=lambda path: path.stem)
def test_the_examples_can_be_used(file: Path) -> None:
    given = {"iterated-dpo": ["prompts=p.jsonl", "held_out=h.jsonl"]}.get(file.stem, ["data=pairs.jsonl"])
    read_file = load_pipeline(file, given)
    stages = ordered(read_file, stages_of(read_file))
    assert len(stages) >= len(read_file.config.stages)
    assert all(stage.makes for stage in stages)


def test_the_file_in_the_guide_can_be_used(tmp_path: Path) -> None:
    (block,) = re.findall(
        r'```yaml title="tuned.yaml"\n(.*?)```', (ROOT / "docs/pipeline.md").read_text("utf-8"), re.DOTALL
    )
    assert [stage.name for stage in read(tmp_path, block, "data=votes.csv")] == ["dataset", "reward"]


def test_a_file_that_is_no_yaml_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        load_pipeline(tmp_path / "none.yaml")
    with pytest.raises(InvalidInput, match="stages: is missing"):
        load_pipeline(write(tmp_path / "p.yaml", "name: x\n"))
    with pytest.raises(InvalidInput, match="there is no stage"):
        load_pipeline(write(tmp_path / "p.yaml", "name: x\nstages: []\n"))
