"""What a run tells of itself while it goes on and afterwards: the stages at work, and costs that are those of its bill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engines.base import LabelRead, Request, TokenIds
from engines.scripted import ScriptedEngine
from engines.scripted_server import scripted_server
from generate.pipeline import generate, read_stats
from generate.spending import JUDGE, POLICY, spent_before
from tenet.budget import Spent
from tenet.ids import Json
from tenet.live import FILES, Live, read_live
from tenet.records import Sample
from tenet.runconfig import PricesConfig
from tenet.standing import Looker
from tests.generate.runs_example import make_order, quiet, write_rows

PRICES: dict[str, Json] = {
    "policy": {"prompt": 1.0, "completion": 4.0}, "judge": {"prompt": 2.0, "completion": 8.0, "cached": 0.5},
}  # fmt: skip
SECONDS = 60.0


def values(folder: Path, **keys: Json) -> dict[str, Json]:
    rows = ({"prompt": f"Question {number}: what should I do?"} for number in range(20))
    return {
        "prompts": {"path": write_rows(folder / "prompts.jsonl", rows)},
        "policy": {"engine": "scripted", "model": "hash", "samples": 3, "max_tokens": 100},
        "judge": {"engine": "scripted", "model": "longer", "options": {"noise": 0.5}},
        **keys,
    }


def test_costs_and_rates_after_the_fact_are_those_of_the_bill(tmp_path: Path) -> None:
    order = make_order(tmp_path, "run", values(tmp_path, prices=PRICES))
    with generate(order, quiet()) as run:
        standing, before = Looker(run.path).look(), spent_before(run)
        samples = [Spent.of(one) for one in run.stage("samples", Sample).records(ok=None)]
    stats: Any = read_stats(order.folder)
    happened = {row["step"]: row["happened"] for row in stats["plan"]}
    stages = {stage.view.name: stage for stage in standing.stages}
    for step in ("samples", "judgements", "critiques"):
        stage, bill = stages[step], happened[step]
        assert stage.cost == pytest.approx(bill["price"], abs=1e-6)
        assert stage.spent is not None
        assert stage.spent.prompt_tokens == bill["prompt_tokens"]
        seconds = stats["seconds"][step]
        assert stage.rate == pytest.approx(stage.spent.calls / seconds)
    assert stages["prompts"].rate is None
    prices = order.config.prices
    assert isinstance(prices, PricesConfig)
    assert standing.cost == pytest.approx(before[POLICY].cost(prices.policy) + before[JUDGE].cost(prices.judge))
    assert stages["samples"].spent == before[POLICY] == sum(samples, Spent())
    assert standing.currency == "USD"
    assert not list(order.folder.glob(FILES))


def test_while_a_stage_is_at_work_the_run_tells_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Live] = []
    order = make_order(tmp_path, "run", values(tmp_path))
    ask = ScriptedEngine.read_labels

    def read_labels(self: ScriptedEngine, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        until = time.monotonic() + SECONDS
        while _told_by_a_thread() and not seen and time.monotonic() < until:
            seen.extend(
                live for live in read_live(order.folder) if live.stage == "judgements" and live.planned is not None
            )
        return ask(self, requests, labels)

    monkeypatch.setattr(ScriptedEngine, "read_labels", read_labels)
    generate(order, quiet()).close()
    (live,) = seen
    assert (live.title, live.done, live.planned, live.cost) == ("judging", 0, 120, None)
    assert live.finished["samples"][0] == 60
    assert not live.growing
    assert live.spent.prompt_tokens > 0
    assert live.servers == ()


def test_the_servers_of_a_judge_are_told(tmp_path: Path) -> None:
    with scripted_server(latency=0.2, max_length=65_536) as server:
        judge = {
            "engine": "http", "model": "scripted", "base_url": [server.base_url],
            "options": {"api": "vllm", "tokenizer": "bytes", "in_flight": 4, "prompts_per_request": 1},
        }  # fmt: skip
        order = make_order(tmp_path, "run", values(tmp_path, judge=judge, critique="none"))
        looks = _while_it_runs(order.folder, lambda: generate(order, quiet()).close())
    told = [live.servers[0] for live in looks if live.stage == "judgements" and live.servers]
    assert told[-1].name == server.base_url
    assert told[-1].answered > 0
    assert max(one.in_flight for one in told) <= 4
    assert {one.window for one in told} <= {0, 4}


def _told_by_a_thread() -> bool:
    """Whether a stage is at work; the pre-flight's questions come before it."""
    return any(thread.name == "tenet-live" for thread in threading.enumerate())


def _while_it_runs(folder: Path, work: Callable[[], None]) -> list[Live]:
    """The different looks at a run that another thread has while `work` goes on."""
    looks: list[Live] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            looks.extend(live for live in read_live(folder) if live not in looks)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        work()
    finally:
        over.set()
        thread.join()
    return looks
