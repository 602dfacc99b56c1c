"""The judge is measured rightly, the simulation agrees with known figures, and the command names a schedule that does."""

from __future__ import annotations

import json
import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from generate.advise import GIVEN_UP, Advice, Option
from generate.noise import LEAST_PAIRS, LEAST_PROMPTS, Measured, Noise, TooFew, measure
from generate.orders import Asking, Orders
from generate.schedule import Knockout, Regular, RoundRobin
from generate.simulate import Played, draw_world, play
from judges.probability import sigmoid
from tenet.cli import cli
from tenet.config import load_config
from tenet.records import Judgement, Outcome
from tenet.runconfig import RunConfig, ScheduleConfig

THREE_QUARTERS = Noise(worth=1.0, opinion=math.sqrt(2), slip=0.0, position_bias=0.0)


def told(prompt: int, first: int, second: int, log_odds: float, principle: str = "kind") -> Judgement:
    p = sigmoid(log_odds)
    outcome = Outcome.FIRST if p > 0.5 else Outcome.SECOND
    name = f"{prompt}-{first}-{second}-{principle}"
    return Judgement(name, f"p{prompt:04}", f"s{first}", f"s{second}", "judge", outcome, p, 0.9, principle)


def judged(noise: Noise, prompts: int, pairs: list[tuple[int, int]], *, seed: int = 0) -> list[Judgement]:
    """Both orders of these pairs of every prompt, as the model of `generate.noise` has it."""
    rng = np.random.default_rng(seed)
    n = 1 + max(max(pair) for pair in pairs)
    made = []
    for prompt in range(prompts):
        worth = rng.normal(0, noise.worth, n)
        for i, j in pairs:
            gap = worth[i] - worth[j] + rng.normal(0, noise.opinion)
            slips = rng.normal(0, noise.slip, 2)
            made.append(told(prompt, i, j, gap + noise.position_bias + slips[0]))
            made.append(told(prompt, j, i, -gap + noise.position_bias + slips[1]))
    return made


@pytest.mark.parametrize("pairs", [list(combinations(range(5), 2)), [(i, (i + 1) % 6) for i in range(6)]])
def test_the_noise_that_was_put_in_is_measured(pairs: list[tuple[int, int]]) -> None:
    true = Noise(worth=1.2, opinion=0.6, slip=0.5, position_bias=-0.4)
    found = measure(judged(true, 600, pairs))
    assert (found.pairs, found.prompts, found.questions) == (600 * len(pairs), 600, 1.0)
    assert found.sizes == {len({name for pair in pairs for name in pair}): 600}
    assert found.noise.worth == pytest.approx(true.worth, abs=0.1)
    assert found.noise.opinion == pytest.approx(true.opinion, abs=0.1)
    assert found.noise.slip == pytest.approx(true.slip, abs=0.05)
    assert found.noise.position_bias == pytest.approx(true.position_bias, abs=0.05)
    assert found.noise.pair_accuracy == pytest.approx(true.pair_accuracy, abs=0.03)


def test_a_judge_without_noise_is_measured_as_one() -> None:
    found = measure(judged(Noise(1.0, 0.0, 0.0, 0.7), 100, [(0, 1), (1, 2), (0, 2)])).noise
    assert (found.opinion, found.slip, found.position_bias) == (
        pytest.approx(0.0, abs=0.05), pytest.approx(0.0, abs=0.05), pytest.approx(0.7, abs=0.01),
    )  # fmt: skip
    assert found.pair_accuracy == pytest.approx(1.0, abs=0.03)


def test_prompts_with_a_missing_order_or_failure_are_not_measured_on() -> None:
    whole = judged(THREE_QUARTERS, 20, [(0, 1), (1, 2), (0, 2)])
    lone = told(99, 0, 1, 3.0)
    failed = Judgement("f", "p0098", "s1", "s0", "judge", Outcome.ERROR)
    assert measure([*whole, lone, told(98, 0, 1, 3.0), failed]) == measure(whole)


def test_several_principles_are_one_opinion_of_a_pair() -> None:
    made = judged(THREE_QUARTERS, 40, [(0, 1), (1, 2), (0, 2)])
    again = [told(int(one.prompt_id[1:]), int(one.first_id[1]), int(one.second_id[1]), 0.0, "brief") for one in made]
    both, single = measure([*made, *again]), measure(made)
    assert both.questions == 2 * single.questions
    assert both.noise.worth == pytest.approx(single.noise.worth / 2, abs=0.02)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(TooFew) as caught:
        measure(judged(THREE_QUARTERS, LEAST_PROMPTS, [(0, 1)]))
    assert (caught.value.pairs, caught.value.prompts) == (LEAST_PROMPTS, LEAST_PROMPTS)
    with pytest.raises(TooFew):
        measure(judged(THREE_QUARTERS, LEAST_PROMPTS - 1, list(combinations(range(6), 2))))
    assert measure(judged(THREE_QUARTERS, LEAST_PAIRS // 2, [(0, 1), (1, 2)])).pairs == LEAST_PAIRS


# An independent simulation of the same schedules at 75 % pair accuracy: pairs a prompt, P(chosen truly beats rejected).
KNOWN = {
    4: {"full": (6, 0.933), "regular": (6, 0.942), "knockout": (4, 0.906)},
    8: {"full": (28, 0.998), "regular": (16, 0.988), "knockout": (10, 0.977)},
}


@pytest.mark.parametrize("samples", [4, 8])
def test_the_simulation_agrees_with_known_figures(samples: int) -> None:
    assert THREE_QUARTERS.pair_accuracy == pytest.approx(0.75)
    world = draw_world(THREE_QUARTERS, {samples: 1}, draws=1000)
    schedules = {"full": RoundRobin(), "regular": Regular(4), "knockout": Knockout()}
    for name, (pairs, accuracy) in KNOWN[samples].items():
        found = play(Asking(schedules[name], Orders()), world, 0.0)  # type: ignore[arg-type]
        assert found.calls == 2 * pairs
        assert found.accuracy == pytest.approx(accuracy, abs=4 * found.error + 0.005), name


def test_second_orders_where_close_cost_less_and_lose_little() -> None:
    noise = Noise(1.0, 1.0, 1.0, 0.9)
    world = draw_world(noise, {4: 3, 6: 1}, draws=600)
    always = play(Asking(RoundRobin(), Orders()), world, 0.9)
    close = play(Asking(RoundRobin(), Orders(1.0)), world, 0.9)
    blind = play(Asking(RoundRobin(), Orders(1e-9)), world, 0.9)
    assert always.calls == pytest.approx(12 * 0.75 + 30 * 0.25, abs=0.6)
    assert always.calls / 2 < blind.calls < close.calls < 0.9 * always.calls  # blind: where the orders would differ
    assert always.accuracy - close.accuracy < 0.02
    wrong = play(Asking(RoundRobin(), Orders(1e-9)), world, -0.9)
    assert wrong.accuracy <= blind.accuracy


def test_equal_seeds_play_equal_worlds() -> None:
    one, two = (draw_world(THREE_QUARTERS, {3: 1, 5: 2}, draws=50, seed=4) for _ in range(2))
    asking = Asking(Knockout(), Orders(1.0))
    assert play(asking, one, 0.0) == play(asking, two, 0.0)
    assert play(asking, one, 0.0) != play(asking, draw_world(THREE_QUARTERS, {5: 1}, draws=50, seed=5), 0.0)


def option(config: ScheduleConfig, calls: float, accuracy: float) -> Option:
    return Option(config, calls, calls / 12, accuracy, 0.001)


def test_the_cheapest_that_loses_next_to_nothing_is_recommended() -> None:
    measured = Measured(THREE_QUARTERS, 100, 50, {4: 50}, 2.0, 0.4)
    full = option(ScheduleConfig(), 12, 0.95)
    close = option(ScheduleConfig(second_order="close"), 8, 0.95 - GIVEN_UP / 2)
    rash = option(ScheduleConfig("knockout", second_order="close"), 6, 0.95 - 2 * GIVEN_UP)
    assert Advice(Path("r"), measured, {4: 1}, 10, (full, close, rash)).recommended == close
    assert Advice(Path("r"), measured, {4: 1}, 10, (full, rash)).recommended == full
    assert full.flag == "--set schedule=round-robin"
    assert rash.flag == "--set 'schedule={kind: knockout, second_order: close}'"
    assert option(ScheduleConfig("regular", 6), 1, 1).words == "{kind: regular, degree: 6}"
    assert Played(2.0, (True, False)).accuracy == 0.5


PRINCIPLES = (
    "schema_version: 1\nname: one\nversion: '1.0'\nprinciples:\n  - {id: thorough, text: The response says more.}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a judged run of 30 prompts, and one of 2."""
    place = tmp_path_factory.mktemp("runs")
    (place / "principles.yaml").write_text(PRINCIPLES)
    rows = [
        {"prompt": f"Question {n}?", "responses": ["word " * (1 + (7 * n + 3 * k) % 23) + str(k) for k in range(6)]}
        for n in range(30)
    ]
    (place / "run.yaml").write_text(
        "name: judged\nprinciples: principles.yaml\nsamples: {path: samples.jsonl}\ncritique: none\n"
        "judge: {engine: scripted, model: longer, options: {noise: 0.5, position_bias: 0.8}}\n"
    )
    for name, count in (("judged", 30), ("few", 2)):
        (place / "samples.jsonl").write_text("\n".join(json.dumps(row) for row in rows[:count]))
        words = ["generate", str(place / "run.yaml"), "--runs", str(place), "--name", name, "--json"]
        assert CliRunner().invoke(cli, words).exit_code == 0
    return place


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generate.advise.DRAWS", 400)


def schedule(*words: str) -> Result:
    return CliRunner().invoke(cli, ["schedule", *words])


def test_the_command_prints_a_table_and_one_recommendation(folder: Path) -> None:
    result = schedule(str(folder / "judged"), "--samples", "9")
    assert result.exit_code == 0, result.stderr
    assert "Measured on 450 pairs of 30 prompts judged in both orders" in result.stderr
    table, _, advice = result.stdout.partition("Recommended: ")
    for words in ("round-robin", "regular", "knockout", "{kind: regular, degree: 6}"):
        assert words in table
    assert "72.0" in table
    assert advice.count("\n") == 1
    assert "of the calls of a full round robin" in advice
    flag = advice.rpartition("apply it with: ")[2].strip()
    assert flag.startswith("--set ")


def test_the_json_twin_holds_the_same_and_its_flag_applies(folder: Path) -> None:
    found = json.loads(schedule(str(folder / "judged"), "--json").stdout)
    assert found == json.loads(schedule(str(folder / "judged"), "--json").stdout)
    assert found["measured"]["pairs"] == 450
    assert found["measured"]["noise"]["position_bias"] == pytest.approx(0.8, abs=0.2)
    assert found["samples"] == {"6": 30}
    full = found["schedules"][0]
    assert (full["schedule"], full["calls_per_prompt"], full["of_full"]) == ("round-robin", 30, 1.0)
    best = found["recommended"]
    assert best["calls_per_prompt"] <= full["calls_per_prompt"]
    assert best["p_chosen_better"] >= full["p_chosen_better"] - GIVEN_UP
    for row in found["schedules"]:
        config = load_config(folder / "run.yaml", RunConfig, [f"schedule={row['schedule']}"])
        assert config.schedule.kind in row["schedule"]
        assert ("close" in row["schedule"]) == (config.schedule.second_order == "close")


def test_a_run_with_too_little_says_how_much_and_what_to_do(folder: Path) -> None:
    result = schedule(str(folder / "few"))
    assert result.exit_code == 2
    assert "has 30 pairs of 2 prompts" in result.stderr
    assert f"{LEAST_PAIRS} pairs of {LEAST_PROMPTS} prompts are needed" in result.stderr
    assert "tenet generate" in result.stderr or "then: " in result.stderr
    assert schedule(str(folder / "none")).exit_code == 3
