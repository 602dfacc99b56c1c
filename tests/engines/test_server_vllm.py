"""The engine vllm-server with vLLM itself: it starts, says what the same model says in this process, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from engines.base import Request, SamplingParams
from engines.prompting import ChatTokenizer, trusted, untrusted
from engines.registry import create_engine
from engines.server import VllmServerEngine
from engines.server_flags import REFUSED, VllmServer
from tests.engines.test_server import gone

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

JUDGE = Path(__file__).parents[2] / "pocket" / "models" / "judge"


@pytest.fixture(autouse=True)
def vllm() -> None:
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")


def asked(tokenizer: ChatTokenizer, count: int) -> list[Request]:
    return [
        Request(
            tokenizer.chat(
                [("user", [trusted("Which is better, A or B?\n"), untrusted(f"A: {n} cats\nB: {n * 7} dogs, please")])]
            ),
            n,
        )
        for n in range(count)
    ]


def members(group: int) -> Sequence[int]:
    """The living processes of a group."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getpgid(int(folder.name)) == group and not gone(int(folder.name)):
                    found.append(int(folder.name))
            except ProcessLookupError:
                continue
    return found


def test_the_server_says_what_the_model_says_and_nothing_is_left_of_it() -> None:
    options = {"max_model_len": 2048, "kv_cache_memory_bytes": 2**28, "prompts_per_request": 20}
    server = create_engine("vllm-server", str(JUDGE), options=options)
    assert isinstance(server, VllmServerEngine)
    with server, create_engine("transformers", str(JUDGE), options={"device": "cpu", "dtype": "float32"}) as inside:
        requests = asked(server.tokenizer, 60)
        assert requests == asked(inside.tokenizer, 60)
        labels = server.tokenizer.label_set(("A", "B"))
        expected = inside.read_labels(requests, labels)
        found = server.read_labels(requests, labels)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.error == ""
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
        greedy = SamplingParams(max_tokens=12, temperature=0.0)
        mine, other = server.generate(requests[:8], greedy), inside.generate(requests[:8], greedy)
        assert sum(a.text == b.text for a, b in zip(mine, other, strict=True)) >= 7
        server.load()
        assert server.max_length == 2048
        group = server.processes[0].group
        assert group is not None
        assert len(members(group)) >= 2  # the server and its engine's process
        server.close()
        assert members(group) == []


def test_it_is_the_model_that_the_engine_vllm_hosts() -> None:
    options = {"max_model_len": 1024, "quantization": "fp8", "gpu_memory_utilization": 0.5}
    kwargs = {"prefill": "Answer: "}
    with (
        create_engine("vllm", str(JUDGE), options=options, **kwargs) as inside,
        create_engine("vllm-server", str(JUDGE), options={**options, "replicas": 2}, **kwargs) as server,
    ):
        ours, theirs = server.info.as_json(), inside.info.as_json()
        assert isinstance(ours, dict)
        assert isinstance(theirs, dict)
        assert {**ours, "engine": "vllm"} == theirs
        assert server.capabilities == inside.capabilities
        assert server.max_length == inside.max_length


def test_the_flags_are_those_of_vllms_own_parser() -> None:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser())
    declared = {
        word[2:].replace("-", "_")
        for action in parser._actions
        for word in action.option_strings
        if word.startswith("--") and not word.startswith("--no-")
    }
    found = VllmServer.find()
    assert declared - REFUSED.keys() <= found.flags
    assert importlib.util.find_spec(found.module) is not None
    # what the sources name and the parser does not have is next to nothing
    assert len(found.flags - declared) <= 5, sorted(found.flags - declared)
