"""A run folder is made, resumed, refused and locked as it should be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tenet.errors import FingerprintMismatch, InvalidInput, MissingInput, RunLocked, UsageError
from tenet.records import Finish, Sample
from tenet.runs import Change, Fingerprint, Row, Run, versions

CONFIG: dict[str, Any] = {"name": "r", "seed": 3, "judge": {"model": "m"}}
PRINT = Fingerprint(
    {"judge": {"model": "m", "tokenizer": "t"}, "seed": 3},
    {"prompts": {"sha256": "aa", "limit": None}, "principles": "p1"},
    {"torch": "2.13.0"},
)


def opened(path: Path, fingerprint: Fingerprint = PRINT, said: list[str] | None = None) -> Run:
    say = said.append if said is not None else lambda _: None
    return Run.open(path, CONFIG, fingerprint, command="tenet generate run.yaml", say=say)


def test_a_new_run_carries_what_made_it(tmp_path: Path) -> None:
    with opened(tmp_path / "runs" / "r") as run:
        assert run.name == "r"
        assert run.changes == run.changes.__class__()
    data = json.loads((tmp_path / "runs" / "r" / "run.json").read_text())
    assert data["seed"] == 3
    assert data["command"] == "tenet generate run.yaml"
    assert data["fingerprint"]["identity"]["judge"] == {"model": "m", "tokenizer": "t"}
    assert "model: m" in (tmp_path / "runs" / "r" / "run.yaml").read_text()
    with Run.read(tmp_path / "runs" / "r") as run:
        assert run.config == CONFIG
        assert run.fingerprint == PRINT
        assert run.read_only


def test_the_same_command_goes_on_and_leaves_the_file_alone(tmp_path: Path) -> None:
    opened(tmp_path / "r").close()
    before = (tmp_path / "r" / "run.json").read_bytes()
    with opened(tmp_path / "r") as run:
        assert not run.changes
    assert (tmp_path / "r" / "run.json").read_bytes() == before


def test_another_identity_is_refused_field_by_field_with_the_ways_out(tmp_path: Path) -> None:
    opened(tmp_path / "r").close()
    other = Fingerprint({"judge": {"model": "n", "tokenizer": "t"}, "seed": 4}, PRINT.growth, PRINT.informational)
    with pytest.raises(FingerprintMismatch) as caught:
        opened(tmp_path / "r", other)
    text = str(caught.value)
    assert "judge.model: m -> n" in text
    assert "seed: 3 -> 4" in text
    assert "tokenizer" not in text
    assert "--set name=r-2" in text
    assert "or put the run's values back" in text
    assert caught.value.exit_code == 2
    opened(tmp_path / "r").close()  # the refusal let the lock go


def test_growth_waits_for_the_caller_and_versions_are_a_remark(tmp_path: Path) -> None:
    opened(tmp_path / "r").close()
    grown = Fingerprint(PRINT.identity, {**PRINT.growth, "principles": "p2"}, {"torch": "2.14.0"})
    said: list[str] = []
    with opened(tmp_path / "r", grown, said) as run:
        assert run.changes.growth == (Change("principles", "p1", "p2"),)
        with pytest.raises(RuntimeError, match="accept"):
            run.stage("samples", Sample)
    assert said == ["note: this run was begun with another torch: 2.13.0 -> 2.14.0"]
    assert Run.read(tmp_path / "r").fingerprint == PRINT  # nothing was accepted
    with opened(tmp_path / "r", grown) as run:
        run.accept()
        run.stage("samples", Sample)
    after = Run.read(tmp_path / "r")
    assert after.fingerprint == grown
    assert after.history[-1]["changes"] == ["principles: p1 -> p2", "torch: 2.13.0 -> 2.14.0"]


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    with opened(tmp_path / "r"):
        with pytest.raises(RunLocked, match=f"process {os.getpid()} on "):
            opened(tmp_path / "r")
        with Run.read(tmp_path / "r") as reader:
            assert reader.config == CONFIG
    opened(tmp_path / "r").close()


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    script = f"""
import os, time
from pathlib import Path
from tenet.runs.lock import FileLock
lock = FileLock(Path({str(tmp_path)!r}) / ".lock")
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(30)
    os._exit(0)
print(child, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False)
    child = int(done.stdout)
    try:
        from tenet.runs.lock import FileLock, is_held, read_holder

        holder = read_holder(tmp_path / ".lock")
        assert holder is not None
        assert not holder.alive
        assert not is_held(tmp_path / ".lock")
        with FileLock(tmp_path / ".lock"):
            assert is_held(tmp_path / ".lock")
        assert not is_held(tmp_path / ".lock")
    finally:
        os.kill(child, 9)


def test_the_marker_file_takes_over_where_there_is_no_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenet.runs import lock as locks

    monkeypatch.setattr(locks, "_flock", lambda descriptor, shared=False: None)
    path = tmp_path / "l"
    with locks.FileLock(path):
        assert locks.is_held(path)
        with pytest.raises(locks.Locked) as caught:
            locks.FileLock(path)
        assert caught.value.holder is not None
        assert caught.value.holder.pid == os.getpid()
    assert not locks.is_held(path)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, check=True)
    mine = json.loads(locks._myself())
    path.with_name("l.held").write_text(json.dumps({**mine, "pid": int(gone.stdout)}))
    locks.FileLock(path).release()


def test_places_that_are_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        opened(tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        opened(tmp_path / "full")
    assert [item.name for item in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    opened(tmp_path / "r").close()
    with pytest.raises(MissingInput, match=r"Runs in .*: r"):
        Run.read(tmp_path / "nothing")


def test_a_crash_before_run_json_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.yaml").write_text("half")
    (tmp_path / "r" / ".run.json.1.tmp").write_text("half")
    with opened(tmp_path / "r") as run:
        assert run.config == CONFIG
    assert not (tmp_path / "r" / ".run.json.1.tmp").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 99}'])
def test_an_unreadable_run_json_is_one_clear_error(tmp_path: Path, text: str) -> None:
    opened(tmp_path / "r").close()
    (tmp_path / "r" / "run.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"run\.json"):
        Run.read(tmp_path / "r")


def test_write_json_is_whole_and_refused_to_readers(tmp_path: Path) -> None:
    with opened(tmp_path / "r") as run:
        path = run.write_json("dataset/counts.json", {"pairs": 3})
        assert json.loads(path.read_text()) == {"pairs": 3}
        with pytest.raises(ValueError, match="Out of range"):
            run.write_json("bad.json", float("nan"))
        assert not (run.path / "bad.json").exists()
    with Run.read(tmp_path / "r") as run, pytest.raises(ValueError, match="reading"):
        run.write_json("x.json", 1)


def test_stages_come_back_through_the_run(tmp_path: Path) -> None:
    sample = Sample("s", "p", 0, "t", "m", Finish.STOP)
    with opened(tmp_path / "r") as run:
        stage = run.stage("samples", Sample)
        assert run.stage("samples", Sample) is stage
        stage.put(0, [Row("k", sample, ok=True)])
    with Run.read(tmp_path / "r") as run:
        assert list(run.stage("samples", Sample).records()) == [sample]
        assert list(run.manifest.stages) == ["samples"]
        assert list(run.stage("none", Sample).records()) == []
    assert not (tmp_path / "r" / "none").exists()


def test_versions_are_told_without_importing() -> None:
    script = "import sys; from tenet.runs import versions; v = versions(); print('torch' in sys.modules, v['torch'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
    assert done.stdout.split()[1] == str(versions()["torch"])


def test_a_changed_setting_of_a_sampler_is_told_by_the_key_that_sets_it() -> None:
    assert (
        str(Change("policy lab/m-1.5.sampling.temperature", 1.0, 0.3)) == "policy.temperature (lab/m-1.5): 1.0 -> 0.3"
    )
    assert str(Change("judge.seed", 1, 2)) == "judge.seed: 1 -> 2"
