"""What a report gathers from a run folder: numbers worked by hand from a run made of records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generate.report import write_report
from generate.report.curves import thinned
from generate.report.data import gather
from generate.report.examples import misquoted
from generate.report.model import Rate, ReportData
from generate.report.words import points_between
from tenet.errors import InvalidInput, MissingInput
from tests.generate.report_run import make_run


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return gather(make_run(tmp_path_factory.mktemp("report")))


def test_funnel_adds_up(data: ReportData) -> None:
    prompts, responses, judged, pairs = data.funnel
    assert prompts.count == 20
    assert responses.count == 60
    assert {loss.reason: loss.count for loss in responses.lost} == {
        "failed or empty": 40,
        "same text as another response": 20,
    }
    assert judged.count == 60  # three pairs a prompt; where one order failed, the other still gave an opinion
    assert pairs.count == 20
    assert pairs.note == "From 20 prompts."


def test_outcomes_and_orders(data: ReportData) -> None:
    assert sum(data.outcomes.values()) == 120
    assert data.outcomes["too little on A and B"] == 4
    assert data.positions is not None
    assert data.positions.questions == 56
    assert data.positions.single == 4
    assert data.positions.flips == 5  # prompts 0, 4, 8, 12, 16
    assert data.positions.consistency.value == pytest.approx(51 / 56)


def test_principles_keep_the_order_and_texts_of_the_file(data: ReportData) -> None:
    kind, plain = data.principles
    assert (kind.id, kind.text, kind.prompts, kind.asked) == ("kind", "The response is kind.", 10, 60)
    assert (plain.id, plain.weight, plain.failures) == ("plain", 2, 2)
    assert kind.decided is not None
    assert kind.decided.value == 1.0
    assert (data.principles_name, data.principles_version) == ("manners", "1.2")


def test_policies_are_compared_where_several_were_mixed(data: ReportData) -> None:
    # Of 40 comparisons, "one" wins all 20 against "Rude." and ties the 5 flipped ones with the longest text.
    one, two = data.policy_rows
    assert (one.name, one.samples, one.comparisons) == ("one", 40, 40)
    assert one.wins is not None
    assert two.wins is not None
    assert one.wins.value == pytest.approx(22.5 / 40)
    assert two.wins.value == pytest.approx(17.5 / 40)


def test_examples_carry_texts_critiques_and_both_orders(data: ReportData) -> None:
    example = data.examples[0]
    assert example.turns[0].text.startswith("Question")
    assert example.chosen.text == "A kind and long answer."
    assert example.rejected.text == "Rude."
    assert example.chosen.critiques[0].verdict == "yes"
    assert example.p_shown == pytest.approx((0.9, 0.8))
    assert example.p_chosen == pytest.approx(0.85)


def test_costs_and_stages(data: ReportData) -> None:
    sampling, judging, critiques = data.costs
    assert (sampling.calls, sampling.prompt_tokens, sampling.completion_tokens) == (120, 1000, 500)
    assert (judging.calls, judging.prompt_tokens, judging.cached_tokens) == (120, 11600, 6960)
    assert critiques.calls == 2 * data.funnel[-1].count
    assert {row.name: row.failed for row in data.stages}["samples"] == 20
    assert any(name == "samples/00000.parquet" for name, _ in data.files)


def test_headline_without_training(data: ReportData) -> None:
    assert data.headline == f"{data.funnel[-1].count} preference pairs from 20 prompts."
    assert any(notice.title == "This judge has not been checked against people" for notice in data.notices)
    assert any(notice.title == "Few pairs" for notice in data.notices)


def test_report_of_an_unfinished_run(tmp_path: Path) -> None:
    path = make_run(tmp_path, judged=False)
    page = write_report(path)
    assert page == path / "report.html"
    html = page.read_text(encoding="utf-8")
    assert "No preference pairs yet." in html
    assert "No response was judged" in html


def test_an_edited_principles_file_is_not_shown_as_what_was_asked(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    (tmp_path / "manners.yaml").write_text((tmp_path / "manners.yaml").read_text().replace("is kind", "is very kind"))
    found = gather(path)
    assert all(not row.text for row in found.principles)
    assert any("has changed since" in notice.body for notice in found.notices)
    (tmp_path / "manners.yaml").unlink()
    assert any("cannot be read any more" in notice.body for notice in gather(path).notices)


def test_what_is_no_run_and_what_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no run folder"):
        gather(tmp_path)
    path = make_run(tmp_path)
    (path / "stats.json").write_text("[1]")
    with pytest.raises(InvalidInput, match=r"stats\.json"):
        gather(path)


def test_reasons_from_the_statistics_reach_the_funnel(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    (path / "stats.json").write_text(
        json.dumps(
            {"input": {"rows": 9, "kept": 4, "duplicate": 5}, "left_out": {"a tie": 3}, "seconds": {"judgements": 12.5}}
        )
    )
    found = gather(path)
    assert {loss.reason: loss.count for loss in found.funnel[-1].lost} == {"a tie": 3}
    assert {loss.reason: loss.count for loss in found.funnel[0].lost} == {"duplicates": 5}
    assert [row.seconds for row in found.costs if row.stage == "Judging"] == [12.5]


def training_folder(folder: Path, method: str, lines: list[str], **record: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps({"method": method, "status": "finished", **record}))
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    return folder


def test_an_accuracy_by_weight_is_not_told_as_a_share_of_pairs(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    told = {
        "weighted": ({"eval_pair_accuracy": 1 / 3, "eval_pairs_right": 3.0, "eval_pairs_decided": 7.0},
                     "33 % of held-out pairs by weight, 3 of 7 counted"),
        "even": ({"eval_pair_accuracy": 0.7, "eval_pairs_right": 7.0, "eval_pairs_decided": 10.0},
                 "70 %, 7 of 10 held-out pairs"),
        "old": ({"eval_pair_accuracy": 0.611}, "61 % of held-out pairs, by weight"),
    }  # fmt: skip
    for name, (metrics, _) in told.items():
        training_folder(path / "train" / name, "reward", [], result={"metrics": metrics})
    found = gather(path)
    facts = {one.name: dict(one.facts)["Agrees with the labels"].replace("\u202f", " ") for one in found.trainings}
    assert facts == {name: words for name, (_, words) in told.items()}
    below = [one for one in found.notices if one.title == "A reward model is no better than chance"]
    assert [one.body.split(" ")[0] for one in below] == ["weighted"]
    assert "3 of 7 counted" in below[0].body


def test_trainings_come_in_the_order_in_which_they_are_done(tmp_path: Path) -> None:
    path = make_run(tmp_path)
    training_folder(
        path / "train" / "dpo", "dpo",
        ['{"step": 10, "loss": 0.6, "rewards/margins": 0.4}', '{"step": 20, "loss": 0.5, "rewards/margins": 0.9}', '{"step": 3'],
        config={"beta": 0.1, "learning_rate": 0.0005, "epochs": 2.0},
        data={"train_rows": 19, "held_out_rows": 1},
        result={"steps": 20, "seconds": 61.0, "metrics": {"eval_pair_accuracy": 1.0}},
    )  # fmt: skip
    training_folder(path / "train" / "reward", "reward", ['{"step": 5, "eval_loss": 0.3}'])
    (path / "train" / "empty").mkdir()
    reward, dpo = gather(path).trainings
    assert (reward.kind, dpo.kind) == ("Reward model", "Policy by DPO")
    assert {curve.title: curve.series[0].points for curve in dpo.curves} == {
        "Loss": ((10.0, 0.6), (20.0, 0.5)),
        "Margin": ((10.0, 0.4), (20.0, 0.9)),
    }
    assert reward.curves[0].series[0].label == "held out"
    facts = dict(dpo.facts)
    assert facts["Trained on"] == "19 pairs, 1 held out"
    assert facts["β"] == "0.1"
    assert facts["Took"].startswith("20 steps, 1")


def test_long_trainings_are_thinned_and_keep_their_last_point() -> None:
    points = [(float(step), 1.0 / step) for step in range(1, 1001)]
    found = thinned(points)
    assert len(found) == 200
    assert found[0] == pytest.approx((3.0, sum(1 / s for s in range(1, 6)) / 5))
    assert found[-1] == points[-1]
    assert thinned(points[:10]) == tuple(points[:10])


def test_a_quotation_that_is_not_in_the_response_is_named() -> None:
    told = 'It says "I am  SICK of it." and “We are closed” and "sick", then "Kind regards".'
    assert misquoted(told, "I am sick\nof it, truly. Good day.") == ("We are closed", "Kind regards")
    assert misquoted("No quotation.", "Hello.") == ()


def test_a_change_is_the_difference_of_the_shares_beside_it() -> None:
    assert points_between(Rate(0.996, 0.9, 1.0, 40), Rate(0.921, 0.9, 1.0, 40)) == "\u22128"
