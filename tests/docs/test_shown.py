"""What the docs show to copy, also where it is not run: files that are right, commands that take their words, blocks
that say what they are.
"""

from __future__ import annotations

import contextlib
import csv
import json
import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from constitution.load import load
from generate.blend.config import BlendConfig
from tenet.cli import cli
from tenet.config import load_config
from tenet.runconfig import RunConfig
from tenet.yamlfile import parse_yaml
from tests.docs.blocks import INFO, LANGUAGES, PAGES
from tests.docs.shell import ROOT, commands, tenet_words
from tests.docs.world import NEEDS, THINGS

REASONS = frozenset(
    {
        "needs a GPU",
        "needs the network",
        "needs several machines",
        "needs a server that runs",
        "installs packages",
        "takes minutes",
        "goes on until it is stopped",
        "needs another package",
        "depends on the machine",
        "needs a larger model",
    }
)
"""Why a block is not run: the only reasons there are."""
SKIP = re.compile(r"<!--+\s*skip:?\s*(.*?)\s*--+>")


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    return tuple(MarkdownIt().parse(page.read_text(encoding="utf-8")))


def blocks(language: str) -> Iterator[tuple[Path, Token]]:
    for page in PAGES:
        for token in tokens(page):
            if token.type == "fence" and token.info.split(" ")[0] == language:
                yield page, token


def place(page: Path, token: Token) -> str:
    assert token.map is not None
    return f"{page.name}:{token.map[0] + 1}"


def shown_commands() -> Iterator[tuple[str, list[str], bool]]:
    """Place, words after `tenet`, and whether they stand in prose."""
    for page, block in blocks("sh"):
        for command in commands(block.content):
            for words in tenet_words(command):
                yield place(page, block), words, False
    for page in PAGES:
        for token in tokens(page):
            for child in token.children or ():
                if child.type == "code_inline" and child.content.startswith("tenet "):
                    for command in commands(child.content):
                        for words in tenet_words(command):
                            yield place(page, token), words, True


COMMANDS = [
    pytest.param(words, in_prose, id=f"{where} {' '.join(words)[:50]}") for where, words, in_prose in shown_commands()
]
YAML = [pytest.param(block.content, "title=" in block.info, id=place(page, block)) for page, block in blocks("yaml")]
PARSERS: Mapping[str, Callable[[str], object]] = {
    "json": json.loads,
    "jsonl": lambda text: [json.loads(line) for line in text.splitlines()],
    "toml": tomllib.loads,
    "xml": ElementTree.fromstring,
    "csv": lambda text: list(csv.DictReader(text.splitlines(), strict=True)),
    "python": lambda text: compile(text, "shown", "exec"),
}
DATA = [
    pytest.param(PARSERS[language], block.content, id=place(page, block))
    for language in PARSERS
    for page, block in blocks(language)
]


@pytest.mark.parametrize(("words", "in_prose"), COMMANDS)
def test_a_command_that_is_shown_exists_and_takes_its_words(words: list[str], in_prose: bool) -> None:
    command: click.Command | None = cli
    context = click.Context(cli)
    left = list(words)
    while isinstance(command, click.Group) and left and not left[0].startswith("-"):
        command = command.get_command(context, left.pop(0))
    assert command is not None, f"there is no command tenet {' '.join(words)}"
    if not in_prose or left:  # prose may speak of a command by its name
        with contextlib.suppress(click.exceptions.Exit):  # --help, --version
            command.make_context(" ".join(words), left)  # raises where a word is wrong


@pytest.mark.parametrize(("text", "is_file"), YAML)
def test_yaml_that_is_shown_can_be_used(text: str, is_file: bool, tmp_path: Path) -> None:
    """Whole files go through the loader that the product reads them by, those with a title when their page's commands run; parts parse."""
    path = tmp_path / "shown.yaml"
    path.write_text(text)
    found = parse_yaml(text).data
    if is_file:
        assert found is not None
    elif text.startswith("name:") and "stages:" not in text:
        (tmp_path / "prompts.jsonl").write_text('{"prompt": "Hello?"}\n')
        assert load_config(path, RunConfig).judge is not None
    elif text.startswith("strategy:"):
        assert load_config(path, BlendConfig).strategy in text
    elif text.startswith("schema_version:"):
        assert load(path).principles
    else:
        assert found is not None


@pytest.mark.parametrize(("parse", "text"), DATA)
def test_data_that_is_shown_can_be_read(parse: Callable[[str], Any], text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_fenced_and_says_what_it_is(page: Path) -> None:
    unfenced = [place(page, token) for token in tokens(page) if token.type == "code_block"]
    assert not unfenced, "indented blocks: put them between ``` lines"
    unknown = [
        place(page, token)
        for token in tokens(page)
        if token.type == "fence"
        and (INFO.fullmatch(f"{token.info}\n") is None or token.info.split(" ")[0] not in LANGUAGES)
    ]
    assert not unknown, f"blocks of no language that is known here: {', '.join(LANGUAGES)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    found = SKIP.findall(page.read_text(encoding="utf-8"))
    assert {words.removeprefix("next ").strip('"') for words in found} <= REASONS


def test_targets_of_make_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    named = {name for text in texts for name in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)}
    assert named
    assert named <= targets


def test_what_pages_begin_with_is_known() -> None:
    assert set(NEEDS) <= {page.name for page in PAGES}
    assert {thing for things in NEEDS.values() for thing in things} <= set(THINGS)
