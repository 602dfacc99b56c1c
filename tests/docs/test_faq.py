"""The messages on the page of questions are those that are printed: each is provoked, or where that is dear looked up in the source."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import re
import socket
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest

import pocket
from engines.scripted_server import scripted_server
from engines.server_flags import no_vllm
from tenet.cli import cli
from tenet.environment import require_matching_torchvision
from tenet.errors import StorageFailed, UsageError
from tenet.runs.atomic import storage
from tenet.runs.lock import FileLock
from tests.docs.labels_of_a_run import labels_of_a_run
from tests.generate.runs_example import write_run

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/faq.md").read_text(encoding="utf-8")
QUOTES: Final = dict(re.findall(r"^### ([^\n]+)\n\n```text\n(.+?)\n```", PAGE, re.MULTILINE | re.DOTALL))
IN_THE_SOURCE: Final = {
    "Memory": ("engines/transformers.py", "train/session.py"),
}
"""What takes a machine whose memory is full: its lines must stand in these files."""
LONG: Final = "word " * 900
PAIR: Final = {"prompt": "Which?", "chosen": "this", "rejected": "that"}


def normal(text: str, home: Path) -> str:
    """A text with what differs from machine to machine taken out: the folder, ports, processes and times."""
    text = re.sub(rf"{re.escape(str(home))}|/home/me", "HOME", text)
    text = re.sub(r"(?<=127\.0\.0\.1:)\d+|(?<=port )\d+", "PORT", text)
    text = re.sub(r"process \d+ on \S+,", "process P on HOST,", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+[+-]\d{4}", "TIME", text)


class Place:
    """A folder with a run file on the scripted engine, and the command line in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.environment = monkeypatch
        monkeypatch.chdir(folder)
        write_run(folder, prompts=4)
        self.file = folder / "run.yaml"
        self.file.write_text(self.file.read_text().replace("name: run", "name: support"))

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def judge(self, rest: str) -> None:
        """Another judge in the place of the scripted one."""
        self.edit("judge: {engine: scripted, model: longer", f"judge: {{{rest}}}  #")

    def rows(self, name: str, *rows: object) -> None:
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def tenet(self, *words: str, code: int | None = None) -> str:
        """Give a command as a person would; what it says on stderr."""
        self.environment.setattr(sys, "argv", ["tenet", *words])
        said = io.StringIO()
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(io.StringIO()),
            pytest.raises(SystemExit) as done,
        ):
            cli.main()
        assert done.value.code == code or (code is None and done.value.code), said.getvalue()
        return said.getvalue()

    def generate(self, *words: str, code: int | None = None) -> str:
        return self.tenet("generate", "run.yaml", *words, code=code)

    def train(self, method: str, data: str, *settings: str, code: int | None = None) -> str:
        more = [word for setting in settings for word in ("--set", setting)]
        return self.tenet(
            "train", method, "--model", str(pocket.POLICY_PATH), "--data", data, "--out", "out", *more, code=code
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("OPENAI_API_KEY", "HF_HUB_OFFLINE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path, monkeypatch)


def unknown_key(place: Place) -> str:
    place.edit("policy:", "polcy:")
    place.file.write_text(place.file.read_text() + "judges: 3\n")
    return place.generate()


def no_prompts(place: Place) -> str:
    place.rows("odd.jsonl", {"instruct": "Which?"})
    place.edit("prompts.jsonl", "odd.jsonl")
    return place.generate()


def no_principles(place: Place) -> str:
    place.edit("principles: principles.yaml", "principles: helpfullness")
    return place.generate()


def other_settings(place: Place) -> str:
    place.generate(code=0)
    return place.generate("--set", "policy.temperature=0.2")


def edited_principles(place: Place) -> str:
    place.generate(code=0)
    file = place.folder / "principles.yaml"
    file.write_text(file.read_text().replace("is kind", "is very kind"))
    return place.generate()


def another_writer(place: Place) -> str:
    place.generate(code=0)
    with FileLock(Path("runs/support/.lock")):
        return place.generate()


def no_run(place: Place) -> str:
    place.generate(code=0)
    return place.tenet("status", "suport")


def no_server(place: Place) -> str:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    place.judge(f'engine: http, base_url: "http://127.0.0.1:{port}/v1", model: m, options: {{api: chat}}')
    return place.generate()


def asked_of(place: Place, model: str, **server: str | bool) -> str:
    with scripted_server(**server) as running:
        place.judge(f'engine: http, base_url: "{running.base_url}", model: {model}, options: {{api: chat}}')
        return place.generate()


def refused_key(place: Place) -> str:
    place.environment.setenv("KEY_OF_THE_SERVER", "right")
    return asked_of(place, "scripted", key_env="KEY_OF_THE_SERVER")


def hub_off(place: Place) -> str:
    from huggingface_hub import constants

    place.environment.setattr(constants, "HF_HUB_OFFLINE", True)
    place.judge("engine: transformers, model: org/judge")
    return place.generate()


def pickled(place: Place) -> str:
    (place.folder / "pickled").mkdir()
    (place.folder / "pickled/config.json").write_text("{}")
    (place.folder / "pickled/pytorch_model.bin").write_bytes(b"x")
    place.judge("engine: transformers, model: pickled")
    return place.generate()


def no_letter(place: Place) -> str:
    place.edit("model: longer, options: {", "model: longer, options: {label_mass: 0.1, ")
    return place.generate()


def two_torches(place: Place) -> str:
    found = {"torch": "2.13.0+cpu", "torchvision": "0.28.0"}
    place.environment.setattr(metadata, "version", found.__getitem__)
    with pytest.raises(UsageError) as caught:
        require_matching_torchvision()
    return str(caught.value)


def full_disk(place: Place) -> str:
    with pytest.raises(StorageFailed) as caught, storage(place.folder / "runs/support/samples/00000.db"):
        raise OSError(errno.ENOSPC, "No space left on device")
    return f"Error: {caught.value}"


def missing_vllm(_: Place) -> str:
    return str(no_vllm("vllm"))


def taken_port(place: Place) -> str:
    place.generate(code=0)
    with socket.create_server(("127.0.0.1", 0)) as held:
        return place.tenet("view", "support", "--port", str(held.getsockname()[1]), "--no-open")


def unknown_columns(place: Place) -> str:
    place.generate(code=0)
    (place.folder / "votes.csv").write_text("question,left,right,winner\nWhich?,this,that,1\n")
    return place.tenet("labels", "import", "votes.csv", "--to", "runs/support")


def few_labels(place: Place) -> str:
    place.generate(code=0)
    labels_of_a_run(Path("runs/support"), Path("labels.jsonl"), limit=2)
    place.tenet("labels", "import", "labels.jsonl", "--to", "runs/support", code=0)
    return place.tenet("calibrate", "support")


def margin(place: Place) -> str:
    place.rows("m.jsonl", {**PAIR, "margin": 1.0})
    return place.train("reward", "m.jsonl")


def too_long(place: Place) -> str:
    place.rows("l.jsonl", *[{**PAIR, "prompt": LONG}] * 3, PAIR)
    return place.train("dpo", "l.jsonl", "max_length=64")


def half_precision(place: Place) -> str:
    import torch

    if torch.accelerator.is_available():
        pytest.skip("this machine has a GPU")
    place.rows("pairs.jsonl", PAIR)
    return place.train("dpo", "pairs.jsonl", "precision=bf16")


def held_folder(place: Place) -> str:
    place.rows("pairs.jsonl", *({**PAIR, "prompt": f"Which, {number}?"} for number in range(8)))
    place.train("dpo", "pairs.jsonl", "max_steps=1", code=0)
    return place.train("dpo", "pairs.jsonl", "max_steps=1")


PROVOKED: Final[dict[str, Callable[[Place], str]]] = {
    "vLLM is missing": missing_vllm,
    "An unknown key": unknown_key,
    "No prompts where they are looked for": no_prompts,
    "A principles file that is not there": no_principles,
    "The same run with other settings": other_settings,
    "Principles that were edited": edited_principles,
    "Somebody else is writing": another_writer,
    "A run that is not there": no_run,
    "No server answers": no_server,
    "The server has another model": lambda place: asked_of(place, "other"),
    "The server refuses the key": refused_key,
    "No log-probabilities": lambda place: asked_of(place, "scripted", no_logprobs=True),
    "The hub is switched off": hub_off,
    "Pickled weights": pickled,
    "A judge that does not answer with a letter": no_letter,
    "Two torches that do not fit": two_torches,
    "The disk is full": full_disk,
    "A port that is taken": taken_port,
    "Columns that are not known": unknown_columns,
    "Too few to calibrate": few_labels,
    "A column that TRL would act on": margin,
    "Rows that are too long": too_long,
    "Half precision without a GPU": half_precision,
    "The folder holds a training": held_folder,
}


OF_TRAINING: Final = re.findall(r"^### (.+)$", PAGE.partition("\n## Training\n")[2], re.MULTILINE)


@pytest.mark.parametrize("title", PROVOKED)
def test_a_message_is_the_one_that_is_printed(title: str, place: Place) -> None:
    if title in OF_TRAINING:
        pytest.importorskip("trl")
    said = PROVOKED[title](place)
    assert normal(QUOTES[title], place.folder) in normal(said, place.folder)


@pytest.mark.parametrize("title", IN_THE_SOURCE)
def test_a_message_that_is_dear_to_provoke_stands_in_the_source(title: str) -> None:
    source = "".join((ROOT / file).read_text(encoding="utf-8") for file in IN_THE_SOURCE[title])
    assert [line for line in QUOTES[title].splitlines() if line.strip() not in source] == []


def test_every_message_on_the_page_is_held_to_something() -> None:
    assert QUOTES.keys() == {*PROVOKED, *IN_THE_SOURCE}
    assert PAGE.count("```text\n") == len(QUOTES)
