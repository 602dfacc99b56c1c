"""Tokens come from the rows without decoding them: the same sums as from the records, in open and in published shards."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.text import Text

from tenet.budget import Spent
from tenet.cli import cli
from tenet.ids import Json
from tenet.live import Live
from tenet.records import Finish, Judgement, Outcome, Ranking, Sample
from tenet.runs import Fingerprint, Row, Run
from tenet.runs.lock import Holder
from tenet.servers import ServerStats
from tenet.show_status import page
from tenet.standing import Looker
from tenet.usage import Usage

PRICES: dict[str, Json] = {
    "policy": {"prompt": 1.0, "completion": 4.0, "cached": None},
    "judge": {"prompt": 2.0, "completion": 8.0, "cached": 0.5},
    "currency": "EUR",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("runs/r")


def opened(folder: Path, **config: Json) -> Run:
    return Run.open(folder, {"name": "r", **config}, Fingerprint({"m": 1}), command="tenet generate run.yaml")


def judgement(number: int, prompt: int | None, cached: int | None) -> Row[Judgement]:
    found = Judgement(f"j{number}", "p", "a", "b", "m", Outcome.FIRST, 0.7, 0.9, None, 1.0, prompt, cached, "", 1)
    return Row(found.id, found, True)


def fill(run: Run) -> None:
    """Two published shards, an open one, and rows with and without records, token counts and cached tokens."""
    samples = run.stage("samples", Sample)
    samples.put(0, [Row(f"s{n}", Sample(f"s{n}", "p", n, "t", "m", Finish.STOP, 0, 10 + n, 5), True) for n in range(4)])
    samples.publish(0)
    samples.put(1, [Row("s9", Sample("s9", "p", 9, "t", "m", Finish.GIVEN), True), Row("s8", None, False, reason="no")])
    judgements = run.stage("judgements", Judgement)
    judgements.put(0, [judgement(n, 1000 + n, 100 * n if n % 2 else None) for n in range(6)])
    judgements.publish(0)
    judgements.put(1, [judgement(10, 2000, 1500), judgement(11, None, None), Row("x", None, False, reason="gone")])
    judgements.publish(1)
    judgements.put(2, [judgement(20, 3000, 0), judgement(21, 500, None), Row("y", None, False, reason="gone")])
    run.stage("rankings", Ranking).put(0, [Row("r", Ranking("p", ("a",), (0.0,)), True)])


def decoded(run: Run) -> dict[str, Spent]:
    kinds = {"samples": Sample, "judgements": Judgement}
    return {
        name: sum((Spent.of(one) for one in run.stage(name, kind).records(ok=None)), Spent())
        for name, kind in kinds.items()
    }


def test_the_sums_are_those_of_the_records(folder: Path) -> None:
    with opened(folder) as run:
        fill(run)
        usage = Usage(folder)
        assert usage.read() == decoded(run)
        stage = run.stage("judgements", Judgement)
        stage.publish(2)
        stage.reopen(1)
        stage.put(1, [judgement(12, 7, 7)])
        assert usage.read() == decoded(run)  # a shard that has changed is read anew
    assert Usage(folder).read() == usage.read()


def test_a_shard_that_does_not_read_back_is_not_counted(folder: Path) -> None:
    with opened(folder) as run:
        fill(run)
    (folder / "judgements/00000.parquet").write_bytes(b"no parquet")
    (folder / "judgements/00001.parquet").unlink()
    assert Usage(folder).read()["judgements"] == Spent(2, 3500, 2, 0, 3000)


def test_costs_are_tokens_times_the_prices_of_whom_they_were_asked_of(folder: Path) -> None:
    with opened(folder, prices=PRICES) as run:
        fill(run)
    standing = Looker(folder).look()
    costs = {stage.view.name: stage.cost for stage in standing.stages}
    cached = 100 + 300 + 500 + 1500
    prompt = 6 * 1000 + 15 + 2000 + 3500
    assert costs["samples"] == pytest.approx((46 * 1.0 + 20 * 4.0) / 1e6)
    assert costs["judgements"] == pytest.approx(((prompt - cached) * 2.0 + cached * 0.5 + 10 * 8.0) / 1e6)
    assert costs["rankings"] is None
    assert standing.cost == pytest.approx((costs["samples"] or 0) + (costs["judgements"] or 0))
    result = CliRunner().invoke(cli, ["status", "r"])
    (header,) = [line.split() for line in result.stdout.splitlines() if "recorded" in line]
    assert " ".join(header) == "stage recorded failed owed tokens in cached tokens out cost shards outcomes last write"
    assert "Cost of the recorded answers: 0.02 EUR." in result.stderr
    data = json.loads(CliRunner().invoke(cli, ["status", "r", "--json"]).stdout)
    assert data["currency"] == "EUR"
    assert data["cost"] == pytest.approx(standing.cost)
    judgements = data["stages"][1]
    told = 1001 + 1003 + 1005 + 2000 + 3000
    assert judgements["cached_share"] == pytest.approx(cached / told)
    assert judgements["prompt_tokens"] == prompt


def test_without_prices_and_tokens_their_columns_are_left_out(folder: Path) -> None:
    with opened(folder) as run:
        stage = run.stage("samples", Sample)
        stage.put(0, [Row("s1", Sample("s1", "p", 0, "t", "m", Finish.GIVEN), True)])
    result = CliRunner().invoke(cli, ["status", "r"])
    (header,) = [line.split() for line in result.stdout.splitlines() if "recorded" in line]
    assert " ".join(header) == "stage recorded failed owed shards outcomes last write"
    assert "Cost" not in result.stderr
    (stage_data,) = json.loads(CliRunner().invoke(cli, ["status", "r", "--json"]).stdout)["stages"]
    assert [stage_data[name] for name in ("prompt_tokens", "cached_tokens", "cached_share", "cost", "rate")] == [
        None
    ] * 5


def test_a_narrow_terminal_gets_several_tables_that_fit_and_break_no_number(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with opened(folder, prices=PRICES) as run:
        fill(run)
    servers = tuple(ServerStats(f"http://10.0.0.{n}:8000/v1", 1234, 35.1, 16, 16, 0.1 * n, 2.4, 3, 3) for n in (1, 2))
    live = Live(Holder(1, "h", "t"), "judgements", "judging", done=5, planned=10, servers=servers)
    standing = replace(Looker(folder).look(), live=(live,))
    wide, narrow = page(standing), Text.from_ansi(page(standing, width=80)).plain
    assert wide.count("stage ") == 1
    assert narrow.count("stage ") == 3
    tables = [line for line in narrow.splitlines()[2:] if not line.startswith("judging")]
    assert max(map(len, tables)) <= 80
    for whole in ("0.00013 EUR", "16 of 16", "10.0.0.2:8000"):
        assert whole in wide
        assert whole in narrow
    assert "slowest" in narrow
    assert "1,234" in wide
    assert "1,234" not in narrow
