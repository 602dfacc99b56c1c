"""The cost table of judging methods: Tenet's rows are the plan's own, and the ratings' are their real prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.method_cost import ASPECTS, Case, asking_of, main, pairwise, pocket_cases, ratings, written_first
from constitution.load import load
from engines.registry import create_engine
from generate.context import Step
from generate.intake import read_input
from generate.pipeline import assemble
from generate.plan import plan
from judges.critique_first import CritiqueFirstJudge
from judges.pairwise import PairwiseJudge
from pocket import JUDGE_PATH
from tenet.config import make_config
from tenet.runconfig import RunConfig
from tests.generate.runs_example import write_rows


@pytest.fixture
def cases() -> list[Case]:
    return pocket_cases(6, 4)


@pytest.fixture
def file(cases: list[Case], tmp_path: Path) -> str:
    rows = ({"prompt": c.prompt.text, "responses": [s.text for s in c.samples]} for c in cases)
    return write_rows(tmp_path / "samples.jsonl", rows)


def test_the_rows_of_pairwise_judging_are_those_of_the_plan(cases: list[Case], file: str, tmp_path: Path) -> None:
    for kind in ("round-robin", "knockout"):
        values: dict[str, Any] = {
            "name": "run", "principles": "pocket/thorough", "samples": {"path": file}, "schedule": kind, "critique": "none",
            "judge": {"engine": "transformers", "model": str(JUDGE_PATH), "principles": "each"},
        }  # fmt: skip
        config = make_config(values, RunConfig)
        cast = assemble(config)
        (line,) = plan(config, tmp_path / "none", cast.policies, cast.judge, read_input(config)).lines
        assert line.stage == Step.JUDGEMENTS
        found = pairwise("", cast.judge, cases, asking_of(kind))
        assert found.calls * len(cases) == pytest.approx(line.calls.expected)
        assert found.prompt_tokens * len(cases) == pytest.approx(line.prompt_tokens.expected, rel=0.02)
        cast.close()


def test_one_order_asks_half_and_close_in_between(cases: list[Case]) -> None:
    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        judge = PairwiseJudge(engine, load("pocket/thorough"))
        one = pairwise("", judge, cases, asking_of(within=1.0), close=0.0)
        some = pairwise("", judge, cases, asking_of(within=1.0), close=0.25)
        both = pairwise("", judge, cases, asking_of())
    assert (one.calls, some.calls, both.calls) == (6.0, 7.5, 12.0)
    assert one.prompt_tokens < some.prompt_tokens < both.prompt_tokens
    assert both.cached_tokens > one.cached_tokens
    assert both.price() < both.price(cache=False)


def test_a_judge_that_writes_first_takes_two_requests_of_which_the_second_holds_the_first(cases: list[Case]) -> None:
    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        judge = CritiqueFirstJudge(engine, load("pocket/thorough"))
        direct, whole = pairwise("", judge, cases, asking_of()), written_first("", judge, cases, asking_of(), 50)
        (ask,) = judge.asks(cases[0].prompt, *cases[0].samples[:2])
        overhead = judge.overhead(ask.principle)
    assert whole.calls == 2 * direct.calls == 24.0
    assert whole.prompt_tokens == pytest.approx(2 * direct.prompt_tokens + 12 * (50 + overhead))
    assert whole.completion_tokens == 12 * 51
    assert direct.prompt_tokens - whole.cached_tokens + direct.cached_tokens == pytest.approx(12 * 7.5)


def test_ratings_are_asked_once_a_response_and_aspect(cases: list[Case]) -> None:
    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        asked = ratings(engine, cases)
        assert len(asked) == 6 * 4 * len(ASPECTS)
        text = engine.tokenizer.decode(asked[1], skip_special=False)
    assert cases[0].prompt.text in text
    assert cases[0].samples[0].text in text
    assert ASPECTS[1] in text
    assert text.index(cases[0].samples[0].text) < text.index(ASPECTS[1])


def test_the_command_takes_a_file_of_ones_own(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "costs.json"
    assert main(["--prompts", file, "--principles", "pocket/thorough", "--written", "10", "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["assumptions"]["prompts"] == 6
    assert {row["responses"] for row in found["costs"]} == {2, 4}  # no prompt has 8
    rated = [row for row in found["costs"] if row["method"].startswith("ratings")]
    assert [row["calls"] for row in rated] == [8.0, 16.0]
    assert [row["completion_tokens"] for row in rated] == [80.0, 160.0]
    for row in found["costs"]:
        computed = row["prompt_tokens"] - row["cached_tokens"]
        assert row["price"] == pytest.approx(computed + 0.1 * row["cached_tokens"] + 4.0 * row["completion_tokens"])
    assert "ratings, 4 aspects" in capsys.readouterr().out
