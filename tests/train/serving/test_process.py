"""`tenet serve rewards` in a process of its own, under the clients that RL stacks load."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.serve_rewards import Case, as_openrlhf, as_verl, cases, counter, served
from engines.cli import serve
from tenet.errors import EngineError, InvalidInput, MissingInput, UsageError
from train.rewards import RewardModelSource
from train.serving import trl
from train.serving.client import KEY_VARIABLE, URL_VARIABLE, RewardClient
from train.serving.verl import compute_score, prompt_of

REQUESTS, CONCURRENT = 300, 64
KEY = "a-key-of-some-length"


@pytest.fixture(scope="module")
def given(reward_model: Path) -> list[Case]:
    return cases(REQUESTS, str(reward_model))


@pytest.fixture(scope="module")
def offline(given: list[Case], reward_model: Path) -> list[float | None]:
    prompts = [[{"role": "user", "content": case.prompt}] for case in given]
    return RewardModelSource(str(reward_model)).score(prompts, [case.response for case in given])


@pytest.fixture(scope="module")
def address(reward_model: Path) -> Iterator[str]:
    with served(["--reward", str(reward_model), "--batch", "16"]) as (address, _):
        yield address


def test_an_openrlhf_shaped_client_gets_all_rewards(
    address: str, given: list[Case], offline: list[float | None]
) -> None:
    got = asyncio.run(as_openrlhf(address, given, CONCURRENT))
    assert got.rewards == pytest.approx(offline, abs=1e-5)
    assert got.tries == REQUESTS
    assert counter(address, "batch_rows_sum") / counter(address, "batch_rows_count") > 4


def test_a_verl_shaped_client_gets_all_rewards(address: str, given: list[Case], offline: list[float | None]) -> None:
    assert as_verl(address, given, CONCURRENT).rewards == pytest.approx(offline, abs=1e-5)


def test_trl_gets_all_rewards(
    address: str, given: list[Case], offline: list[float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, address)
    logged: dict[str, float] = {}
    given, offline = given[:100], offline[:100]
    prompts = [[{"role": "user", "content": case.prompt}] for case in given]
    completions = [[{"role": "assistant", "content": case.response}] for case in given]
    found = asyncio.run(trl.reward(prompts, completions, completion_ids=[], log_metric=logged.__setitem__))
    assert found == pytest.approx(offline, abs=1e-5)
    assert logged == {"rewards/none": 0.0}
    over_long = asyncio.run(trl.reward(["Egg?"], ["word " * 1000]))
    assert over_long == [None]
    with pytest.raises(UsageError, match="turns of assistant, tool"):
        asyncio.run(trl.reward(["a"], [[{"role": "assistant", "content": "b"}, {"role": "tool", "content": "c"}]]))


def test_verl_names_what_it_lacks(address: str) -> None:
    long = {"solution_str": "word " * 1000, "extra_info": {"prompt": "Egg?"}, "url": address}
    with pytest.raises(UsageError, match="could say nothing"):
        compute_score(**long)  # type: ignore[arg-type]
    assert compute_score(**long, missing=-1.0) == {"score": -1.0}  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no prompt under prompt or question; its keys: index"):
        compute_score("data", "Five.", "", {"index": 3}, url=address)
    turns = np.array([{"role": "user", "content": "Egg?"}], dtype=object)  # as Parquet gives them
    assert prompt_of({"prompt": turns}, ("prompt",)) == [{"role": "user", "content": "Egg?"}]


def test_verls_function_needs_python_alone() -> None:
    """verl loads the file by its path, in an environment without Tenet's libraries (`-S`: none but the standard ones)."""
    root = Path(__file__).resolve().parents[3]
    file = root / "train" / "serving" / "verl.py"
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r}); from importlib import util; "
        f"spec = util.spec_from_file_location('custom_module', {str(file)!r}); module = util.module_from_spec(spec); "
        "spec.loader.exec_module(module); print(module.compute_score.__name__)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("compute_score", 0), done.stderr


def test_a_client_says_what_is_wrong(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=URL_VARIABLE):
        RewardClient()
    with pytest.raises(UsageError, match="no address of a reward server"):
        RewardClient("rewards:5000")
    with pytest.raises(UsageError, match=r"status 400: prompts\[0\] is neither"):
        RewardClient(address).score([[{"role": "root", "content": "a"}]], ["b"])
    with pytest.raises(EngineError, match="no rewards after 2 attempts"):
        RewardClient("http://127.0.0.1:9", tries=2).score(["a"], ["b"])


def test_a_busy_server_sends_clients_away_and_finishes_what_it_has_when_stopped(
    reward_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    words = ["--reward", str(reward_model), "--batch", "1", "--queue", "2", "--api-key-file", str(key)]
    with served(words) as (address, process):
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        client = RewardClient(address, tries=30)
        with ThreadPoolExecutor(12) as pool:
            statuses = set(pool.map(lambda _: posted(address), range(24)))
            found = list(pool.map(lambda number: client.score(["Egg?"] * 3, [f"Number {number}."] * 3), range(12)))
        assert {status for status, _ in statuses} == {200, 503}
        assert all(again.isdecimal() and int(again) >= 1 for status, again in statuses if status == 503)
        assert all(one is not None for rewards in found for one in rewards)
        with pytest.raises(UsageError, match="status 401"):
            RewardClient(address, "another-key-of-length").score(["a"], ["b"])
        stopped_with_work_in_hand(address, process)
    assert process.returncode == 0


def stopped_with_work_in_hand(address: str, process: subprocess.Popen[str]) -> None:
    """SIGTERM while a long request waits: it is answered all the same."""
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(RewardClient(address, tries=1).score, ["Egg?"] * 200, [f"{n} and more" for n in range(200)])
        while not long.done() and counted(address, "queue_rows") < 20:
            pass
        assert not long.done()
        process.send_signal(signal.SIGTERM)
        assert len(long.result(60)) == 200
    process.wait(60)


def posted(address: str) -> tuple[int, str]:
    """The status of a request of three rows, and its Retry-After."""
    body = json.dumps({"prompts": ["Egg?"] * 3, "responses": ["Five."] * 3}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    try:
        with urlopen(Request(f"{address}/score", body, headers), timeout=60) as reply:
            return reply.status, ""
    except HTTPError as error:
        return error.code, error.headers["Retry-After"]


def counted(address: str, name: str) -> float:
    request = Request(f"{address}/metrics", headers={"Authorization": f"Bearer {KEY}"})
    with urlopen(request, timeout=30) as reply:
        lines = reply.read().decode().splitlines()
    return next((float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"tenet_rewards_{name} ")), 0.0)


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        ([], UsageError, "either --reward MODEL or --judge MODEL"),
        (["--reward", "a", "--judge", "b"], UsageError, "either --reward MODEL or --judge MODEL"),
        (["--judge", "a"], UsageError, "--judge and --principles go together"),
        (["--reward", "a", "--principles", "b"], UsageError, "are for a judge"),
        (["--reward", "a", "--host", "0.0.0.0"], UsageError, "there is no key"),
        (["--reward", "a", "--api-key-file", "nowhere"], MissingInput, "the key cannot be read"),
        (["--reward", "a", "--missing", "nan"], UsageError, "--missing must be a number"),
        (["--reward", "./nowhere"], MissingInput, "there is no such folder"),
        (["--judge", "a", "--principles", "b", "--set", "kind=ratings"], InvalidInput, "rating"),
    ],
)
def test_the_command_refuses_what_cannot_work(words: list[str], kind: type[Exception], said: str) -> None:
    result = CliRunner().invoke(serve, ["rewards", *words])
    assert isinstance(result.exception, kind)
    assert said in str(result.exception)


def test_a_policy_is_no_reward_model(tiny_model: Path) -> None:
    result = CliRunner().invoke(serve, ["rewards", "--reward", str(tiny_model)])
    assert isinstance(result.exception, UsageError)
    assert "is no reward model" in str(result.exception)


@pytest.mark.parametrize("key", ["short", "", "with a space in it, long", "naïve-and-long-enough"])
def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "key").write_text(key, encoding="utf-8")
    result = CliRunner().invoke(serve, ["rewards", "--reward", "a", "--api-key-file", str(tmp_path / "key")])
    assert isinstance(result.exception, InvalidInput)
    assert key not in str(result.exception) or not key
