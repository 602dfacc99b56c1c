"""Small pipelines of real, quick commands: a principles file is written in other forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tenet.cli import cli

ROOT = Path(__file__).parents[3]

LABELS = """\
name: people
folder: work
variables:
  data: votes.csv
  form: csv
stages:
  - name: table
    run: tenet labels export ${folder}/labels.jsonl --to ${form} --out ${folder}/table
    needs: ${folder}/labels.jsonl
    makes: ${folder}/table
  - name: labels
    run: tenet labels import ${data} --to ${folder}/labels.jsonl
    needs: ${data}
    makes: ${folder}/labels.jsonl
"""


def votes(path: Path, count: int = 3) -> Path:
    """A file of labels of people."""
    rows = [f"Question {number}?,yes,no,a,ann" for number in range(count)]
    path.write_text("\n".join(["prompt,response_a,response_b,preference,annotator", *rows]) + "\n", encoding="utf-8")
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, ["pipeline", *words], catch_exceptions=False)


def did(*words: str) -> dict[str, tuple[str, str]]:
    """What a pipeline did with each stage, and why."""
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    stages: Sequence[dict[str, Any]] = json.loads(result.stdout)["stages"]
    return {one["stage"]: (one.get("did") or one["would"], one["why"]) for one in stages}
