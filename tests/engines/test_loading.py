"""A model that is not there, or is no model, is told in words that mend it."""

import json
import shutil

import pytest

from engines.base import Request
from engines.loading import context_length, eos_ids, find_model, folder_revision
from engines.options import checked
from engines.registry import create_engine
from tenet.errors import MissingInput, UsageError


def test_a_folder_is_found_and_known_by_its_contents(tiny_model, tmp_path):
    source = find_model(str(tiny_model))
    assert (source.name, source.location) == ("tiny", str(tiny_model))
    twin = tmp_path / "twin"
    shutil.copytree(tiny_model, twin)
    assert folder_revision(twin) == source.revision
    weights = twin / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    assert folder_revision(twin) != source.revision


@pytest.mark.parametrize("name", ["./none", "/no/such/model", "a/b/c", "", "~/none-here"])
def test_a_path_that_is_not_there(name):
    with pytest.raises(MissingInput, match=r"no such folder[\s\S]*save_pretrained"):
        find_model(name)


def test_a_name_that_the_hub_does_not_give():
    with pytest.raises(MissingInput, match=r"tenet-tests/no-such-model: neither a folder here nor a model"):
        find_model("tenet-tests/no-such-model")


def test_folders_that_are_no_model(tmp_path):
    with pytest.raises(MissingInput, match=r"no config\.json"):
        find_model(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(MissingInput, match="an adapter"):
        find_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MissingInput, match="no weights"):
        find_model(str(tmp_path))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(MissingInput, match=r"pickled weights[\s\S]*safetensors"):
        find_model(str(tmp_path))
    with pytest.raises(MissingInput, match="a file, where a model's folder is needed"):
        find_model(str(tmp_path / "config.json"))


def test_a_broken_model_is_missing_not_a_crash(tiny_model, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    (broken / "config.json").write_text('{"model_type": "no-such-type"}')
    with pytest.raises(MissingInput, match="broken: the model cannot be loaded"):
        create_engine("transformers", str(broken))
    (broken / "config.json").write_text("{")
    with pytest.raises(MissingInput, match="broken: the model cannot be loaded"):
        create_engine("transformers", str(broken))


def test_damaged_weights_are_told(tiny_model, tmp_path):
    broken = tmp_path / "cut"
    shutil.copytree(tiny_model, broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    engine = create_engine("transformers", str(broken))
    with pytest.raises(MissingInput, match="cut: the model cannot be loaded"):
        engine.read_labels([Request((5, 6, 7))], [(5,), (6,)])


class _Config:
    def __init__(self, **values):
        self.__dict__.update(values)


def test_context_length_is_the_lesser_of_model_and_wish():
    assert context_length(_Config(max_position_embeddings=2048), None) == 2048
    assert context_length(_Config(max_position_embeddings=2048), 512) == 512
    assert context_length(_Config(max_position_embeddings=2048), 9999) == 2048
    assert context_length(_Config(n_positions=77), None) == 77


def test_eos_comes_from_the_generation_config_first():
    tokenizer = _Config(eos_token_id=2)
    assert eos_ids(_Config(eos_token_id=1), _Config(eos_token_id=[5, 6]), tokenizer) == {2, 5, 6}
    assert eos_ids(_Config(eos_token_id=1), None, tokenizer) == {1, 2}
    assert eos_ids(_Config(), None, _Config(eos_token_id=None)) == frozenset()


def test_options_are_checked_all_at_once():
    kinds = {"dtype": str, "rows": int, "fast": bool, "share": (int, float)}
    assert checked("e", {"rows": 3, "fast": True, "share": 0.5, "dtype": None}, kinds)["rows"] == 3
    with pytest.raises(UsageError) as caught:
        checked("e", {"dtpye": "x", "rows": True, "share": "much"}, kinds)
    text = str(caught.value)
    assert "did you mean dtype?" in text
    assert "rows: True is no int" in text
    assert "share: 'much' is no int or float" in text


def test_unknown_engine():
    with pytest.raises(UsageError, match="'tgi' is none of transformers, vllm, vllm-server, http, recorded, scripted"):
        create_engine("tgi", "x")


@pytest.mark.parametrize("trusted", [False, True])
def test_code_that_comes_with_a_model_runs_only_where_it_is_asked_for(tiny_model, tmp_path, monkeypatch, trusted):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, ran = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(tiny_model, folder)
    told = {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(told))
    (folder / "own.py").write_text(
        f"from pathlib import Path\nPath({str(ran)!r}).touch()\nraise ImportError('own code')\n"
    )
    with pytest.raises(MissingInput, match="the model cannot be loaded"):
        create_engine("transformers", str(folder), options={"trust_remote_code": trusted})
    assert ran.exists() is trusted
