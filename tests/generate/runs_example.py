"""A small run on the scripted engine as files and commands: for tests that start processes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRINCIPLE = "  - id: {name}\n    text: The response is {word}.\n"
WORDS = ("kind", "tidy", "brief", "exact", "calm", "frank", "warm", "plain", "bold", "sound")


def write_principles(path: Path, words: tuple[str, ...] = WORDS) -> Path:
    """A principles file with one principle a word; ids are numbers, so that a word can be edited."""
    body = "".join(PRINCIPLE.format(name=f"p{number}", word=word) for number, word in enumerate(words))
    path.write_text(f'schema_version: 1\nname: several\nversion: "1.0"\nprinciples:\n{body}')
    return path


def write_run(
    folder: Path, *, prompts: int, latency: float = 0.0, words: tuple[str, ...] = WORDS[:2], more: str = ""
) -> Path:
    """A run.yaml in a folder, with its prompts and principles."""
    folder.mkdir(parents=True, exist_ok=True)
    write_principles(folder / "principles.yaml", words)
    rows = [json.dumps({"prompt": f"Question {number}: what should I do about it?"}) for number in range(prompts)]
    (folder / "prompts.jsonl").write_text("\n".join(rows))
    options = f"{{latency: {latency}, batch: 16}}"
    (folder / "run.yaml").write_text(
        "name: run\nprinciples: principles.yaml\nprompts: {path: prompts.jsonl}\n"
        f"policy: {{engine: scripted, model: hash, samples: 3, options: {options}}}\n"
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


def dataset_digest(run: Path) -> str:
    """SHA-256 over the names and bytes of a run's dataset."""
    whole = hashlib.sha256()
    for file in sorted((run / "dataset").rglob("*")):
        if file.is_file():
            whole.update(file.relative_to(run).as_posix().encode() + file.read_bytes())
    return whole.hexdigest()
