"""Every code block of the docs runs, from the top of its page to the end, in a folder as the page's reader would have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, SYBIL, Page, blocks
from tests.docs.shell import Shell
from tests.docs.world import NEEDS, World

pytestmark = pytest.mark.slow
BLOCKS = [pytest.param(page, line, id=f"{page.name}:{line} {what}") for page in PAGES for line, what in blocks(page)]


class Pages:
    """The pages that are being walked through, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(folder)
        self._open: dict[Path, Page | AssertionError] = {}

    def page(self, path: Path) -> Page:
        """A page, ready at its next block."""
        if path not in self._open:
            try:
                self._open[path] = self._begun(path)
            except AssertionError as failure:  # told by each block of the page, and not tried again
                self._open[path] = failure
        page = self._open[path]
        if isinstance(page, AssertionError):
            raise page
        return page

    def _begun(self, path: Path) -> Page:
        folder = self.folder / "pages" / path.stem
        folder.mkdir(parents=True)
        for thing in NEEDS.get(path.name, ()):
            self.world.put(thing, folder)
        page = SYBIL.parse(path)
        assert isinstance(page, Page)
        page.begin(Shell(folder))
        return page


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("docs"))


@pytest.mark.parametrize(("path", "line"), BLOCKS)
def test_a_block_does_what_its_page_says(path: Path, line: int, pages: Pages) -> None:
    pages.page(path).run(line)
