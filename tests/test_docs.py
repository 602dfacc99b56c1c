"""What the guides and README show to copy: run files that are right, and commands that take those words."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from generate.blend.config import BlendConfig
from tenet.cli import cli
from tenet.config import load_config
from tenet.runconfig import RunConfig

ROOT = Path(__file__).parents[1]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.name != "commands.md"]
RUN_FILES = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```yaml\n(name:.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]
BLENDS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"```yaml\n(strategy:.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    )
]
COMMANDS = [
    pytest.param(line, mark == "`", id=f"{page.name}: {line[:50]}")
    for page in PAGES
    for mark, line in dict.fromkeys(
        re.findall(r"(^    |`)(tenet [^`\n]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    )
]


@pytest.mark.parametrize("text", RUN_FILES)
def test_a_run_file_that_is_shown_can_be_used(text: str, tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "Hello?"}\n')
    (tmp_path / "run.yaml").write_text(text)
    assert load_config(tmp_path / "run.yaml", RunConfig).prompts is not None


@pytest.mark.parametrize("text", BLENDS)
def test_a_blend_file_that_is_shown_can_be_used(text: str, tmp_path: Path) -> None:
    (tmp_path / "blend.yaml").write_text(text)
    assert load_config(tmp_path / "blend.yaml", BlendConfig).strategy in text


@pytest.mark.parametrize(("line", "in_prose"), COMMANDS)
def test_a_command_that_is_shown_exists_and_takes_its_words(line: str, in_prose: bool) -> None:
    words = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    command: click.Command | None = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        command = command.get_command(context, words.pop(0))
    assert command is not None
    if words or not in_prose:  # prose may speak of a command by its name
        command.make_context(line, words)  # raises where a word is wrong
