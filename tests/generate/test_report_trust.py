"""Whether the data may be used: the verdict, the command of each finding, what trainings and odd runs come to, plan beside spent."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from generate.context import PREFERENCES, Step
from generate.pipeline import Order, generate
from generate.report import notices
from generate.report.costs import plan_rows, total_of
from generate.report.data import gather
from generate.report.evaluations import curve_of
from generate.report.facts import model_name
from generate.report.findings import Findings
from generate.report.headline import trained_verdict, verdict
from generate.report.learnt import training_folders
from generate.report.model import (
    AuditRow,
    CardRow,
    CostRow,
    Curve,
    Evaluation,
    JudgeCard,
    Level,
    Notice,
    Rate,
    ReportData,
    Series,
    Training,
)
from generate.report.opinions import Labels
from generate.report.plots import lines
from generate.report.render import render
from tenet.cli import cli
from tenet.config import load_config
from tenet.ids import Json
from tenet.records import Judgement, Outcome, Preference, PreferencePair
from tenet.runconfig import RunConfig
from tenet.runs import Row, Run
from tests.generate.report_example import example_data
from tests.generate.report_run import make_run, prompts, samples_of
from tests.generate.runs_example import quiet, write_run
from tests.generate.test_report_evaluations import curve

SERIOUS, CAUTION, NOTE = (Notice(level, level.value, "") for level in Level)


@pytest.mark.parametrize(
    ("found", "pairs", "title"),
    [
        ((), 900, "No warnings"),
        ((NOTE,), 900, "No warnings"),
        ((CAUTION, NOTE), 900, "Usable with care"),
        ((SERIOUS, CAUTION), 900, "Do not train on this data yet"),
        ((SERIOUS,), 0, "There is nothing to train on yet"),
        ((replace(SERIOUS, policy=True), CAUTION), 900, "Do not use the trained policy as it is"),
        ((replace(CAUTION, policy=True),), 900, "No warnings about the data"),
    ],
)
def test_the_worst_finding_about_the_data_decides(found: tuple[Notice, ...], pairs: int, title: str) -> None:
    assert verdict(found, pairs).title == title


def test_the_verdict_counts_what_it_stands_on() -> None:
    assert verdict((SERIOUS, CAUTION, CAUTION), 9).body.startswith(
        "1 serious finding and 2 cautionary findings about the data stand below."
    )
    assert "1 cautionary finding about the data stands below." in verdict((CAUTION,), 9).body
    trained = replace(CAUTION, policy=True)
    for notices_, words in (
        ((trained,), "1 cautionary finding about what was trained stands"),
        ((CAUTION, trained, trained), "2 cautionary findings about what was trained stand"),
    ):
        assert f"{words} below." in verdict(notices_, 900).body
    assert "stand" not in verdict((), 900).body
    assert trained_verdict((CAUTION,), measured=True).title == "Measured, with reservations"
    assert trained_verdict((CAUTION,), measured=False).title == "Not shown to be better yet"
    assert trained_verdict((), measured=True).level is None


def test_the_page_tells_no_place_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    project = home / "work" / "support"
    project.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    path = make_run(project)
    (path / "run.yaml").write_text(f"principles: {project}/manners.yaml\nprompts: {home}/data/asked.jsonl\n")
    for here, file in ((project, "manners.yaml"), (project.parent, "support/manners.yaml")):
        monkeypatch.chdir(here)
        page = render(gather(path))
        assert str(home) not in page
        assert f"principles: {file}\nprompts: ~/data/asked.jsonl" in page
    assert model_name("/usr/lib/python/pocket/models/judge") == "pocket/judge"
    assert model_name("/srv/models/large/judge") == "models/large/judge"


def everything() -> Findings:
    """Findings of which as many rules as can be have something to say."""
    data, low = example_data(), Rate(0.3, 0.2, 0.4, 900)
    assert data.positions is not None
    assert data.label_mass is not None
    rows = (
        CardRow("cohen_kappa", "Cohen kappa", "", "0.1", low=-0.1, high=0.3),
        CardRow("accuracy_without_ties", "", "", "60 %", "50 % to 70 %", low=0.5, high=0.7),
        CardRow("human_ceiling", "", "", "90 %", "80 % to 95 %", low=0.8, high=0.95),
    )
    weak = replace(data.principles[0], questions=500, decided=low)
    return Findings(
        prompts=30, pairs=25, calls=900, failed=700, compared=100, owed=3, resume="tenet generate run.yaml", votes=5, cut=500,
        positions=replace(data.positions, consistency=low), label_mass=replace(data.label_mass, lowest_tenth=0.1),
        principles=(weak, replace(weak, id="silent", asked=0)), principles_lost="gone", folder="runs/my run",
        file="principles/a file.yaml",
        cards=(JudgeCard("one", rows[:1], labelled=60), JudgeCard("two", rows[1:], labelled=60)),
        audits=(AuditRow("injection", "", "40 %", "", "at most 10 %", "fails", ""),),
        uncarried=True, trainings=(Training("Policy by DPO", "dpo", (), ()), Training("Policy by PPO", "ppo", (), (), False),
                                  Training("Reward model", "reward", (), (), accuracy=0.4)),
    )  # fmt: skip


def fired() -> list[Notice]:
    """What every rule says, at least once each where it can."""
    found = everything()
    own = Evaluation("base", "trained", 9, (), Rate(0.7, 0.6, 0.8, 9), "judge", self_judged=True)
    views = (curve_of(curve(marked=True)), replace(curve_of(curve(marked=False)), because=("it made the labels",)))
    others = (
        replace(found, evaluation=own, curves=views), replace(found, calls=0, pairs=0), replace(found, pairs=0, owed=0),
        replace(found, cards=(), people=Labels(9, 3, ())), replace(found, cards=()),
    )  # fmt: skip
    return [notice for one in (found, *others) for notice in notices.notices(one)]


def test_every_finding_that_warns_has_a_command_that_the_program_knows() -> None:
    found = fired()
    assert len({one.title for one in found}) > 20
    assert [one.title for one in found if one.level is not Level.NOTE and not one.command] == []
    for words in sorted({one.command for one in found if one.command}):
        parse(shlex.split(words))


def parse(words: list[str]) -> None:
    """Have click read a command line, without carrying it out."""
    assert words[0] == "tenet"
    rest, command = words[1:], cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, words
        command, rest, context = found, rest[1:], click.Context(found, parent=context)  # type: ignore[assignment]
    known = {name for one in command.params for name in one.opts}
    assert {word for word in rest if word.startswith("--")} <= known, words


def scripted(
    folder: Path, prompts: int, judge: str = "", more: str = "", steps: frozenset[Step] = frozenset(Step)
) -> ReportData:
    """The report of a run on the scripted engine; one that was stopped by its failures too."""
    file = write_run(folder, prompts=prompts, more=more)
    file.write_text(file.read_text().replace("longer, options: {", f"longer, options: {{{judge}"))
    order = Order(load_config(file, RunConfig), folder / "runs" / "run", "tenet generate run.yaml", steps)
    with generate(order, quiet()) as run:
        return gather(run.path)


def test_a_tiny_run_is_no_data_to_train_on(tmp_path: Path) -> None:
    data = scripted(tmp_path, 4)
    assert data.verdict.title == "Do not train on this data yet"
    assert "Few pairs" in {one.title for one in data.notices}
    sound(render(data))


def test_a_run_of_which_only_the_responses_are_drawn(tmp_path: Path) -> None:
    data = scripted(tmp_path, 12, steps=frozenset({Step.SAMPLES}))
    assert data.verdict.title == "There is nothing to train on yet"
    assert data.tiles == ()
    page = sound(render(data))
    assert "Not reached." in page
    assert 'id="verdicts"' not in page


def test_a_run_in_which_every_verdict_failed(tmp_path: Path) -> None:
    path = make_run(tmp_path, judged=False)
    with Run.read(path) as held:
        config, marks = held.config, held.fingerprint
    with Run.open(path, config, marks, command="tenet generate run.yaml") as run:
        failed = []
        for prompt in prompts(20):
            first, second, *_ = samples_of(prompt)
            for a, b in ((first, second), (second, first)):
                failed.append(
                    Judgement(
                        f"{a.id}{b.index}",
                        prompt.id,
                        a.id,
                        b.id,
                        "judge",
                        Outcome.ERROR,
                        None,
                        None,
                        "kind",
                        reason="x",
                    )
                )
        for name, kind, rows in (
            (Step.JUDGEMENTS, Judgement, failed), (PREFERENCES, Preference, []), (Step.PAIRS, PreferencePair, []),
        ):  # fmt: skip
            stage = run.stage(name, kind)
            stage.put(0, [Row(one.id, one, ok=False) for one in rows])
            stage.publish(0)
    data = gather(path)
    titles = [one.title for one in data.notices if one.level is Level.SERIOUS]
    assert titles == ["No preference pairs", "Many calls without an opinion"]
    page = sound(render(data))
    assert "40 of 40 judge calls" in page
    assert '<td>error</td><td class="r">40</td>' in page
    assert "No pair has an opinion" in page


def sound(page: str) -> str:
    """A page without figures of nothing."""
    words = page.split("</style>")[1].lower()
    assert ">nan" not in words
    assert "0 of 0" not in words
    assert "none</" not in words
    return page


def test_trainings_on_the_run_are_found_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_run(tmp_path)
    monkeypatch.chdir(tmp_path)

    def trained(name: str, data: Path) -> Path:
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        record = {"status": "finished", "method": "dpo", "config": {"data": str(data)}}
        (folder / "train.json").write_text(json.dumps(record))
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 0.7}\n{"step": 2, "loss": 0.5}\n')
        return folder

    mine = [trained("blend", path / "blends" / "routed"), trained("whole", path)]
    for name, data in (("other", tmp_path / "runs" / "other"), ("sft.before-1", path)):
        trained(name, data)
    (trained("broken", path) / "train.json").write_text("{")
    assert list(training_folders(path)) == mine
    found = gather(path)
    assert [one.name for one in found.trainings] == ["blend", "whole"]
    assert "The trained policy was not measured" in {one.title for one in found.notices}
    done = CliRunner().invoke(cli, ["report", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    page = (path / "report.html").read_text(encoding="utf-8")
    assert page.count('<td class="r">0.7</td>') == 2


def test_a_line_that_ends_before_the_others_says_where() -> None:
    longer, shorter = Series("training", ((1.0, 0.5), (5.0, 0.9))), Series("held out", ((1.0, 0.6), (4.0, 0.733)))
    drawn = lines(Curve("Agreement", "", (longer, shorter)))
    assert drawn is not None
    assert [(path.last, path.when) for path in drawn.paths] == [("0.9", "at the end"), ("0.733", "at step 4, its last")]


def test_a_log_of_one_line_is_told_in_words(tmp_path: Path) -> None:
    data = example_data()
    once = replace(
        data.trainings[0].curves[0], series=(replace(data.trainings[0].curves[0].series[0], points=((3.0, 0.25),)),)
    )
    page = render(replace(data, trainings=(replace(data.trainings[0], curves=(once,)),)))
    training = page[page.index('id="training"') : page.index("</section>", page.index('id="training"'))]
    assert "<svg" not in training
    assert "<dt>Loss, training</dt><dd>0.25</dd>" in training


def test_plan_stands_beside_what_happened(tmp_path: Path) -> None:
    more = "prices: {judge: {prompt: 0.2, completion: 0.6}, policy: {prompt: 0.1, completion: 0.4}, currency: EUR}\n"
    data = scripted(tmp_path, 6, more=more)
    assert data.currency == "EUR"
    told = {(row.stage, row.quantity): (row.planned, row.happened) for row in data.plans}
    assert told["Sampling", "calls"] == ("18", "18")
    assert told["Judging", "calls"][1] == "36"
    assert told["Sampling", "price"][1].endswith(" EUR")
    sampling = next(row for row in data.costs if row.stage == "Sampling")
    assert sampling.price == pytest.approx(
        (0.1 * (sampling.prompt_tokens or 0) + 0.4 * (sampling.completion_tokens or 0)) / 1e6
    )
    # A command that asks nothing keeps what was planned and spent.
    order = Order(
        load_config(tmp_path / "run.yaml", RunConfig),
        tmp_path / "runs" / "run",
        "tenet pairs run.yaml",
        frozenset({Step.PAIRS}),
    )
    with generate(order, quiet()) as run:
        assert gather(run.path).plans == data.plans


def test_sums_and_plans_leave_out_what_nobody_knows() -> None:
    rows = (CostRow("a", "m", 3, 10, 4, None, 1.5), CostRow("b", "m", 2, 20, None, 7))
    total = total_of(rows)
    assert (total.calls, total.prompt_tokens, total.cached_tokens, total.completion_tokens) == (5, 30, None, 7)
    assert (total.seconds, total.price) == (1.5, None)
    exact: Mapping[str, Json] = {"expected": 3, "low": 3, "high": 3, "kind": "exact"}
    plans: dict[str, Json] = {
        "pre-flight": {"step": "pre-flight", "planned": None, "happened": {"calls": 9}},
        "samples": {"step": "samples", "planned": {"calls": dict(exact)}, "happened": {"calls": 3}},
    }
    assert [(row.stage, row.quantity, row.planned, row.happened) for row in plan_rows({"plans": plans}, "")] == [
        ("Sampling", "calls", "3", "3")
    ]
