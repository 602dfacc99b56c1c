"""Samples are judged while others are drawn, and nothing else changes: the same bytes, whatever stops it and whenever."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from engines.scripted import ScriptedEngine
from generate.context import Step
from generate.pipeline import ALL, Order, generate
from tenet.console import Console
from tenet.errors import BudgetReached, EngineError, InvalidInput, JudgeUnfit
from tenet.ids import Json
from tenet.live import FILES, Live, read_live
from tenet.records import Judgement, Sample
from tenet.runs import Row, Run, Stage
from tests.generate.runs_example import (
    cut_shards,
    dataset_digest,
    make_order,
    quiet,
    start,
    words_of,
    write_rows,
    write_run,
)

SHARD = 16
PROMPTS = 4 * SHARD
ELSEWHERE: dict[str, Json] = {"device": "gpu:1", "batch": 16, "latency": 0.04}
Events = list[tuple[str, int]]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_shards(monkeypatch, SHARD)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Events:
    """What is put into which stage, in the order of events."""
    events: Events = []
    real = Stage.put

    def put(self: Stage[Any], shard: int, rows: list[Row[Any]]) -> None:
        real(self, shard, rows)
        events.append((self.name, len(rows)))

    monkeypatch.setattr(Stage, "put", put)
    return events


def order(folder: Path, place: str, *, max_tokens: int | None = None, **keys: Json) -> Order:
    folder.mkdir(exist_ok=True)
    rows = ({"prompt": f"Question {number}: what should I do about it?"} for number in range(PROMPTS))
    values: dict[str, Json] = {
        "prompts": {"path": write_rows(folder / "prompts.jsonl", rows)},
        "policy": {"engine": "scripted", "model": "hash", "samples": 2, "max_tokens": 16, "options": ELSEWHERE},
        "judge": {"engine": "scripted", "model": "longer", "options": {"noise": 0.5, "batch": 16}},
        "critique": "none",
        **keys,
    }
    made = make_order(folder / place if place else folder, "run", values)
    return Order(made.config, made.folder, made.command, ALL, max_tokens=max_tokens)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Order]:
    """An order in a folder of its own; policy and judge are on different devices unless keywords say otherwise."""

    def made(place: str, **more: Any) -> Order:
        (tmp_path / place).mkdir(exist_ok=True)
        return order(tmp_path, place, **more)

    return made


def counts(run: Path) -> tuple[int, int]:
    with Run.read(run) as found:
        return (
            len(list(found.stage(Step.SAMPLES, Sample).records())),
            len(list(found.stage(Step.JUDGEMENTS, Judgement).records())),
        )


def failing(monkeypatch: pytest.MonkeyPatch, method: str, calls: int) -> None:
    """Have a scripted engine fail as a whole from the n-th call of a method."""
    real: Callable[..., Any] = getattr(ScriptedEngine, method)
    left = iter(range(calls))

    def call(self: ScriptedEngine, *arguments: Any) -> Any:
        if next(left, None) is None:
            raise EngineError("the device is gone")
        return real(self, *arguments)

    monkeypatch.setattr(ScriptedEngine, method, call)


def held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the policy draw two shards and wait with the rest until the judge has been asked."""
    generates, reads = ScriptedEngine.generate, ScriptedEngine.read_labels
    first, asked = iter(range(4)), threading.Event()

    def generate(self: ScriptedEngine, *arguments: Any) -> Any:
        if "gpu:1" in self.place and next(first, None) is None:
            assert asked.wait(60)
            time.sleep(0.3)  # a batch takes longer than to tell the other thread
        return generates(self, *arguments)

    def read_labels(self: ScriptedEngine, *arguments: Any) -> Any:
        asked.set()
        return reads(self, *arguments)

    monkeypatch.setattr(ScriptedEngine, "generate", generate)
    monkeypatch.setattr(ScriptedEngine, "read_labels", read_labels)


def beside(events: Events) -> bool:
    """Whether a judgement was recorded before the last sample was."""
    names = [name for name, _ in events]
    return names.index("judgements") < len(names) - 1 - names[::-1].index("samples")


TWO: list[Json] = [
    {"engine": "scripted", "model": "hash", "samples": 2, "max_tokens": 16, "name": "one"},
    {"engine": "scripted", "model": "longer", "samples": 2, "max_tokens": 16, "name": "two", "options": ELSEWHERE},
]


@pytest.mark.parametrize(
    "keys",
    [
        {"critique": "pairs"},
        {"policy": TWO, "schedule": {"kind": "knockout", "second_order": "close"}},
        {"policy": {"engine": "scripted", "model": "hash", "samples": 2, "max_tokens": 16,
                    "options": {**ELSEWHERE, "errors": 0.05}}, "max_failures": 0.2},
    ],
    ids=["round-robin", "two policies in waves", "failures"],
)  # fmt: skip
def test_the_dataset_is_that_of_one_after_the_other(
    make: Callable[..., Order], recorded: Events, keys: dict[str, Json]
) -> None:
    generate(make("apart", overlap="no", **keys), quiet()).close()
    assert not beside(recorded)
    recorded.clear()
    together = make("together", **keys)
    generate(together, quiet()).close()
    assert beside(recorded)
    assert dataset_digest(together.folder) == dataset_digest(make("apart").folder)
    recorded.clear()
    generate(together, quiet()).close()
    assert not [name for name, _ in recorded if name in ("samples", "judgements")]  # nothing is owed


def test_models_that_share_a_device_work_one_after_the_other(make: Callable[..., Order], recorded: Events) -> None:
    same: Json = {"engine": "scripted", "model": "hash", "samples": 2, "max_tokens": 16, "options": {"batch": 16}}
    generate(make("shared", policy=same), quiet()).close()
    assert not beside(recorded)
    recorded.clear()
    generate(make("told", policy=same, overlap="yes"), quiet()).close()
    assert beside(recorded)
    with pytest.raises(InvalidInput, match="workers on Ray hold one model at a time"):
        make("ray", overlap="yes", workers="ray")


@pytest.mark.parametrize(("method", "calls"), [("generate", 5), ("read_labels", 3)])
def test_when_one_fails_the_other_stops_and_everything_is_kept(
    make: Callable[..., Order], recorded: Events, method: str, calls: int
) -> None:
    asked = make("failing")
    with pytest.MonkeyPatch.context() as patch:
        if method == "read_labels":
            held_up(patch)
        failing(patch, method, calls)
        with pytest.raises(EngineError, match="the device is gone"):
            generate(asked, quiet())
    drawn = sum(number for name, number in recorded if name == "samples")
    judged = sum(number for name, number in recorded if name == "judgements")
    assert counts(asked.folder) == (drawn, judged)
    assert not list(asked.folder.glob(FILES))
    assert 0 < drawn < 2 * PROMPTS
    if method == "read_labels":
        assert judged > 0
    recorded.clear()
    generate(asked, quiet()).close()
    assert sum(number for name, number in recorded if name == "samples") == 2 * PROMPTS - drawn
    generate(make("whole", overlap="no"), quiet()).close()
    assert dataset_digest(asked.folder) == dataset_digest(make("whole").folder)


def test_both_are_told_to_those_who_look_on(make: Callable[..., Order], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = make("told")
    generates, first, looked = ScriptedEngine.generate, iter(range(4)), threading.Event()
    seen: list[tuple[Live, ...]] = []

    def draw(self: ScriptedEngine, *arguments: Any) -> Any:
        """Two shards, and the rest once somebody has seen that they are drawn and judged, or looks no more."""
        if next(first, None) is None:
            looked.wait()
        return generates(self, *arguments)

    def look() -> None:
        until = time.monotonic() + 60
        while not seen and time.monotonic() < until:
            time.sleep(0.02)
            told = read_live(asked.folder)
            if len(told) == 2 and all(live.done for live in told):
                seen.append(told)
        looked.set()

    monkeypatch.setattr(ScriptedEngine, "generate", draw)
    console = Console(out=StringIO(), err=StringIO())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(look)
        generate(asked, console).close()
    ((drawing, judging),) = seen
    drawn, judged = counts(asked.folder)
    assert (drawing.stage, drawing.planned, drawing.growing) == ("samples", drawn, False)
    assert 0 < drawing.done <= 4 * SHARD
    assert (judging.stage, judging.growing, judging.eta_seconds) == ("judgements", True, None)
    assert judging.planned is not None
    assert 0 < judging.done <= judging.planned < judged
    said = console.err.getvalue()  # type: ignore[attr-defined]
    assert f"judging: {judged} of {judged} (100 %)" in said
    assert not list(asked.folder.glob(FILES))


def test_a_limit_holds_for_both_together(make: Callable[..., Order]) -> None:
    with pytest.raises(BudgetReached) as stopped:
        generate(make("limited", max_tokens=12_000), quiet())
    asked = make("limited")
    with Run.read(asked.folder) as run:
        samples = list(run.stage(Step.SAMPLES, Sample).records())
        judgements = list(run.stage(Step.JUDGEMENTS, Judgement).records())
    told = [*samples, *judgements]
    assert sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in told) <= 12_000
    assert samples
    assert "Everything is kept" in str(stopped.value)
    generate(make("limited", max_tokens=10_000_000), quiet()).close()
    generate(make("whole", overlap="no"), quiet()).close()
    assert dataset_digest(asked.folder) == dataset_digest(make("whole").folder)


def test_a_judge_that_does_not_answer_is_found_on_the_first_samples(make: Callable[..., Order]) -> None:
    mute: Json = {"engine": "scripted", "model": "longer", "options": {"label_mass": 0.01}}
    asked = make("mute", judge=mute)
    with pytest.MonkeyPatch.context() as patch:
        held_up(patch)
        with pytest.raises(JudgeUnfit):
            generate(asked, quiet())
    drawn, judged = counts(asked.folder)
    assert SHARD * 2 <= drawn < 2 * PROMPTS
    assert judged == 0


def test_answers_of_another_run_are_taken(make: Callable[..., Order], recorded: Events) -> None:
    old = make("old")
    generate(old, quiet()).close()
    recorded.clear()
    console = quiet()
    new = make("new", reuse=[str(old.folder)], overlap="yes")
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, "generate", 0)
        failing(patch, "read_labels", 0)
        generate(new, console).close()
    assert dataset_digest(new.folder) == dataset_digest(old.folder)


def waits(console: Path, what: Callable[[], object]) -> None:
    until = time.monotonic() + 120
    while not what():
        assert time.monotonic() < until, console.read_text()
        time.sleep(0.02)


def long_run(folder: Path) -> Path:
    return write_run(folder, prompts=600, latency=0.02, more="overlap: yes\ncritique: none\n")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the dataset of `long_run` where nothing is stopped and one follows the other."""
    folder = tmp_path_factory.mktemp("unbroken")
    with start(words_of(long_run(folder), folder, "--set", "overlap=no"), folder / "log.txt") as process:
        assert process.wait(240) == 0, (folder / "log.txt").read_text()
    return dataset_digest(folder / "run")


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_stopped_amid_both_the_same_command_goes_on(tmp_path: Path, blow: signal.Signals, unbroken: str) -> None:
    file = long_run(tmp_path)
    log, runs = tmp_path / "log.txt", tmp_path / "stopped"
    with start(words_of(file, runs), log) as process:
        waits(log, lambda: process.poll() is not None or list((runs / "run/judgements").glob("*.db*")))
        process.send_signal(blow)
        assert process.wait(120) == (130 if blow is signal.SIGINT else -signal.SIGKILL)
    said = log.read_text()
    if blow is signal.SIGINT:
        assert said.count("Stopping after the work in hand") == 1
        assert said.count("Stopped; everything recorded is kept") == 1
    drawn, _ = counts(runs / "run")
    assert 256 * 3 <= drawn < 600 * 3
    with start(words_of(file, runs), log) as process:
        assert process.wait(240) == 0, log.read_text()
    assert dataset_digest(runs / "run") == unbroken


def test_each_has_its_own_live_line(tmp_path: Path) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    clock = iter(range(1000))
    console = Console(err=Terminal(), clock=lambda: float(next(clock)))
    with console.progress("sampling") as one:
        one.start(4)
        with console.progress("judging") as two:
            two.expect(3, 1)
            one.advance(1)
            text = console.err.getvalue()  # type: ignore[attr-defined]
            first, second = text.rpartition("\x1b[2K")[2].split("\n")
            assert first.startswith("sampling: 1 of 4")
            assert second.startswith("judging: 1 of 3")
            console.say("a word")
        assert "\x1b[1A\x1b[2Ka word\n" in console.err.getvalue()  # type: ignore[attr-defined]
    assert console.err.getvalue().endswith("\n")  # type: ignore[attr-defined]
