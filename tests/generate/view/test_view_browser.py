"""The view as a process: who may ask, and the page in a real browser by keyboard, at two sizes, light and dark, with hostile texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import MARK, SCHEMES, SCREENS, Visitor, axe, browsing, opened_browser, with_axe
from tests.generate.labelling_run import Served, make_run, serve
from tests.generate.test_report import HOSTILE


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("view")
    text = "\n\n".join(one.replace("alert(1)", MARK) for one in HOSTILE)
    runs = [make_run(folder / name, 60, extra=text) for name in ("one", "two")]
    found = serve(runs[0], folder / "view.log", str(runs[1]), command="view")
    yield found
    assert found.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as found:
        yield found


class Reader(Visitor):
    """Somebody at the view, once it shows its first pair."""

    def __init__(self, browser: Browser, served: Served, state: str = "", **options: Any) -> None:
        super().__init__(browser, **options)
        self.page.goto(f"{served.address}&{state}")
        expect(self.page.locator("#rows button").first).to_be_visible()

    @property
    def count(self) -> str:
        return self.page.locator("#count").inner_text()


@pytest.mark.parametrize("path", ["/", "/view.js", "/api/start", "/api/pairs", "/api/download?format=csv"])
@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no token"),
        ({"Cookie": "tenet_view_{port}=wrong"}, "no token"),
        ({"Cookie": "tenet_labels_{port}={token}"}, "no token"),
        ({"Host": "evil.example:{port}", "Cookie": "tenet_view_{port}={token}"}, "its own address"),
        ({"Origin": "http://evil.example", "Cookie": "tenet_view_{port}={token}"}, "another web site"),
    ],
)
def test_requests_from_elsewhere_are_refused(served: Served, path: str, headers: dict[str, str], why: str) -> None:
    filled = {name: value.format(port=served.port, token=served.token) for name, value in headers.items()}
    status, body, answered = served.request("GET", path, **filled)
    assert (status, why in body) == (403, True)
    assert "frame-ancestors 'none'" in answered["content-security-policy"]


def test_a_link_keeps_its_view_when_the_token_moves_into_a_cookie(served: Served) -> None:
    status, _, headers = served.request("GET", f"/?token={served.token}&flipped=yes&text=a%26b")
    assert (status, headers["location"]) == (303, "/?flipped=yes&text=a%26b")


def test_what_cannot_be_answered_is_told(served: Served) -> None:
    own = {"Cookie": f"tenet_view_{served.port}={served.token}"}
    for path, code in (
        ("/api/pair?run=x&key=y", 400),
        ("/api/pair?run=one/runs/run&key=y", 404),
        ("/api/pairs?run=x", 400),
        ("/api/pairs?compare=x", 400),
        ("/api/files?run=x&compare=y", 400),
        ("/api/download?format=../x", 400),
    ):
        status, body, _ = served.request("GET", path, **own)
        assert (status, "error" in json.loads(body)) == (code, True), path
    assert served.request("POST", "/api/pairs", "{}", Origin=f"http://127.0.0.1:{served.port}", **own)[0] == 405


class TestBrowser:
    pytestmark = browsing

    def test_search_filter_read_and_link_by_keyboard(self, browser: Browser, served: Served) -> None:
        ann = Reader(browser, served)
        page = ann.page
        assert ann.count == "120 pairs"
        page.keyboard.press("/")
        page.keyboard.type('"Question 7:"')
        page.keyboard.press("Enter")
        expect(page.locator("#count")).to_have_text("2 pairs")
        page.keyboard.press("j")
        expect(page.locator(".sides")).to_be_visible()
        first = page.locator("#rows [aria-current=true]").get_attribute("data-key")
        page.keyboard.press("j")
        expect(page.locator("#rows [aria-current=true]")).not_to_have_attribute("data-key", str(first))
        page.keyboard.press("k")
        expect(page.locator("#rows [aria-current=true]")).to_have_attribute("data-key", str(first))
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "pair"
        assert page.locator("mark").count()
        assert "given" in page.locator(".response header").first.inner_text()

        bob = browser.new_context(storage_state=page.context.storage_state()).new_page()
        bob.goto(page.url)
        expect(bob.locator("#count")).to_have_text("2 pairs")
        expect(bob.locator("#rows [aria-current=true]")).to_have_attribute("data-key", str(first))
        expect(bob.locator("#pair .sides")).to_be_visible()
        assert bob.locator("#pair").inner_text() == page.locator("#pair").inner_text()

        page.select_option("[name=run]", "one/runs/run")
        expect(page.locator("#count")).to_have_text("1 pair")
        page.go_back()
        expect(page.locator("#count")).to_have_text("2 pairs")
        page.click("#clear")
        expect(page.locator("#count")).to_have_text("120 pairs")
        page.select_option("[name=compare]", "two/runs/run")
        expect(page.locator("#count")).to_contain_text("60 pairs on both sides")
        with page.expect_download() as saved:
            page.click("#downloads a >> text=jsonl")
        assert Path(saved.value.path()).read_bytes().count(b"\n") == 60
        assert ann.hosts == {f"127.0.0.1:{served.port}"}
        assert not ann.problems

    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize(("width", "height"), SCREENS)
    def test_the_page_fits_its_screen_and_runs_nothing(
        self, browser: Browser, served: Served, width: int, height: int, scheme: str
    ) -> None:
        screen = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        ann = Reader(browser, served, "sort=sure", bypass_csp=True, **screen)
        ann.page.locator("#rows button").first.click()
        expect(ann.page.locator("#pair .sides")).to_be_visible()
        assert "<script>" in ann.page.locator("#pair .response .text").first.inner_text()
        assert ann.page.evaluate("document.documentElement.dataset.owned") is None
        assert ann.page.evaluate("document.documentElement.scrollWidth") <= width
        assert ann.page.locator("#left").is_visible() == (width > 760)
        if width < 760:
            ann.page.click("#back")
            expect(ann.page.locator("#rows button").first).to_be_visible()
            ann.page.click("#toggle")
            expect(ann.page.locator("[name=flipped]")).to_be_visible()
        assert ann.hosts == {f"127.0.0.1:{served.port}"}
        assert not ann.problems

        ann.page.evaluate("mark => document.getElementById('pair').innerHTML = `<img src=x onerror=\"${mark}\">`", MARK)
        ann.page.wait_for_function("document.documentElement.dataset.owned === 'yes'")  # the check itself can fail

    @with_axe
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing(self, browser: Browser, served: Served, width: int, scheme: str) -> None:
        screen = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        ann = Reader(browser, served, "compare=two/runs/run&run=one/runs/run", bypass_csp=True, **screen)
        for _ in range(2):
            assert axe(ann.page) == []
            ann.page.locator("#rows button").first.click() if ann.page.locator("#left").is_visible() else None
            expect(ann.page.locator("#pair .sides")).to_be_visible()
