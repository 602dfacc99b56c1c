"""What a plan says before a run, what the limits do in it, and how the two compare afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from engines.scripted import ScriptedEngine
from generate.amounts import Amount, Kind
from generate.bill import Bill, read_usage
from generate.cli import generate as command
from generate.context import Step
from generate.intake import read_input
from generate.pipeline import ALL, Order, assemble, dry_run, generate, larger_limits, probe, read_stats
from generate.plan import plan
from generate.planned import Line
from generate.probing import chosen
from generate.show_plan import amount_text, money_text, settlement, show_plan, time_text
from generate.spending import spent_before
from pocket import JUDGE_PATH, POLICY_PATH
from tenet.errors import BudgetReached, EngineError, UsageError
from tenet.ids import Json
from tenet.records import Critique, Judgement, Prompt, Sample
from tenet.runconfig import SamplesConfig
from tenet.runs import Row, Run, Stage
from tenet.show_status import words
from tenet.standing import Looker
from tests.generate.runs_example import cut_shards, make_order, quiet, write_rows

PRICES = {"policy": {"prompt": 1.0, "completion": 4.0}, "judge": {"prompt": 2.0, "completion": 8.0, "cached": 0.5}}
SAMPLING = frozenset({Step.SAMPLES})

Make = Callable[..., Order]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """An order over prompts of many lengths with 3 samples each; keywords override keys of run.yaml."""

    def order(prompts: int = 60, *, name: str = "run", steps: frozenset[Step] = ALL, **keys: Json) -> Order:
        rows = ({"prompt": f"Question {n}:{' really' * (n % 9)} what should I do?"} for n in range(prompts))
        values: dict[str, Json] = {
            "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
            "policy": {"engine": "scripted", "model": "hash", "samples": 3, "max_tokens": 200},
            "judge": {"engine": "scripted", "model": "longer", "options": {"noise": 0.5}},
            **keys,
        }
        return make_order(tmp_path, name, values, steps=steps)

    return order


def line(bill: Bill, step: str) -> Line:
    (found,) = [one for one in bill.lines if one.stage == step]
    return found


def judgements(run: Run) -> list[Judgement]:
    return list(run.stage(Step.JUDGEMENTS, Judgement).records(ok=None))


def test_before_anything_is_drawn_calls_of_samples_are_exact_and_the_rest_has_bounds_that_hold(make: Make) -> None:
    bill = dry_run(make())
    samples, judging, critiques = line(bill, "samples"), line(bill, "judgements"), line(bill, "critiques")
    assert samples.calls == samples.owed == Amount.exact(180)
    assert samples.completion_tokens == Amount.bounds(0, 180 * 200)
    assert judging.calls == Amount.bounds(0, 360, 360)
    with generate(make(), quiet()) as run:
        drawn, answers = list(run.stage(Step.SAMPLES, Sample).records()), judgements(run)
        written = list(run.stage(Step.CRITIQUES, Critique).records())
    assert samples.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in drawn))
    for amount, truth in (
        (samples.completion_tokens, sum(one.completion_tokens or 0 for one in drawn)),
        (judging.calls, len(answers)),
        (judging.prompt_tokens, sum(one.prompt_tokens or 0 for one in answers)),
        (critiques.calls, len(written)),
        (critiques.prompt_tokens, sum(one.prompt_tokens or 0 for one in written)),
        (critiques.completion_tokens, sum(one.completion_tokens or 0 for one in written)),
    ):
        assert amount.kind is Kind.BOUNDS
        assert truth > 0
        assert amount.holds(truth)
    assert not dry_run(make()).plan.owes


def test_a_probe_is_part_of_the_run_and_narrows_the_plan(make: Make) -> None:
    wide = dry_run(make())
    probe(make(), 20, quiet())
    with Run.read(make().folder) as run:
        prompts = list(run.stage(Step.PROMPTS, Prompt).records())
        drawn = {one.id: one for one in run.stage(Step.SAMPLES, Sample).records()}
    assert {one.prompt_id for one in drawn.values()} == chosen(prompts, 20, 0)
    assert len(drawn) == 60
    narrow = dry_run(make())
    assert narrow.plan.drawn == 20
    assert line(narrow, "samples").owed == Amount.exact(120)
    with generate(make(), quiet()) as run:
        everything = {one.id: one for one in run.stage(Step.SAMPLES, Sample).records()}
        answers = judgements(run)
    assert {name: everything[name] for name in drawn} == drawn
    still = sum(one.completion_tokens or 0 for name, one in everything.items() if name not in drawn)
    read = sum(one.prompt_tokens or 0 for one in answers)
    for amount, truth, before in (
        (line(narrow, "samples").completion_tokens, still, line(wide, "samples").completion_tokens),
        (line(narrow, "judgements").prompt_tokens, read, line(wide, "judgements").prompt_tokens),
    ):
        assert amount.kind is Kind.INTERVAL
        assert amount.holds(truth)
        assert amount.expected == pytest.approx(truth, rel=0.1)
        assert amount.high - amount.low < 0.5 * (before.high - before.low)


def test_a_probe_needs_something_to_draw(make: Make, tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text(json.dumps({"prompt": "x", "responses": ["a", "b"]}))
    given = SamplesConfig(str(tmp_path / "samples.jsonl"))
    order = make()
    config = replace(order.config, policy=(), prompts=None, samples=given)
    with pytest.raises(UsageError, match="nothing to probe"):
        probe(replace(order, config=config), 4, quiet())
    done = CliRunner().invoke(command, ["run.yaml", "--probe", "4"])
    assert isinstance(done.exception, UsageError)
    assert "--dry-run" in str(done.exception)


def test_once_samples_exist_the_comparisons_are_exact_and_once_judged_the_critiques_are(make: Make) -> None:
    generate(make(steps=SAMPLING), quiet()).close()
    judging = line(dry_run(make()), "judgements")
    generate(make(steps=frozenset({Step.JUDGEMENTS})), quiet()).close()
    bill = dry_run(make())
    with generate(make(), quiet()) as run:
        answers = judgements(run)
        written = list(run.stage(Step.CRITIQUES, Critique).records())
    assert judging.calls == Amount.exact(len(answers))
    assert judging.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in answers))
    critiques = line(bill, "critiques")
    assert critiques.owed == Amount.exact(len(written))
    assert critiques.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in written))


@pytest.mark.parametrize("keys", [{"critique": "all"}, {"pairs": {"select": "all"}}, {"judge_each": True}], ids=str)
def test_critiques_of_every_kind_keep_to_the_bounds(make: Make, keys: dict[str, object]) -> None:
    judge = {
        "engine": "scripted",
        "model": "longer",
        "principles": "each" if keys.pop("judge_each", None) else "sampled",
    }
    bill = dry_run(make(20, judge=judge, **keys))
    with generate(make(20, judge=judge, **keys), quiet()) as run:
        written = list(run.stage(Step.CRITIQUES, Critique).records())
    assert line(bill, "critiques").calls.holds(len(written))
    assert len(written) > 0.5 * line(bill, "critiques").calls.high
    assert not dry_run(make(20, judge=judge, **keys)).plan.owes


def test_rounds_of_revision_are_followed_as_far_as_they_are_recorded(make: Make) -> None:
    keys = {"revise": {"rounds": 2}, "critique": "none"}
    before = line(dry_run(make(30, **keys)), "revisions")
    generate(make(30, steps=frozenset({Step.SAMPLES, Step.JUDGEMENTS}), **keys), quiet()).close()
    drawn = line(dry_run(make(30, **keys)), "revisions")
    generate(make(30, **keys), quiet()).close()
    spent = read_usage(read_stats(make(30, **keys).folder))["revisions"]
    for told in (before, drawn):
        assert told.owed.holds(spent.calls)
        assert told.prompt_tokens.holds(spent.prompt_tokens)
        assert told.completion_tokens.holds(spent.completion_tokens)
    assert drawn.prompt_tokens.high < before.prompt_tokens.high
    after = line(dry_run(make(30, **keys)), "revisions")
    assert (after.calls, after.owed) == (Amount.exact(spent.calls), Amount.exact(0))


def test_a_plan_in_passing_looks_at_some_prompts_and_comes_out_like_the_whole(make: Make) -> None:
    order = make(120)
    with_all = dry_run(order)
    cast = assemble(order.config)
    some = plan(order.config, order.folder, cast.policies, cast.judge, read_input(order.config), most=60)
    assert (some.prompts, some.counted) == (120, 60)
    for one, other in zip(some.lines, with_all.lines, strict=True):
        assert one.calls == other.calls
        assert one.prompt_tokens.high == pytest.approx(other.prompt_tokens.high, rel=0.1)


def test_a_plan_in_passing_reads_few_shards(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_shards(monkeypatch, 16)
    monkeypatch.setattr("generate.plan.MOST_SHARDS", 2)
    order = make(120)
    generate(make(120, steps=SAMPLING), quiet()).close()
    read: list[int] = []
    inner = Stage.rows

    def rows(self: Stage[Sample], shard: int | None = None, ok: bool | None = None) -> Iterator[Row[Sample]]:
        read.extend([shard] if self.name == Step.SAMPLES and shard is not None else [])
        return inner(self, shard, ok)

    monkeypatch.setattr(Stage, "rows", rows)
    cast = assemble(order.config)
    some = plan(order.config, order.folder, cast.policies, cast.judge, read_input(order.config), most=30)
    assert len(set(read)) == 2
    assert (some.prompts, some.counted, some.drawn) == (120, 30, 120)
    judging = next(one for one in some.lines if one.stage == Step.JUDGEMENTS)
    assert judging.prompt_tokens.high == pytest.approx(line(dry_run(order), "judgements").prompt_tokens.high, rel=0.15)


def test_the_plan_is_kept_and_held_against_what_happened(make: Make) -> None:
    generate(make(prices=PRICES, steps=SAMPLING), quiet()).close()
    with generate(make(prices=PRICES), quiet()) as run:
        kept = json.loads((run.path / "plan.json").read_text())
        rows = {row["step"]: row for row in read_stats(run.path)["plan"]}  # type: ignore[union-attr,index,call-overload]
        answers = judgements(run)
    assert [step["stage"] for step in kept["steps"]] == ["samples", "judgements", "critiques"]
    assert "samples" not in rows  # nothing was owed of them
    planned, happened = rows["judgements"]["planned"], rows["judgements"]["happened"]
    assert planned["calls"]["expected"] == happened["calls"] == len(answers)
    assert planned["prompt_tokens"]["expected"] == happened["prompt_tokens"]
    assert happened["price"] == pytest.approx(happened["prompt_tokens"] * 2.0 / 1e6, abs=1e-6)
    assert rows["pre-flight"]["planned"] is None
    assert rows["pre-flight"]["happened"]["calls"] > 0
    text = settlement(list(rows.values()), "USD")
    assert "happened" in text
    assert f"{happened['prompt_tokens']:,}" in text
    generate(make(prices=PRICES), quiet()).close()
    assert read_stats(make().folder)["plan"] is None
    assert read_usage(read_stats(make().folder))["judgements"].calls == len(answers)


def test_prices_and_rates_are_the_users_own(make: Make) -> None:
    order = make(prices=PRICES, rates={"policy": 1000.0, "judge": 500.0})
    generate(replace(order, steps=SAMPLING), quiet()).close()
    bill = dry_run(order)
    judging = next(item for item in bill.items if item.line.stage == Step.JUDGEMENTS)
    tokens = judging.line.prompt_tokens.high
    assert judging.price is not None
    assert judging.price.expected == pytest.approx(tokens * 2.0 / 1e6 + judging.line.owed.high * 8.0 / 1e6)
    assert judging.seconds is not None
    assert judging.seconds.low == pytest.approx(tokens / 500)
    assert bill.price is not None
    plain = dry_run(make())
    assert plain.price is None
    console = quiet()
    show_plan(plain, console)
    said = console.err.getvalue()  # type: ignore[attr-defined]
    assert "No price: none is in run.yaml" in said
    assert "Time unknown for critiques, judgements" in said


def test_a_limit_stops_in_good_order_and_a_larger_one_comes_to_the_same_dataset(make: Make, tmp_path: Path) -> None:
    with generate(make(name="free"), quiet()) as run:
        wanted = {one.id: one for one in judgements(run)}
        total = sum(spent.tokens for spent in spent_before(run).values())
    order = replace(make(name="kept"), max_tokens=total // 2)
    with pytest.raises(BudgetReached, match="tokens spent") as stopped:
        generate(order, quiet())
    assert stopped.value.exit_code == 0
    assert f"--max-tokens {2 * (total // 2)}" in stopped.value.hint
    with Run.read(order.folder) as run:
        asked_aside = read_usage(read_stats(run.path))["pre-flight"].tokens
        held = asked_aside + sum(spent.tokens for spent in spent_before(run).values())
        assert 0.9 * order.max_tokens < held <= order.max_tokens  # type: ignore[operator]
    assert read_usage(read_stats(order.folder))["samples"].calls == 180
    with pytest.raises(BudgetReached, match="by earlier commands"):
        generate(replace(order, max_tokens=held), quiet())
    with generate(make(name="kept"), quiet()) as run:
        assert {one.id: one for one in judgements(run)} == wanted


def test_a_limit_of_money_needs_prices_and_holds(make: Make) -> None:
    with pytest.raises(UsageError, match="--max-cost needs the price of the policy and the judge"):
        generate(replace(make(), max_cost=1.0), quiet())
    order = replace(make(prices=PRICES), max_cost=0.05)
    with pytest.raises(BudgetReached, match=r"of 0\.05 USD spent"):
        generate(order, quiet())
    with Run.read(order.folder) as run:
        spent = spent_before(run)
    prices = order.config.prices
    assert prices is not None
    assert 0.045 < spent["policy"].cost(prices.policy) + spent["judge"].cost(prices.judge) <= 0.05


@pytest.mark.parametrize("kind", ["pairwise", "rating"])
def test_the_preflight_keeps_to_the_limit_too_and_is_asked_once(make: Make, kind: str) -> None:
    judge: Json = {"engine": "scripted", "model": "longer", "kind": kind, "options": {"noise": 0.5}}
    order = make(prices=PRICES, judge=judge)
    generate(replace(order, steps=SAMPLING), quiet()).close()

    def spent() -> tuple[float, int]:
        usage = read_usage(read_stats(order.folder))
        prices = order.config.prices
        assert prices is not None
        money = sum(one.cost(prices.policy if step == "samples" else prices.judge) for step, one in usage.items())
        return money, usage["pre-flight"].calls if "pre-flight" in usage else 0

    drawn, _ = spent()
    with pytest.raises(BudgetReached, match="Stopped in pre-flight"):
        generate(replace(order, max_cost=drawn + 0.0001), quiet())
    assert spent() == (drawn, 0)
    limit = drawn + 0.09
    with pytest.raises(BudgetReached, match="Stopped in judgements"):
        generate(replace(order, max_cost=limit), quiet())
    held, asked = spent()
    assert drawn < held <= limit
    assert asked > 0
    for more in (0.0, 0.0, 0.002):
        with pytest.raises(BudgetReached, match="Stopped in judgements"):
            generate(replace(order, max_cost=limit + more), quiet())
        held, again = spent()
        assert held <= limit + more
        assert again == asked


def test_a_run_that_came_to_its_limit_proposes_a_larger_one(make: Make) -> None:
    order = replace(make(), max_tokens=2000)
    order = replace(order, command=f"{order.command} --max-tokens 2000")
    with pytest.raises(BudgetReached, match="tokens spent"):
        generate(order, quiet())
    told = "\n".join(words(Looker(order.folder).look()))
    assert "Go on with: tenet generate run.yaml --max-tokens 4000" in told
    with Run.read(order.folder) as run:
        assert run.history[0]["command"] == order.command


def test_larger_limits_replace_the_old_ones() -> None:
    assert (
        larger_limits("tenet generate a.yaml --max-tokens 10 --limit 3", 10, None)
        == "tenet generate a.yaml --limit 3 --max-tokens 20"
    )
    assert larger_limits("tenet generate a.yaml --max-cost=1.5", None, 1.5) == "tenet generate a.yaml --max-cost 3"


def test_engines_are_checked_before_any_work_and_not_in_a_dry_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(make(name="done", critique="none"), quiet()).close()
    asked: list[str] = []

    def check(self: ScriptedEngine) -> None:
        asked.append(self.info.model)
        if self.info.model == "longer":
            raise EngineError("the server is down", hint="start it")

    monkeypatch.setattr(ScriptedEngine, "check", check)
    dry_run(make())
    generate(make(name="done", critique="none"), quiet()).close()
    assert asked == []
    with pytest.raises(EngineError, match="the server is down"):
        generate(make(), quiet())
    assert asked == ["hash", "longer"]
    with Run.read(make().folder) as run:
        assert run.stage(Step.SAMPLES, Sample).counts().rows == 0


def test_the_command_prints_one_table_or_its_json_twin(make: Make, tmp_path: Path) -> None:
    from tenet.config import as_json, dump_yaml

    order = make(prices=PRICES)
    (tmp_path / "run.yaml").write_text(dump_yaml(as_json(order.config)))
    words = [str(tmp_path / "run.yaml"), "--runs", str(tmp_path / "runs"), "--dry-run"]
    done = CliRunner().invoke(command, [*words, "--probe", "20"], catch_exceptions=False)
    assert done.exit_code == 0
    rows = [row.split() for row in done.stdout.splitlines() if row]
    assert [row[0] for row in rows if row[0] in ("samples", "judgements", "critiques", "total")] == [
        "samples", "judgements", "critiques", "total",
    ]  # fmt: skip
    assert "20 of 60 prompts have their responses; the other 40 are predicted" in done.stderr
    assert "beyond the probe of 20 prompts, which is kept" in done.stderr
    told = json.loads(CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False).stdout)
    assert told["prompts_drawn"] == 20
    assert told["steps"][1]["prompt_tokens"]["kind"] == "interval"
    assert told["currency"] == "USD"


def test_amounts_in_words() -> None:
    assert amount_text(Amount.exact(1_234_567)) == "1,234,567"
    assert amount_text(Amount(12_345_678, 11_800_000, 12_900_000)) == "12.3 M (11.8-12.9)"
    assert amount_text(Amount(150_000, 140_000, 160_000)) == "150 k (140-160)"
    assert amount_text(Amount(4321, 4000, 4600)) == "4,321 (4,000-4,600)"
    assert amount_text(Amount.bounds(0, 5_120_000)) == "at most 5.12 M"
    assert amount_text(Amount.bounds(0, 720, 720)) == "at most 720"
    assert amount_text(Amount.bounds(180, 240, 200)) == "200 (at most 240)"
    assert amount_text(Amount.bounds(180, 240)) == "180 to 240"
    assert money_text(Amount(1.5, 1.25, 1.75), "EUR") == "1.50 EUR (1.25-1.75)"
    assert time_text(Amount(90, 60, 120)) == "1m 30s (1m 00s-2m 00s)"


def test_the_pocket_policy_writes_about_as_much_as_a_probe_says(make: Make) -> None:
    keys = {
        "policy": {"model": str(POLICY_PATH), "samples": 3, "max_tokens": 48},
        "judge": {"model": str(JUDGE_PATH)},
    }
    probe(make(30, **keys), 10, quiet())
    bill = dry_run(make(30, **keys))
    generate(make(30, steps=SAMPLING, **keys), quiet()).close()
    after = dry_run(make(30, **keys))
    with Run.read(make(30, **keys).folder) as run:
        prompts = list(run.stage(Step.PROMPTS, Prompt).records())
        drawn = list(run.stage(Step.SAMPLES, Sample).records())
    still = sum(one.completion_tokens or 0 for one in drawn if one.prompt_id not in chosen(prompts, 10, 0))
    assert line(bill, "samples").completion_tokens.holds(still)
    assert line(bill, "judgements").prompt_tokens.holds(line(after, "judgements").prompt_tokens.high)
    cached = line(after, "judgements").cached_tokens.high
    assert 0.3 < cached / line(after, "judgements").prompt_tokens.high < 1
    assert line(bill, "judgements").cached_tokens.expected == pytest.approx(cached, rel=0.15)
