"""The engine that starts its own servers, with the scripted server in vLLM's place: its life from first question to last process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from engines.base import Request
from engines.registry import create_engine
from engines.server import VllmServerEngine
from engines.server_flags import VllmServer
from engines.server_process import Launch, ServerProcess, free_port
from tenet.config import make_config
from tenet.errors import EngineError, MissingInput, UsageError
from tenet.runconfig import JudgeConfig, RunConfig
from tenet.yamlfile import parse_yaml
from tests.engines.http_world import truth

ROOT = Path(__file__).parents[2]
JUDGE = ROOT / "pocket" / "models" / "judge"
LABELS = ((65,), (66,))
SECONDS = 60.0


FOUND = VllmServer(
    "vllm.none",
    frozenset({"dtype", "max_model_len", "tensor_parallel_size", "gpu_memory_utilization", "quantization"}),
    frozenset(),
    on_cpu=True,
)


@pytest.fixture(autouse=True)
def vllm_that_is_never_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is looked up about an installed vLLM; the server in its place is the scripted one."""
    monkeypatch.setattr(VllmServer, "find", classmethod(lambda cls: FOUND))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    logs = tmp_path / "temporary"
    logs.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(logs))
    monkeypatch.setenv("TMPDIR", str(logs))


def scripted(port: int) -> list[str]:
    return [sys.executable, "-m", "engines.scripted_server", "--port", str(port), "--model", "judge",
            "--key-env", "VLLM_API_KEY", "--max-length", "3000"]  # fmt: skip


def shell(script: str) -> Callable[[int], Sequence[str]]:
    return lambda port: ["sh", "-c", script.replace("PORT", str(port))]


def engine_with(command: Callable[[int], Sequence[str]] = scripted, **options: object) -> VllmServerEngine:
    return VllmServerEngine(str(JUDGE), options={"backoff": 0.02, **options}, _command=command)


def questions(count: int) -> list[Request]:
    text = "{0}: ### Response A\nfirst {0}\n\n### Response B\nother {0}\n\nWhich response is it?"
    return [Request(tuple(text.format(number).encode())) for number in range(count)]


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(what: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_two_replicas_start_when_asked_answer_and_end_with_the_engine() -> None:
    engine = engine_with(replicas=2)
    assert engine.processes == ()
    assert engine.stats() == ()
    assert engine.max_length == 6144
    found = engine.read_labels(questions(40), LABELS)
    assert [read.logprobs for read in found] == [read.logprobs for read in truth(questions(40))]
    first, second = engine.processes
    assert first.port != second.port
    assert [server.name for server in engine.stats()] == [first.base_url, second.base_url]
    assert sum(server.answered for server in engine.stats()) >= 1
    assert engine.max_length == 3000  # what the servers say
    assert len({process.launch.key for process in engine.processes}) == 1
    groups = [process.group for process in engine.processes]
    logs = [process.launch.log for process in engine.processes]
    assert all(log.exists() for log in logs)
    for group in groups:
        command = Path(f"/proc/{group}/cmdline").read_bytes().decode()
        assert first.launch.key not in command
        assert first.launch.key not in repr(first.launch)
        assert group == os.getpgid(group) != os.getpgid(0)
    engine.close()
    assert all(map(gone, groups))
    assert not any(log.parent.exists() for log in logs)
    with pytest.raises(EngineError, match="closed"):
        engine.read_labels(questions(1), LABELS)
    engine.close()


def test_a_check_starts_no_server_beside_another_model() -> None:
    with engine_with() as engine:
        engine.check()
        assert engine.processes == ()
        engine.load()
        engine.check()
        assert len(engine.processes) == 1


def test_a_start_that_fails_shows_the_end_of_the_log_and_keeps_it() -> None:
    script = "for n in $(seq 30); do echo line $n; done; echo CUDA out of memory >&2; exit 3"
    with engine_with(shell(script)) as engine, pytest.raises(EngineError) as caught:
        engine.load()
    assert "the server of judge did not start: it ended with exit status 3" in str(caught.value)
    assert "    line 30\n    CUDA out of memory\n" in str(caught.value)
    assert "line 16\n" not in str(caught.value)
    log = Path(str(caught.value).rpartition("the whole log: ")[2])
    assert log.read_text().startswith("line 1\n")


def test_a_replica_that_fails_stops_the_others(tmp_path: Path) -> None:
    script = f"if mkdir {tmp_path}/first 2>/dev/null; then echo $$ > {tmp_path}/pid; exec sleep 600; else exit 4; fi"
    with engine_with(shell(script), replicas=2, log=str(tmp_path / "logs" / "server.log")) as engine:
        with pytest.raises(EngineError, match="exit status 4"):
            engine.load()
        assert gone(int((tmp_path / "pid").read_text()))
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["server-0.log", "server-1.log"]


def test_a_server_that_is_never_healthy_is_given_up_and_stopped(tmp_path: Path) -> None:
    # A child that leaves the group and ignores SIGTERM goes too.
    stubborn = "import os, signal, time; os.setsid(); signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
    script = f"{sys.executable} -c '{stubborn}' > {tmp_path}/pid & exec sleep 600"
    with engine_with(shell(script), start_timeout=1.5) as engine, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServerProcess.__init__, "__kwdefaults__", {"grace": 0.3})
        with pytest.raises(
            EngineError, match=r"is not healthy after \d+ s; its log is empty\n  raise options.start_timeout"
        ):
            engine.load()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_port_that_somebody_took_is_another_port_where_it_was_ours_to_choose(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = iter([taken, taken])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("engines.server_process.free_port", lambda: next(ports, None) or free_port())
            with engine_with() as engine:
                assert engine.read_labels(questions(1), LABELS)[0].error == ""
                assert engine.processes[0].port != taken
        with (
            engine_with(port=taken) as engine,
            pytest.raises(UsageError, match=f"port {taken} of 127.0.0.1 cannot be used"),
        ):
            engine.load()


def test_somebody_elses_server_on_the_port_is_not_taken_for_ours() -> None:
    alien = subprocess.Popen(
        [sys.executable, "-m", "engines.scripted_server", "--model", "judge"], stdout=subprocess.PIPE, text=True
    )
    assert alien.stdout is not None
    with alien, alien.stdout:
        port = int(alien.stdout.readline().rpartition(":")[2].partition("/")[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("engines.server_process.free_port", lambda: port)
            engine = engine_with(shell("exec sleep 600"), start_timeout=1.0)
            with engine, pytest.raises(EngineError, match="is not healthy"):
                engine.load()
        alien.kill()


def test_a_server_that_dies_at_work_ends_the_stream_at_once_with_its_last_words(tmp_path: Path) -> None:
    script = "echo working; exec " + " ".join(scripted(0)).replace("--port 0", "--port PORT") + " --latency 0.05"
    with engine_with(shell(script), in_flight=1, prompts_per_request=1) as engine:
        stream = engine.stream_labels(questions(500), LABELS)
        next(stream)
        group = engine.processes[0].group
        assert group is not None
        os.killpg(group, signal.SIGKILL)
        with pytest.raises(EngineError) as caught:
            for _ in stream:
                pass
    assert "the server of judge has ended with signal 9; the last lines of its log:\n    working" in str(caught.value)
    assert "what was answered is kept" in str(caught.value)
    assert Path(str(caught.value).rpartition("the whole log: ")[2]).exists()


def test_one_of_two_replicas_may_die() -> None:
    with engine_with(replicas=2, prompts_per_request=1) as engine:
        engine.load()
        group = engine.processes[1].group
        assert group is not None
        os.killpg(group, signal.SIGKILL)
        found = engine.read_labels(questions(60), LABELS)
    assert [read.logprobs for read in found] == [read.logprobs for read in truth(questions(60))]


DRIVER = """
import time
from tests.engines.test_server import FOUND, LABELS, VllmServer, engine_with, questions
VllmServer.find = classmethod(lambda cls: FOUND)
engine = engine_with(replicas=2)
engine.read_labels(questions(1), LABELS)
try:
    print(*(process.group for process in engine.processes), flush=True)
    BEFORE
    time.sleep(600)
except KeyboardInterrupt:
    found = engine.read_labels(questions(20), LABELS)
    print("answered", sum(not read.error for read in found), flush=True)
    END
"""


def driver(end: str, before: str = "pass") -> tuple[subprocess.Popen[str], list[int]]:
    """A process with an engine at work, and the process groups of its servers."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER.replace("END", end).replace("BEFORE", before)], stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize(
    "before", ["pass", "import os; os.fork()"], ids=["alone", "with a forked child that keeps the pipe"]
)
def test_nothing_outlives_a_driver_that_is_killed(before: str) -> None:
    process, groups = driver("pass", before)
    assert len(groups) == 2
    assert not any(map(gone, groups))
    process.kill()
    process.wait()
    wait_for(lambda: all(map(gone, groups)))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("end", ["engine.close()", "pass"])
def test_ctrl_c_leaves_the_servers_to_the_driver_which_finishes_and_stops_them(end: str, tmp_path: Path) -> None:
    process, groups = driver(end)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it: to the whole foreground group
    out, _ = process.communicate(timeout=SECONDS)
    assert out == "answered 20\n"
    assert process.returncode == 0
    assert all(map(gone, groups))
    assert not list((tmp_path / "temporary").iterdir())  # nothing failed: no log is left


def test_options_are_checked_before_anything_starts(tmp_path: Path) -> None:
    def refused(**options: object) -> str:
        with pytest.raises(UsageError) as caught:
            create_engine("vllm-server", str(JUDGE), options=options)  # type: ignore[arg-type]
        return str(caught.value)

    assert "tensor_paralel_size: unknown; did you mean tensor_parallel_size?" in refused(tensor_paralel_size=2)
    assert "replica: unknown; did you mean replicas?" in refused(replica=2)
    assert "write it with underscores: max_model_len" in refused(**{"max-model-len": 100})
    assert "port: '8000' is no int" in refused(port="8000")
    assert "port: 65536 is no port" in refused(port=65536)
    assert "replicas: must be more than 0" in refused(replicas=0)
    assert "in_flight: must be more than 0" in refused(in_flight=0)
    secret = refused(api_key="sk-" + "planted", host="0.0.0.0")
    assert "planted" not in secret
    assert "api_key: Tenet sets this itself" in secret
    assert "host: Tenet sets this itself" in secret
    with pytest.raises(MissingInput, match=r"no config\.json"):
        create_engine("vllm-server", str(tmp_path))
    with pytest.raises(UsageError, match="vllm-server starts its own server and takes no address"):
        create_engine("vllm-server", str(JUDGE), base_url=["http://127.0.0.1:1/v1"])


def test_run_yaml_takes_the_engine_and_no_address_for_it() -> None:
    assert not list(JudgeConfig("m", "vllm-server", options={"replicas": 2}).complaints())
    (found,) = JudgeConfig("m", "vllm-server", ("http://127.0.0.1:1/v1",)).complaints()
    assert found.message == "the engine vllm-server starts its own server and takes no address"


def test_what_the_model_is_is_known_without_a_server() -> None:
    with engine_with(max_model_len=1000, gpu_memory_utilization=0.5, quantization="fp8", replicas=3) as engine:
        info = engine.info
        assert (info.engine, info.model) == ("vllm-server", "judge")
        assert info.parameters == {"dtype": "float32", "quantization": "fp8"}
        assert engine.max_length == 1000
        assert engine.capabilities.prefix_cache
        assert engine.tokenizer.label_set(("A", "B"))
        assert engine.processes == ()


SERVE = """
import sys
from engines.server import Setup
from tests.engines.test_server import FOUND, VllmServer, scripted, shell
VllmServer.find = classmethod(lambda cls: FOUND)
Setup.command = lambda self, port: COMMAND
from tenet.cli import cli
cli.main(sys.argv[1:])
"""


def served(command: str, *words: str) -> subprocess.Popen[str]:
    """`tenet serve judge`, with another command in place of vLLM's."""
    return subprocess.Popen(
        [sys.executable, "-c", SERVE.replace("COMMAND", command), "serve", "judge", str(JUDGE), *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize("form", ["--json", "--set=dtype=float32"], ids=["JSON", "lines of run.yaml"])
def test_serve_prints_the_lines_to_use_it_and_stops_with_ctrl_c(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "planted")
    port = free_port()
    process = served("scripted(port)", "--port", str(port), "--log", str(tmp_path / "log"), form)
    assert process.stderr is not None
    said = [process.stderr.readline(), process.stderr.readline()]
    assert said[1:] == [f"Serving until Ctrl-C; the log is {tmp_path / 'log'}\n"], (said, process.communicate())
    os.killpg(process.pid, signal.SIGINT)
    out, rest = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert rest == "Stopped.\n"
    assert "planted" not in out + "".join(said)
    told = json.loads(out) if form == "--json" else parse_yaml(out).data
    if form == "--json":
        assert told.pop("base_url") == [f"http://127.0.0.1:{port}/v1"]
    others = {"name": "n", "principles": "helpfulness", "samples": {"path": str(tmp_path / "log")}}
    judge = make_config({**told, **others}, RunConfig).judge
    assert judge.base_url == (f"http://127.0.0.1:{port}/v1",)
    assert judge.options["tokenizer"] == str(JUDGE)
    assert judge.options["api_key_env"] == "VLLM_API_KEY"
    with (
        pytest.raises(EngineError, match="no server answers"),
        create_engine("http", judge.model, base_url=judge.base_url, options=judge.options) as engine,
    ):
        engine.check()


def test_serve_ends_with_the_log_when_its_server_does() -> None:
    process = served("shell('echo no such device; exit 7')(port)", "--port", str(free_port()))
    out, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 3
    assert out == ""
    assert "did not start: it ended with exit status 7; the last lines of its log:\n    no such device\n" in said
    wrong = served("scripted(port)", "--set", "dtyp=float32").communicate(timeout=SECONDS)
    assert "dtyp: unknown; did you mean dtype?" in wrong[1]


def test_on_windows_a_server_is_refused_with_a_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.server_process.sys", SimpleNamespace(platform="win32"))
    with pytest.raises(EngineError, match="WSL"):
        ServerProcess(Launch("m", lambda port: ["never"], {}, tmp_path / "log"))
    assert not (tmp_path / "log").exists()
