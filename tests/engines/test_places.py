"""Places: GPUs by their names of this machine, whatever the engine calls them; servers by their address."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines.places import UNKNOWN, chosen_gpus, first_gpus, gpus, torch_place
from engines.registry import create_engine
from engines.server import Setup
from engines.server_flags import VllmServer
from tenet.ids import Json

JUDGE = Path(__file__).parents[2] / "pocket/models/judge"


@pytest.fixture
def third_and_fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")


@pytest.mark.usefixtures("third_and_fifth")
def test_gpus_have_one_name_each() -> None:
    assert torch_place(torch.device("cuda:1")) == gpus(["5"]) == gpus(chosen_gpus([1]))
    assert torch_place(torch.device("cpu")) == {"cpu"}
    assert first_gpus(2) == {"gpu:3", "gpu:5"}
    assert first_gpus(3) == UNKNOWN
    assert chosen_gpus(["GPU-5a", 7]) == ("GPU-5a", "7")


@pytest.mark.usefixtures("third_and_fifth")
def test_servers_of_our_own_are_where_their_options_put_them(monkeypatch: pytest.MonkeyPatch) -> None:
    found = VllmServer("vllm.none", frozenset({"tensor_parallel_size"}), frozenset(), on_cpu=False)
    monkeypatch.setattr(VllmServer, "find", classmethod(lambda cls: found))

    def setup(**options: Json) -> Setup:
        return Setup.of(str(JUDGE), options)

    assert setup().place == {"gpu:3"}
    assert setup(tensor_parallel_size=2).place == {"gpu:3", "gpu:5"}
    assert setup(replicas=2).place == {"gpu:3", "gpu:5"}
    chosen = setup(device_ids=[1])
    assert chosen.place == {"gpu:5"}
    assert chosen.devices() == [("5",)]
    assert "device_ids" not in chosen.flags
    assert chosen.told == {}


def test_places_of_the_other_engines() -> None:
    urls = ("http://localhost:8000/v1", "https://api.example.org/v1")
    with create_engine("http", "m", base_url=urls, options={"api": "chat"}) as remote:
        assert remote.place == {"127.0.0.1:8000", "api.example.org:443"}
    with create_engine("transformers", str(JUDGE), options={"device": "cpu"}) as here:
        assert here.place == {"cpu"}
    assert create_engine("scripted", "hash", options={"device": "gpu:1"}).place == {"gpu:1"}
