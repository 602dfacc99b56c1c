"""What the report makes of the files that evaluations write: the order of figures, curves with their mark, warnings, tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generate.report.data import gather
from generate.report.evaluations import comparison_of, curve_of, measured_in, reward_of
from generate.report.measured import evaluation_of
from generate.report.model import Level
from generate.report.render import render
from tenet.cli import cli
from tenet.errors import MissingInput
from tests.generate.report_run import make_run


def estimate(value: float, reach: float = 0.1) -> dict[str, float]:
    return {"value": value, "low": value - reach, "high": value + reach, "count": 50}


def rate(name: str, base: float, trained: float) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "rate",
        "base": estimate(base),
        "trained": estimate(trained),
        "change": estimate(trained - base),
    }


def evaluation(*, own: bool, oracle: bool) -> dict[str, Any]:
    judge = {
        "name": "judge",
        "win_rate": estimate(0.8),
        "length_controlled": {"win_rate": estimate(0.6)},
        "self_judged": own,
    }
    return {
        "format": 1, "prompts": {"count": 50}, "attributes": [rate("kind", 0.3, 0.7)] if oracle else [],
        "judge": {**judge, "self_judged_because": ["this judge also made the labels"] if own else []},
        "behaviour": [rate("boilerplate", 0.1, 0.4), {**rate("overlap of answers", 0.2, 0.3), "kind": "mean"}],
        "kl": {"nats_per_response": {"k1": estimate(5.0), "k3": estimate(5.5)}},
        "not_told": {"sycophancy (shift)": "base: <b>mumbles</b>"},
    }  # fmt: skip


def curve(*, marked: bool, falls: bool = True) -> dict[str, Any]:
    points = [
        {
            "name": f"checkpoint-{k}", "step": k, "proxy": estimate(0.1 * k), "gold": estimate(0.1 * k if k < 3 else 0.5 - 0.1 * k),
            "words": estimate(20.0 + k), "kl": {"nats_per_response": {"k1": estimate(k), "k3": estimate(2.0 * k)}},
        }
        for k in range(5)
    ]  # fmt: skip
    parting = {"at": 2 if marked else None, "gold_falls_at": 4 if marked and falls else None, "rule": "the rule"}
    warning = "over-optimised after checkpoint-2" if marked else ""
    return {
        "checkpoints": points,
        "proxy": "reward model r",
        "gold": "oracle o",
        "parting": parting,
        "warning": warning,
    }


def fit(accuracy: float | None) -> dict[str, Any]:
    return {
        "accuracy": None if accuracy is None else estimate(accuracy),
        "log_loss": estimate(0.6),
        "ece": estimate(0.1),
    }


REWARD: dict[str, Any] = {
    "reward_model": "r",
    "left_out": {"equal": 2},
    "notes": ["the labels are those of the judge j"],
    "rows": [
        {"column": "all", "name": "all pairs", "pairs": 1200, "model": fit(0.7), "length_only": fit(0.6)},
        {"column": "source", "name": "ai", "pairs": 9, "model": fit(None), "length_only": None},
    ],
}


def write(path: Path, value: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_an_independent_judge_comes_first_and_another_last() -> None:
    first = evaluation_of(evaluation(own=False, oracle=False))
    last = evaluation_of(evaluation(own=True, oracle=True))
    assert first is not None
    assert last is not None
    assert [row.name for row in first.measures[:2]] == ["preferred by judge", "preferred, at equal length"]
    assert [row.own for row in last.measures] == [False] * 4 + [True] * 2
    assert first.independent
    assert last.independent
    alone = evaluation_of(evaluation(own=True, oracle=False))
    assert alone is not None
    assert not alone.independent


def test_a_curve_has_its_mark_and_its_numbers() -> None:
    view = curve_of(curve(marked=True))
    assert [plot.mark for plot in view.plots] == [2.0, 2.0, 2.0]
    assert view.plots[0].series[0].points[1] == (1.0, pytest.approx(0.1))
    assert view.plots[2].series[0].points[-1] == (4.0, 4.0)
    assert view.rows[2][-1] == "proxy and gold part"
    assert view.rows[4][-1] == "gold is lower than it was"
    plain = curve_of(curve(marked=False))
    assert plain.warning == ""
    assert plain.plots[0].mark is None


def test_a_curve_without_kl_has_two_plots() -> None:
    value = curve(marked=True)
    for point in value["checkpoints"]:
        point["kl"] = None
    view = curve_of(value)
    assert len(view.plots) == 2
    assert view.rows[0][1] == ""


def test_tables_of_rewards_and_comparisons() -> None:
    found = reward_of(REWARD)
    assert found.rows[0][:2] == ("all pairs", "1,200")
    assert found.rows[1][0] == "source: ai"
    assert found.rows[1][2] == ""
    assert found.notes[-1] == "Left out, equal: 2."
    models = [{"name": name, **evaluation(own=own, oracle=True)} for name, own in (("one", False), ("two", True))]
    table = comparison_of({"models": models})
    assert table.head == ("", "base", "one", "two")
    assert [row[0] for row in table.rows] == ["kind", "boilerplate", "preferred to the base (self-judged)"]


def test_places_are_searched_and_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "dpo/curve.json", curve(marked=True))
    write(tmp_path / "dpo/evaluation.json", evaluation(own=False, oracle=True))
    found = measured_in([tmp_path], named=True)
    assert found.evaluation == tmp_path / "dpo/evaluation.json"
    assert len(found.curves) == 1
    assert len(measured_in([write(tmp_path / "other-name.json", REWARD)]).rewards) == 1
    (tmp_path / "empty").mkdir()
    assert measured_in([tmp_path / "empty"]) == measured_in([])
    with pytest.raises(MissingInput, match="no evaluation in it"):
        measured_in([tmp_path / "empty"], named=True)


def test_the_page_shows_and_warns(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    write(run / "train/dpo/evaluation.json", evaluation(own=True, oracle=False))
    write(run / "train/dpo/curve.json", curve(marked=True))
    write(run / "train/reward/reward-evaluation.json", REWARD)
    data = gather(run)
    titles = {notice.title: notice.level for notice in data.notices}
    assert titles["The policy is over-optimised"] is Level.SERIOUS
    assert titles["No independent figure"] is Level.CAUTION
    page = render(data)
    assert "over-optimised after checkpoint-2" in page
    assert '<line class="mark" x1="50.0%"' in page
    assert "no independent figure" in page
    assert page.index("boilerplate") < page.index("preferred by judge")
    assert "Reward model r on pairs" in page
    assert "<b>mumbles" not in page


def test_a_plateau_is_a_caution(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    write(run / "curve.json", curve(marked=True, falls=False))
    titles = {notice.title: notice.level for notice in gather(run).notices}
    assert titles["The proxy rises where the gold measure does not"] is Level.CAUTION


def test_the_command_takes_places(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    file = write(tmp_path / "elsewhere/curve.json", curve(marked=True))
    done = CliRunner().invoke(cli, ["report", str(run), "--evaluation", str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "over-optimised after checkpoint-2" in (run / "report.html").read_text(encoding="utf-8")
