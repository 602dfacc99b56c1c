"""The page in a real browser, at two sizes, light and dark: nothing runs, nothing is fetched, it fits, axe finds nothing, and it prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from generate.report.model import ReportData
from generate.report.render import render
from tests.browser import MARK, SCHEMES, SCREENS, Visitor, axe, browsing, opened_browser, with_axe
from tests.generate.report_example import example_data
from tests.generate.test_report import HOSTILE, hostile_everywhere

pytestmark = browsing
LEVELS = "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(one => Number(one.tagName[1]))"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole report, one of an empty run, and one in which every text is an attack."""
    folder = tmp_path_factory.mktemp("pages")
    whole = example_data()
    empty = ReportData(
        **{name: getattr(whole, name) for name in ("name", "created", "version", "principles_name", "headline", "standfirst")},
        principles_version="", principles_digest="", judge=(), policies=(), tiles=(), notices=(), verdict=whole.verdict,
        funnel=(), principles=(),
    )  # fmt: skip
    hostile = "\n".join(one.replace("alert(1)", MARK) for one in HOSTILE)
    texts = {"whole": whole, "empty": empty, "hostile": hostile_everywhere(hostile)}
    for name, data in texts.items():
        (folder / f"{name}.html").write_text(render(data), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


class Reader(Visitor):
    """A visitor of a file; `free` lets the test run scripts of its own in the page, which bans them."""

    def __init__(
        self, browser: Browser, file: Path, width: int, height: int, scheme: str, *, free: bool = True
    ) -> None:
        super().__init__(browser, viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=free)
        self.page.goto(file.as_uri())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("width", "height"), SCREENS)
@pytest.mark.parametrize("name", ["whole", "empty", "hostile"])
def test_the_page_fits_fetches_nothing_and_runs_nothing(
    browser: Browser, pages: dict[str, Path], name: str, width: int, height: int, scheme: str
) -> None:
    ann = Reader(browser, pages[name], width, height, scheme)
    page = ann.page
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.owned") is None
    assert ann.asked == [pages[name].as_uri()]
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert not ann.problems
    if name == "hostile":
        assert "<script>" in page.locator(".response .text").first.inner_text()
        page.evaluate("mark => { document.querySelector('h1').innerHTML = `<img src=x onerror=\"${mark}\">` }", MARK)
        page.wait_for_function("document.documentElement.dataset.owned === 'yes'")  # the check itself can fail


def test_the_page_bans_scripts_by_itself(browser: Browser, pages: dict[str, Path]) -> None:
    ann = Reader(browser, pages["whole"], 1280, 800, "light", free=False)
    ann.page.evaluate("mark => { document.querySelector('h1').innerHTML = `<img src=x onerror=\"${mark}\">` }", MARK)
    ann.page.wait_for_timeout(200)
    assert ann.page.evaluate("document.documentElement.dataset.owned") is None
    assert any("Content Security Policy" in problem for problem in ann.problems)


@with_axe
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_axe_finds_nothing(browser: Browser, pages: dict[str, Path], width: int, height: int, scheme: str) -> None:
    for name in ("whole", "empty") if (width, scheme) == (1280, "light") else ("whole",):
        page = Reader(browser, pages[name], width, height, scheme).page
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert axe(page) == []


def test_it_prints_what_is_open_and_not_what_is_folded(browser: Browser, pages: dict[str, Path]) -> None:
    page = Reader(browser, pages["whole"], 794, 1123, "dark").page
    page.emulate_media(media="print", color_scheme="dark")
    shown = "(place) => getComputedStyle(document.querySelector(place)).display"
    assert page.evaluate(shown, "nav") == "none"
    assert page.evaluate(shown, "details") == "none"
    assert page.evaluate(shown, ".printed") == "inline"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("document.querySelector('details').open = true")
    assert page.evaluate(shown, "details") == "block"
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    assert len(page.pdf(format="A4")) > 20_000


def test_a_page_of_many_long_names_fits(browser: Browser, tmp_path: Path) -> None:
    data, name = example_data(), "a-name-without-an-end-" * 12
    assert data.people is not None
    assert data.people.labels is not None
    rows = tuple(replace(row, name=name) for row in data.people.labels.rows)
    long = replace(
        data, name=name, principles=tuple(replace(row, id=name) for row in data.principles),
        people=replace(data.people, labels=replace(data.people.labels, rows=rows)), files=((name, "0" * 64),),
    )  # fmt: skip
    (tmp_path / "long.html").write_text(render(long), encoding="utf-8")
    for width, height in SCREENS:
        page = Reader(browser, tmp_path / "long.html", width, height, "light").page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
