"""Flags: found in vLLM's sources without importing it, and written as a command line; GPUs: shared out among replicas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines.server_devices import assign_devices, visible_devices
from engines.server_flags import VllmServer, words_of
from tenet.errors import MissingInput, UsageError

NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def fake_vllm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package called vllm that must not be imported, laid out as the real one."""
    root = tmp_path / "site" / "vllm"
    for name, text in {
        "__init__.py": "raise AssertionError('imported')",
        "engine/arg_utils.py": 'group.add_argument("--dtype", "-d")\nparser.add_argument("--max-model-len", help="see --nothing")\n',
        "entrypoints/launchers/cli_args.py": "class BaseFrontendArgs:\n    max_log_len: int = 0\nclass Other:\n    no_flag: int = 0\n",
        "entrypoints/launchers/api_server/entry.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(str(root.parent))
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    return root


def test_flags_are_read_from_the_sources_without_an_import(fake_vllm: Path) -> None:
    found = VllmServer.find()
    assert found.flags == {"dtype", "max_model_len", "max_log_len"}
    assert found.serving == {"max_log_len"}
    assert found.module == "vllm.entrypoints.launchers.api_server.entry"
    assert "vllm" not in sys.modules


def test_sources_laid_out_otherwise_leave_the_refusal_to_vllm(fake_vllm: Path) -> None:
    (fake_vllm / "engine" / "arg_utils.py").unlink()
    found = VllmServer.find()
    assert found.flags == NOTHING
    found.check({"whatever": 1}, NOTHING)
    with pytest.raises(UsageError, match="host: Tenet sets this itself"):
        found.check({"host": "0.0.0.0"}, NOTHING)


def test_all_that_is_wrong_is_said_together(fake_vllm: Path) -> None:
    with pytest.raises(UsageError) as caught:
        VllmServer.find().check(
            {"dtyp": "half", "no_dtype": True, "max-model-len": 5, "zzz": 1, "model": "m"}, frozenset({"port"})
        )
    assert str(caught.value).splitlines()[1:] == [
        "  dtyp: unknown; did you mean dtype?",
        "  no_dtype: write dtype: false",
        "  max-model-len: write it with underscores: max_model_len",
        "  zzz: unknown; vLLM's server has no such flag",
        "  model: Tenet sets this itself: it is the engine's model",
    ]


def test_without_vllm_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.server_flags.find_spec", lambda name: None)
    with pytest.raises(MissingInput, match=r"pip install 'tenet-rlaif\[vllm\]'"):
        VllmServer.find()


def test_values_as_a_command_line() -> None:
    flags = {"dtype": "half", "enforce_eager": True, "enable_prefix_caching": False, "quantization": None,
             "override_generation_config": {"top_k": 5}, "stop_words": ["a", "b c"], "swap": -1}  # fmt: skip
    assert words_of(flags) == [  # type: ignore[arg-type]
        "--dtype=half", "--enforce-eager", "--no-enable-prefix-caching", '--override-generation-config={"top_k": 5}',
        "--stop-words", "a", "b c", "--swap=-1",
    ]  # fmt: skip


def test_every_replica_has_gpus_of_its_own() -> None:
    assert assign_devices("0123", 2, 2) == [("0", "1"), ("2", "3")]
    assert assign_devices("0123", 3, 1) == [("0",), ("1",), ("2",)]
    assert assign_devices((), 3, 2) == [(), (), ()]
    assert assign_devices(("0", "1"), 4, 1, 0.45) == [("0",), ("1",), ("0",), ("1",)]
    with pytest.raises(
        UsageError, match=r"3 replicas on 2 GPUs each need 6; there are 4\n  lower options.replicas to 2$"
    ):
        assign_devices("0123", 3, 2)
    with pytest.raises(UsageError, match=r"or let 2 share a GPU: gpu_memory_utilization: 0\.45"):
        assign_devices("0", 2, 1)
    with pytest.raises(UsageError, match="need 2; there are 1"):
        assign_devices("0", 2, 1, 0.9)


def test_gpus_are_those_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5a,3")
    assert visible_devices() == ("2", "GPU-5a", "3")
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert visible_devices() == ()


def test_the_supervisor_says_that_a_command_is_not_there() -> None:
    import os

    script = Path(__file__).parents[2] / "engines" / "server_supervisor.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(os.getpid()), "1", "--", "/no/such/command"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (127, "/no/such/command: No such file or directory\n")


def test_on_windows_vllm_is_refused_with_a_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.server_flags.find_spec", lambda name: None)
    monkeypatch.setattr("engines.server_flags.sys", SimpleNamespace(platform="win32"))
    with pytest.raises(MissingInput, match="does not run on Windows") as caught:
        VllmServer.find()
    assert "engine: http" in caught.value.hint
