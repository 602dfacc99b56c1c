"""Principles watched while they are edited: each save's effect, what is asked for it, broken files, saves that overtake, Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from constitution.load import load
from generate.answers import CACHE
from generate.judged_by import FOLDER
from generate.measured import Session
from generate.relabel import relabel
from generate.saves import Saves
from generate.show_watch import Blocks
from generate.watch import Begun, Costed, Event, Harmless, Invalid, Seen, run_file, watch
from tenet.cli import cli
from tenet.console import Console
from tenet.errors import InvalidInput, TenetError
from tenet.ids import Json
from tests.generate.runs_example import ROOT, quiet, write_principles
from tests.generate.test_diff_run import EDITED, PAIRS, WORDS, look, make_run

LATE: Json = {"engine": "scripted", "model": "longer", "principles": "each", "options": {"noise": 3.0, "latency": 0.3}}


class Watched:
    """The real command at work on a file."""

    def __init__(self, run: Path, *words: str) -> None:
        self.file = run.parent.parent / "principles.yaml"
        self.words = [sys.executable, "-m", "tenet", "principles", "watch", str(self.file), "--run", str(run), *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            self.words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    def save(self, words: tuple[str, ...]) -> dict[str, Any]:
        """Save the file, and give the line about it."""
        write_principles(self.file, words)
        return self.line()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def until(self, part: str) -> str:
        """All lines up to one that holds this."""
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if part in line:
                return text
        raise AssertionError(text)

    def stop(self) -> tuple[int, str]:
        """Ctrl-C; gives the exit code and what was said."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@contextmanager
def watched(run: Path, *words: str) -> Iterator[Watched]:
    found = Watched(run, *words)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()


@contextmanager
def told(run: Path, file: str = "") -> Iterator[tuple[Iterator[Event], Path]]:
    """The events of a file, in this process."""
    path = Path(file or run.parent.parent / "principles.yaml")
    saves = Saves(str(path), also=[run_file(run)])
    with Session(run, load(str(next((run / FOLDER).iterdir()))), quiet()) as session:
        yield watch(session, saves, lambda _: None, size=1000), path


def kinds(events: Iterator[Event], count: int) -> list[type[Event]]:
    return [type(next(events)) for _ in range(count)]


def questions(folder: Path) -> int:
    return (folder / "asked.log").read_text().count("\n")


def test_the_command_tells_of_each_save_and_asks_only_what_is_new(tmp_path: Path) -> None:
    run = make_run(tmp_path, mode="each")
    held = (run / "run.json").read_bytes()
    with watched(run, "--sample", "40", "--json") as command:
        first = command.line()
        assert (first["state"], first["text"]["identical"]) == ("same", True)
        found = command.save(EDITED)
        assert found["state"] == "effect"
        assert found["text"]["changes"][0]["kinds"] == ["reworded"]
        effect = found["effect"]
        assert (effect["sample"], effect["asked"]["calls"], effect["answers_taken"]) == (40, 80, 40 * 8)
        assert effect["flips"] > 0
        assert effect["by_principle"][0]["id"] == "p1"
        assert [len(one["turned_by"]) for one in effect["examples"]] == [1, 1]
        (step,) = [one for one in effect["relabelling"]["steps"] if one["stage"] == "judgements"]
        assert step["owed"]["expected"] == 2 * (PAIRS - 40)
        asked = questions(tmp_path)

        assert command.save(WORDS)["state"] == "same"
        again = command.save(EDITED)["effect"]
        assert (again["asked"]["calls"], again["flips"]) == (0, effect["flips"])

        command.file.write_text(command.file.read_text().replace("text: The response is neat.", "txt: The"))
        broken = command.line()
        assert (broken["state"], broken["problems"][0]["line"]) == ("invalid", 8)
        assert "txt" in broken["message"]
        assert command.save(EDITED)["effect"]["flips"] == effect["flips"]

        both = command.save(("kind", "neat", "short", "exact"))["effect"]
        assert both["asked"]["calls"] == 80, "only the second change is asked"
        assert questions(tmp_path) == asked + 80
        code, said = command.stop()
    assert code == 0
    assert "Watching" in said
    assert (run / "run.json").read_bytes() == held
    same = look(
        run, str(write_principles(tmp_path / "edited.yaml", EDITED)), size=40, first=str(next((run / FOLDER).iterdir()))
    )
    assert [same.effect.rate.as_json(), same.effect.spent.calls] == [
        {key: effect["flip_rate"][key] for key in same.effect.rate.as_json()}, 0,
    ]  # fmt: skip


def test_a_pipe_gets_a_block_a_save(tmp_path: Path) -> None:
    run = make_run(tmp_path, prices={"judge": {"prompt": 1.0, "completion": 2.0}})
    with watched(run, "--sample", "12") as command:
        assert "the same principles as the file that" in command.until("Nothing was asked")
        write_principles(command.file, EDITED)
        block = command.until("Relabelling the whole run")
        for part in (
            "[-tidy.-] {+neat.+}",
            "95 % interval",
            "p1",
            "reworded",
            "turned by p1",
            "s from the save",
            "USD",
        ):
            assert part in block
        command.file.write_text("principles: []\n")
        assert f"{command.file}:1:1" in command.until("The last effect stands, of an earlier save.")
        assert command.stop()[0] == 0


def test_a_save_overtakes_the_one_before(tmp_path: Path) -> None:
    """Nothing is told of the first of two, and what was asked for it is kept."""
    run = make_run(tmp_path, judge=LATE)
    other = ("kind", "neat", "short", "exact")
    with told(run) as (events, file):
        assert kinds(events, 1) == [Harmless]
        write_principles(file, EDITED)
        assert kinds(events, 1) == [Begun]
        write_principles(file, other)
        begun, seen, costed = (next(events) for _ in range(3))
        assert isinstance(begun, Begun)
        assert isinstance(seen, Seen)
        assert isinstance(costed, Costed)
        assert begun.difference.second == seen.difference.second == load(str(file))
        write_principles(file, EDITED)
        next(events)
        alone = next(events)
        assert isinstance(alone, Seen)
        assert alone.effect.spent.calls == 0, "of the two principles of the second save one is that of the first"
        assert seen.effect.spent.calls <= 4 * PAIRS


def test_a_file_put_back_while_it_is_measured_is_told_of(tmp_path: Path) -> None:
    run = make_run(tmp_path, judge=LATE)
    with told(run) as (events, file):
        next(events)
        write_principles(file, EDITED)
        assert kinds(events, 1) == [Begun]
        write_principles(file, WORDS)
        assert kinds(events, 1) == [Harmless]
        write_principles(file, EDITED)
        assert kinds(events, 3) == [Begun, Seen, Costed]


def test_ctrl_c_while_asking_ends_and_keeps_the_answers(tmp_path: Path) -> None:
    run = make_run(tmp_path, judge={**LATE, "options": {"noise": 3.0, "latency": 0.15, "batch": 32}})  # type: ignore[dict-item]
    with watched(run) as command:
        command.until("Nothing was asked")
        write_principles(command.file, EDITED)
        command.until("neat")
        code, said = command.stop()
        assert code == 0
        assert "Traceback" not in said
    found = look(run, str(command.file), first=str(next((run / FOLDER).iterdir())))
    assert found.effect.spent.calls <= 2 * PAIRS
    assert len(found.effect.compared) == PAIRS


def test_what_a_file_includes_counts_too(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    own = tmp_path / "own.yaml"
    head = "schema_version: 1\nname: own\ninclude: [{}]\n"
    own.write_text(head.format("principles.yaml"))
    with told(run, str(own)) as (events, _):
        assert kinds(events, 1) == [Harmless]
        write_principles(tmp_path / "aside.yaml", EDITED).replace(tmp_path / "principles.yaml")
        assert kinds(events, 3) == [Begun, Seen, Costed]
        own.write_text(head.format("coming.yaml"))
        broken = next(events)
        assert isinstance(broken, Invalid)
        assert "coming.yaml" in str(broken.error)
        write_principles(tmp_path / "coming.yaml", WORDS)
        assert kinds(events, 1) == [Harmless]


def test_a_run_that_takes_the_edit_on_is_the_new_measure(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with told(run) as (events, file):
        next(events)
        write_principles(file, EDITED)
        assert kinds(events, 3) == [Begun, Seen, Costed]
        relabel(run, str(file), run / CACHE, quiet()).close()
        assert kinds(events, 1) == [Harmless]
        write_principles(file, WORDS)
        begun, seen = next(events), next(events)
        assert isinstance(begun, Begun)
        assert begun.difference.first == load(str(write_principles(tmp_path / "edited.yaml", EDITED)))
        assert isinstance(seen, Seen)
        assert seen.effect.spent.calls == 0


class Screen(StringIO):
    """A terminal, as far as anybody asks."""

    def isatty(self) -> bool:
        return True


def test_a_screen_keeps_the_last_effect_under_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    run = make_run(tmp_path)
    screen = Screen()
    view = Blocks(tmp_path / "principles.yaml", run, Console(out=screen), 1)
    with told(run) as (events, file):
        view.show(next(events))
        write_principles(file, EDITED)
        for _ in range(3):
            view.show(next(events))
        effect = screen.getvalue().rpartition("\x1b[2J")[2]
        assert "verdicts flip" in effect
        file.write_text("name: 3\n")
        view.show(next(events))
        shown = screen.getvalue().rpartition("\x1b[2J")[2]
        assert "cannot be measured" in shown
        assert shown.endswith(f"The last effect stands, of an earlier save:\n\n{effect}")
        write_principles(file, WORDS)
        view.show(next(events))
        assert "flip" not in screen.getvalue().rpartition("\x1b[2J")[2]


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    def command(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(cli, ["principles", "watch", *words])
        return found.exit_code, found.stderr

    run = make_run(tmp_path)
    file = str(tmp_path / "principles.yaml")
    assert command(file)[0] == 2
    assert command(file, "--run", "nowhere")[0] == 3
    assert command("nowhere.yaml", "--run", str(run))[0] == 3
    shutil.rmtree(run / FOLDER)
    write_principles(Path(file), EDITED)
    code, said = command(file, "--run", str(run))
    assert code == 3
    assert "tenet principles diff OLD NEW" in said


def gone(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    write_principles(file.with_name("aside"), EDITED).replace(file)


@pytest.mark.parametrize(
    "change", [gone, replaced, lambda file: file.write_text("")], ids=["gone", "replaced", "emptied"]
)
def test_a_save_is_another_content(tmp_path: Path, change: Callable[[Path], object]) -> None:
    file = write_principles(tmp_path / "principles.yaml", WORDS)
    saves = Saves(str(file))
    assert saves.load() == load(str(file))
    assert not saves.changed()
    file.touch()
    write_principles(file.with_name("aside"), WORDS).replace(file)
    assert not saves.changed()
    change(file)
    assert saves.changed()
    saves.wait()
    if change is replaced:
        assert saves.load() == load(str(file))
    else:
        with pytest.raises(TenetError) as caught:
            saves.load()
        assert isinstance(caught.value, InvalidInput) == file.exists()
        assert not saves.changed()
        saves.wait()  # it is tried again in any case: what it lacks may be a file that nobody looks at
    write_principles(file, WORDS)
    saves.load()
    assert not saves.changed()
