"""Finds the code blocks of the docs by Sybil, and runs those of a page from top to bottom in one folder and one terminal.

Shell commands are run, Python too (one namespace a page); a block with a title is written to the file of that name; what
is only shown is not run. Knows nothing of what a page needs to begin with.
"""

from __future__ import annotations

import contextlib
import re
import sys
import unittest
from collections.abc import Iterable, Iterator
from pathlib import Path

from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from tests.docs.shell import ROOT, CommandFailed, Shell

GENERATED = "commands"
"""How the names of pages begin whose text is taken from the commands' help; `make check` holds the two against each other."""
PAGES = [
    page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if not page.name.startswith(GENERATED)
]
LANGUAGES = ("sh", "python", "yaml", "text", "json", "jsonl", "csv", "toml", "xml")
INFO = re.compile(r'(?P<language>\w*)(?:[ \t]+title="(?P<title>[^"\n]+)")?[ \t]*$\n', re.MULTILINE)


class Page(Document):
    """A page with its terminal; blocks run in their order, each once."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__(text, path)
        self.shell: Shell | None = None
        self._waiting: Iterator[Example] = iter(())

    def begin(self, shell: Shell) -> None:
        """Give the page the terminal in whose folder it begins."""
        self.shell = shell
        self._waiting = self.examples()

    def run(self, line: int) -> None:
        """Run the block at a line; blocks before it that did not run yet run first, since a page is read from its top.

        Raises:
            SybilFailure, or whatever a block of Python raises: it did not do what the page says.
            SkipTest: the page says that the block cannot run here.
        """
        for example in self._waiting:
            if example.line == line:
                example.evaluate()
                return
            with contextlib.suppress(unittest.SkipTest):
                example.evaluate()
        raise LookupError(f"{self.path} has no block at line {line} that did not run yet")


def _shell_of(example: Example) -> Shell:
    assert isinstance(example.document, Page)
    assert example.document.shell is not None
    return example.document.shell


def _sh(example: Example) -> str | None:
    try:
        print(_shell_of(example).run(example.parsed))
    except CommandFailed as failure:
        return str(failure)  # Sybil tells page and line with it
    return None


_PYTHON = PythonEvaluator()


def _python(example: Example) -> None:
    folder = str(_shell_of(example).folder)
    with contextlib.chdir(folder), _importable(folder):
        _PYTHON(example)


def _written(example: Example) -> None:
    path = _shell_of(example).folder / example.region.lexemes["title"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")


RUN = {"sh": _sh, "python": _python}


@contextlib.contextmanager
def _importable(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def fences(document: Document) -> Iterable[Region]:
    """The blocks that run: shell, Python and files; those that are only shown are left out."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        evaluator = _written if region.lexemes["title"] else RUN.get(region.lexemes["language"])
        if evaluator is not None:
            region.parsed, region.evaluator = region.lexemes["source"], evaluator
            yield region


SYBIL = Sybil([fences, SkipParser()], pattern="*.md", document_types={".md": Page})


def blocks(page: Path) -> list[tuple[int, str]]:
    """Line and language (or title) of each block of a page that runs."""
    return [
        (example.line, example.region.lexemes["title"] or example.region.lexemes["language"])
        for example in SYBIL.parse(page)
        if "language" in example.region.lexemes
    ]
