"""Judge cards of whole runs: what is measured, what cannot be and why, warnings, the command, and the recorded sets' own figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.judge_cards import DATA, cards
from generate.pipeline import ALL, generate
from generate.recorded import assemble, write_run
from judges.card.build import CARD, card_of, make_card
from judges.card.cli import card as command
from judges.card.gather import gather
from judges.card.sections import NO_PEOPLE
from judges.formats.base import Comparison, Opinion, Response
from judges.formats.registry import Reading, read_file
from judges.humans.labels import labels_of
from judges.humans.store import add_labels
from tenet.errors import MissingInput
from tenet.records import Choice, Judgement, Message, Prompt, Sample
from tenet.runs import Fingerprint, Row, Run
from tests.generate.runs_example import make_order, quiet, write_rows
from tests.judges.formats.rows_example import llmbar_row


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the real pipeline: 6 prompts, 3 responses each, a judge that likes the longer one, every principle asked."""
    folder = tmp_path_factory.mktemp("made")
    values: dict[str, Any] = {
        "prompts": {"path": write_rows(folder / "prompts.jsonl", ({"prompt": f"Question {n}?"} for n in range(6)))},
        "policy": {"engine": "scripted", "model": "hash", "samples": 3},
        "judge": {"engine": "scripted", "model": "longer", "principles": "each"},
    }
    with generate(make_order(folder, "made", values, steps=ALL), quiet()) as run:
        return run.path


def people(run: Path, *, who: str = "ann", longer: bool = True) -> None:
    """Labels of one person on every pair of a run."""
    with Run.read(run) as opened:
        prompts = {one.id: one for one in opened.stage("prompts", Prompt).records()}
        samples = list(opened.stage("samples", Sample).records())
    labels = []
    for prompt in prompts.values():
        own = sorted((one for one in samples if one.prompt_id == prompt.id), key=lambda one: one.id)
        for place, a in enumerate(own):
            for b in own[place + 1 :]:
                choice = Choice.A if (len(a.text) > len(b.text)) == longer else Choice.B
                item = Comparison(prompt.messages, Response(a.text), Response(b.text), (Opinion(who, choice),))
                labels += labels_of(item)
    add_labels(run / "labels.jsonl", labels)


def test_a_run_without_labels_is_unvalidated(made: Path) -> None:
    card = make_card(made, replicates=100)
    assert not card.validated
    assert card.warnings[0].startswith("Unvalidated")
    assert card.warnings[1].startswith("Consistent is not right")
    ((_, judge),) = card.judges.items()
    assert judge.figures["accuracy"].reason == NO_PEOPLE
    assert judge.figures["position_consistency"].value is not None
    assert judge.figures["signed_gap"].value is not None
    assert judge.figures["label_mass"].value is not None
    assert judge.figures["transitivity_violations"].count == 6, "one triple a prompt"
    assert judge.pairs == 18
    assert judge.calls == 18 * 2 * 2
    assert set(judge.principles) == {"thorough", "tidy"}
    assert judge.principles["thorough"].redundancy.reason or judge.principles["thorough"].with_ == "tidy"


def test_labels_of_people_validate_it(made: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(made, run)
    people(run)
    people(run, who="bob", longer=False)
    people(run, who="cay")
    card = make_card(run, replicates=100)
    ((_, judge),) = card.judges.items()
    assert card.validated
    assert card.counts["annotators"] == 3
    assert card.counts["labels_of_other_pairs"] == 0
    right, longer = judge.figures["pair_accuracy"].value, judge.figures["longer_rate"].value
    assert right is not None, "it likes what two of three people like, but counts tokens and they characters"
    assert right >= 0.9
    assert longer is not None
    assert longer >= 0.9
    assert judge.figures["log_loss"].value is not None
    assert card.people["human_ceiling"].value == 0.0, "ann and cay face a split, bob faces both of them"
    assert card.between["ann~bob"]["agreement"].value == 0.0
    assert card.between["ann~cay"]["cohen_kappa"].value == 1.0
    assert any("Few labels" in text for text in card.warnings)


def test_two_cards_of_one_run_are_equal_and_the_seed_moves_intervals_only(made: Path) -> None:
    one, again, other = (make_card(made, seed=seed, replicates=100).as_json() for seed in (0, 0, 1))
    assert json.dumps(one) == json.dumps(again)
    figures = [next(iter(card["judges"].values())) for card in (one, other)]  # type: ignore[union-attr, attr-defined]
    assert figures[0]["position_consistency"]["value"] == figures[1]["position_consistency"]["value"]


def test_the_command(made: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(made, run)
    done = CliRunner().invoke(command, [str(run)])
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("Warning: Unvalidated"), "warnings come first"
    assert f"cohen kappa, human ceiling, alt test ({NO_PEOPLE})" in done.stderr
    printed = CliRunner().invoke(command, [str(run), "--json"])
    assert json.loads(printed.stdout) == json.loads((run / CARD).read_text())
    missing = CliRunner().invoke(command, [str(run), "--anchors", str(tmp_path / "none.jsonl")])
    assert isinstance(missing.exception, MissingInput)


def test_anchors_of_another_file_replace_those_of_the_run(made: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(made, run)
    people(run)
    anchors = shutil.move(run / "labels.jsonl", tmp_path / "anchors.jsonl")
    assert not make_card(run, replicates=10).validated
    assert make_card(run, Path(anchors), replicates=10).counts["pairs"] == 18
    with Path(anchors).open("a") as file:
        row = {"prompt": "elsewhere", "response_a": "x", "response_b": "y", "preference": "a", "annotator": "z"}
        file.write(json.dumps(row) + "\n")
    card = make_card(run, Path(anchors), replicates=10)
    assert any("1 of 19 labels are about pairs that this run does not hold" in text for text in card.warnings)


def test_a_run_of_nothing_is_an_error(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Run.open(run, {"name": "run"}, Fingerprint({}), command="tenet generate run.yaml"):
        pass
    with pytest.raises(MissingInput, match="no judgements"):
        make_card(run)


def test_judges_without_overlap_and_calls_that_all_failed(tmp_path: Path) -> None:
    for judge, rows in (("one", [llmbar_row(0, None, None)]), ("two", [llmbar_row(1, "1", "1")])):
        path = tmp_path / "evaluators" / judge / "V" / "result.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(rows))
    readings: list[Reading] = [read_file(path) for path in sorted(tmp_path.rglob("result.json"))]
    write_run(tmp_path / "run", assemble(readings), ["result.json"], command="tenet verdicts import")
    card = make_card(tmp_path / "run", replicates=50)
    two = card.between["one/V~two/V"]
    assert two["agreement"].value is None
    assert two["cohen_kappa"].reason == "no pair has an opinion of both"
    failed = card.judges["one/V"].figures
    assert failed["accuracy"].value == 0.0, "a failure is wrong, not left out"
    assert failed["accuracy_of_opinions"].value is None
    assert failed["unparsed_rate"].value == 1.0
    assert failed["brier"].value is None
    assert any(text.startswith("one/V: 100% of the calls gave no opinion") for text in card.warnings)
    json.dumps(card.as_json(), allow_nan=False)


def test_anchors_of_one_class(tmp_path: Path) -> None:
    path = tmp_path / "evaluators/one/V/result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([llmbar_row(n, "1", "1") for n in range(5)]))
    write_run(tmp_path / "run", assemble([read_file(path)]), ["result.json"], command="tenet verdicts import")
    figures = make_card(tmp_path / "run", replicates=50).judges["one/V"].figures
    assert figures["accuracy"].value == 1.0
    assert "single answer" in figures["cohen_kappa"].reason
    assert figures["length_bias"].value is None


def test_labels_with_an_inclusion_probability_weigh_its_inverse(tmp_path: Path) -> None:
    path = tmp_path / "evaluators/one/V/result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([llmbar_row(0, "1", "1"), llmbar_row(1, "2", "2")]))
    write_run(tmp_path / "run", assemble([read_file(path)]), ["result.json"], command="tenet verdicts import")
    data = gather(tmp_path / "run")
    weights = data.weights.copy()
    weights[data.truth == 0] = 1.0
    rare = replace(data, weights=weights * [3.0, 1.0])
    assert card_of(data, replicates=10).judges["one/V"].figures["accuracy"].value == 0.5
    weighed = card_of(rare, replicates=10).judges["one/V"].figures
    for name in ("accuracy", "accuracy_where_consistent"):
        assert weighed[name].value == pytest.approx(0.75), name
        assert weighed[name].more == {"weighted": True}, name
    assert not card_of(data, replicates=10).judges["one/V"].figures["accuracy"].more


def test_repeated_questions(tmp_path: Path) -> None:
    prompt = Prompt.of([Message("user", "q")])
    samples = [Sample(name, prompt.id, n, name, "m", "given") for n, name in enumerate("ab")]  # type: ignore[arg-type]
    told = [
        Judgement(f"j{n}", prompt.id, "a", "b", "judge", outcome)
        for n, outcome in enumerate(("first", "first", "second"))
    ]  # type: ignore[arg-type]
    from tenet.records import Finish, Outcome

    samples = [replace(one, finish=Finish.GIVEN) for one in samples]
    told = [replace(one, outcome=Outcome(one.outcome)) for one in told]
    with Run.open(tmp_path / "run", {"name": "run"}, Fingerprint({}), command="") as run:
        run.stage("prompts", Prompt).replace(0, [Row("0", prompt, ok=True)])
        run.stage("samples", Sample).replace(0, [Row(one.id, one, ok=True) for one in samples])
        run.stage("judgements", Judgement).replace(0, [Row(one.id, one, ok=True) for one in told])
    figures = make_card(tmp_path / "run", replicates=10).judges["judge"].figures
    assert (figures["repeat_stability"].value, figures["repeat_stability"].count) == (0.5, 2)


REFERENCE = {
    "llmbar/GPT-4/Vanilla": {"accuracy": "0.8449", "position_consistency": "0.9284", "first_slot_rate": "0.512"},
    "llmbar/GPT-4/Vanilla ": {"accuracy_where_consistent": "0.871"},
    "llmbar/GPT-4/CoT": {"accuracy": "0.8126", "position_consistency": "0.8926", "first_slot_rate": "0.523"},
    "llmbar/PaLM2/Vanilla": {"accuracy": "0.698", "position_consistency": "0.726"},
    "llmbar/LLaMA2/Vanilla": {"accuracy": "0.442", "position_consistency": "0.749"},
    "llmbar/ChatGPT/Vanilla": {"accuracy": "0.400", "position_consistency": "0.659", "accuracy_where_consistent": "0.348"},
    "llmbar/Falcon/Vanilla": {"accuracy": "0.564", "position_consistency": "0.415"},
    "pandalm/gpt-3.5-turbo": {"accuracy": "0.6977", "human_ceiling": "0.9565"},
    "pandalm/pandalm-7b": {"accuracy": "0.6677"},
    "pandalm/humans": {"krippendorff_alpha": "0.8642", "human_ceiling": "0.9565", "longer_rate": "0.6753"},
    "pandalm/annotator1~annotator2": {"cohen_kappa": "0.8520", "agreement": "0.9129"},
    "pandalm/annotator1~annotator3": {"cohen_kappa": "0.8789", "agreement": "0.9289"},
    "pandalm/annotator2~annotator3": {"cohen_kappa": "0.8617", "agreement": "0.9179"},
    "pandalm/gpt-3.5-turbo~pandalm-7b": {"agreement": "0.6847", "right_where_agreed": "0.8070"},
}  # fmt: skip


def test_the_recorded_sets_give_their_reference_values() -> None:
    if not DATA.exists():
        pytest.skip("../shared/data is not there")
    found = dict(cards(DATA, replicates=20))
    for name, figures in REFERENCE.items():
        for metric, wanted in figures.items():
            value = found[name.strip()][metric].value
            assert value is not None
            assert f"{value:.{len(wanted) - 2}f}" == wanted, (name, metric)
