"""The docs as a site: built without a word, every page in reach, the same on GitHub and here, nothing fetched from elsewhere, readable."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, expect

from tests.browser import SCHEMES, SCREENS, Visitor, axe, browsing, opened_browser, with_axe

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
SHAPES = {"h1", "h2", "h3", "h4", "table", "tr", "li", "pre", "img", "blockquote"}


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` does for the site."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("INFO ")] == []
    return out


class Article(HTMLParser):
    """What the article of a page is made of, and what the whole page makes a browser load."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.shapes: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.loads: set[str] = set()
        self._inside = False
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside |= tag == "article"
        if self._inside and tag in SHAPES:
            self.shapes[tag] += 1
        if given.get("id"):
            self.ids.add(str(given["id"]))
        if tag in ("script", "img", "iframe", "source"):
            self.loads.add(given.get("src") or "")
        if tag == "link" and given.get("rel") != "canonical":
            self.loads.add(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag != "article"


def test_the_site_is_built_without_a_word_and_holds_every_page(site: Path) -> None:
    assert {page.stem for page in PAGES} <= {page.stem for page in site.glob("*.html")}
    assert not list(site.rglob("*.py"))


def test_a_page_that_nobody_finds_and_a_link_that_leads_nowhere_are_told(tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    lost = "[a](no-such.md) [b](judges.md#no-such) [c](/judges.md) [d](../mkdocs.yml) [e](../no-such)\n"
    (tmp_path / "docs" / "lost.md").write_text(lost)
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    for said in ("lost.md", "no-such.md", "'judges.md#no-such'", "'/judges.md'", "'../no-such'"):
        assert said in done.stderr
    assert "../mkdocs.yml" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_same_parts_as_on_github(page: Path, site: Path) -> None:
    """Python-Markdown takes some lists and blocks for plain text where GitHub does not."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text(encoding="utf-8"))
    every = [one for token in tokens for one in (token, *(token.children or ()))]
    names = {"fence": "pre", "code_block": "pre"}
    meant = Counter(names.get(one.type, one.tag) for one in every if one.nesting >= 0)
    assert Article(site / f"{page.stem}.html").shapes == {tag: meant[tag] for tag in SHAPES if meant[tag]}


def test_the_start_page_names_every_page() -> None:
    named = set(re.findall(r"\]\(([a-z-]+)\.md", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert {page.stem for page in PAGES if not page.stem.startswith("commands-")} == named | {"index"}


def test_links_of_readme_lead_somewhere(site: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    ours = [(path, anchor) for path, anchor in links if "://" not in path]
    assert ours
    for path, anchor in ours:
        assert (ROOT / path).exists(), path
        if anchor:
            assert anchor in Article(site / f"{Path(path).stem}.html").ids, (path, anchor)


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    outside = {one for page in site.glob("*.html") for one in Article(page).loads if re.match(r"(\w+:)?//", one)}
    assert not outside


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as found:
        yield found


class TestBrowser:
    pytestmark = browsing

    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize(("width", "height"), SCREENS)
    @pytest.mark.parametrize("page", ["index", "judges"])
    def test_a_page_fits_its_screen_follows_the_system_and_asks_nobody(
        self, browser: Browser, address: str, page: str, width: int, height: int, scheme: str
    ) -> None:
        ann = Visitor(browser, viewport={"width": width, "height": height}, color_scheme=scheme)
        ann.page.goto(f"http://{address}/{page}.html")
        ann.page.wait_for_load_state("networkidle")
        expect(ann.page.locator("body")).to_have_attribute(
            "data-md-color-scheme", {"light": "default", "dark": "slate"}[scheme]
        )
        assert ann.page.evaluate("document.documentElement.scrollWidth") <= width
        assert ann.hosts == {address}
        assert not ann.problems

    def test_words_are_found_and_the_scheme_can_be_chosen(self, browser: Browser, address: str) -> None:
        ann = Visitor(browser, viewport={"width": 1280, "height": 800}, color_scheme="light")
        ann.page.goto(f"http://{address}/index.html")
        ann.page.click("[data-md-component=search-query]")
        ann.page.keyboard.type("calibration")
        expect(ann.page.locator(".md-search-result__item").first).to_be_visible()
        ann.page.keyboard.press("Escape")
        for scheme in ("default", "slate"):
            ann.page.locator("label[for^=__palette]:visible").click()
            expect(ann.page.locator("body")).to_have_attribute("data-md-color-scheme", scheme)
        assert ann.hosts == {address}
        assert not ann.problems

    def test_pages_link_to_each_other_without_a_server(self, browser: Browser, site: Path) -> None:
        ann = Visitor(browser)
        ann.page.goto((site / "index.html").as_uri())
        ann.page.locator("article a", has_text="Judge cards").first.click()
        expect(ann.page.locator("h1")).to_contain_text("Judge card")
        assert ann.hosts == {""}

    @with_axe
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize(("page", "width"), [("index", 1280), ("plugins", 1280), ("plugins", 390)])
    def test_axe_finds_nothing_serious(
        self, browser: Browser, address: str, page: str, width: int, scheme: str
    ) -> None:
        ann = Visitor(browser, viewport={"width": width, "height": 844}, color_scheme=scheme)
        ann.page.goto(f"http://{address}/{page}.html")
        ann.page.wait_for_load_state("networkidle")
        found = axe(ann.page, "serious", "critical")
        assert [one for one in found if one[0] != "aria-dialog-name"] == []  # Material's own search box has no name
