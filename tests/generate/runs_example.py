"""Small runs on the scripted engine as files, orders and commands, and what tests ask of them afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from io import StringIO
from pathlib import Path

import pytest

from generate.context import Step
from generate.pipeline import ALL, Order
from tenet.config import make_config
from tenet.console import Console
from tenet.ids import Json
from tenet.runconfig import RunConfig

ROOT = Path(__file__).parents[2]
PRINCIPLE = "  - id: {name}\n    text: The response is {word}.\n"
WORDS = ("kind", "tidy", "brief", "exact", "calm", "frank", "warm", "plain", "bold", "sound")


CUTTERS = ("shards", "prompt_shards", "questions", "deriving", "plan")
"""The modules of generate that know how many prompts make a shard."""
TWO_PRINCIPLES = """
schema_version: 1
name: two
version: "1.0"
principles:
  - id: thorough
    text: The response says more.
  - id: tidy
    text: The response is tidy.
    tier: rule
"""


def quiet() -> Console:
    """A console that says nothing."""
    return Console(quiet=True, out=StringIO(), err=StringIO())


def cut_shards(monkeypatch: pytest.MonkeyPatch, prompts: int) -> None:
    """Have shards of so many prompts, for the length of a test."""
    for module in CUTTERS:
        monkeypatch.setattr(f"generate.{module}.PROMPTS_PER_SHARD", prompts)


def write_rows(path: Path, rows: Iterable[Mapping[str, Json]]) -> str:
    """A JSONL file of rows; gives its path as run.yaml names it."""
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def make_order(
    folder: Path, name: str, values: Mapping[str, Json], *, steps: Collection[Step] = ALL, relabel: bool = False
) -> Order:
    """An order for a run with the two principles; `values` are the other keys of run.yaml."""
    principles = folder / "principles.yaml"
    if not principles.exists():
        principles.write_text(TWO_PRINCIPLES)
    config = make_config({"name": name, "principles": str(principles), **values}, RunConfig)
    return Order(config, folder / "runs" / name, "tenet generate run.yaml", steps, relabel)


def write_principles(path: Path, words: tuple[str, ...] = WORDS) -> Path:
    """A principles file with one principle a word; ids are numbers, so that a word can be edited."""
    body = "".join(PRINCIPLE.format(name=f"p{number}", word=word) for number, word in enumerate(words))
    path.write_text(f'schema_version: 1\nname: several\nversion: "1.0"\nprinciples:\n{body}')
    return path


def write_run(
    folder: Path,
    *,
    prompts: int,
    latency: float = 0.0,
    samples: int = 3,
    words: tuple[str, ...] = WORDS[:2],
    more: str = "",
) -> Path:
    """A run.yaml in a folder, with its prompts and principles."""
    folder.mkdir(parents=True, exist_ok=True)
    write_principles(folder / "principles.yaml", words)
    rows = [json.dumps({"prompt": f"Question {number}: what should I do about it?"}) for number in range(prompts)]
    (folder / "prompts.jsonl").write_text("\n".join(rows))
    options = f"{{latency: {latency}, batch: 16}}"
    (folder / "run.yaml").write_text(
        "name: run\nprinciples: principles.yaml\nprompts: {path: prompts.jsonl}\n"
        f"policy: {{engine: scripted, model: hash, samples: {samples}, options: {options}}}\n"
        f"judge: {{engine: scripted, model: longer, options: {{noise: 0.5, latency: {latency}, batch: 16}}}}\n{more}"
    )
    return folder / "run.yaml"


def words_of(file: Path, runs: Path, *more: str) -> list[str]:
    """The command that carries the run out."""
    return [sys.executable, "-m", "tenet", "generate", str(file), "--runs", str(runs), *more]


def start(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in the tree that is tested; what it says goes to `log`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    with log.open("ab") as out:
        return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True)


def dataset_digest(run: Path, files: str = "*") -> str:
    """SHA-256 over the names and bytes of a run's dataset; its card, README.md, names the run."""
    whole = hashlib.sha256()
    for file in sorted((run / "dataset").rglob(files)):
        if file.is_file():
            whole.update(file.relative_to(run).as_posix().encode() + file.read_bytes())
    return whole.hexdigest()
