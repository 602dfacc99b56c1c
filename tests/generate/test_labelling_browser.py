"""The labelling page in a real browser: labels by keyboard, reload, kill -9, two people at once; text of models runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from judges.humans.store import read_store
from tenet.records import Choice
from tests.browser import MARK, Visitor, browsing, opened_browser
from tests.generate.labelling_run import Served, make_run, serve
from tests.generate.test_report import HOSTILE

pytestmark = browsing


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as found:
        yield found


class Person(Visitor):
    """Somebody at the page in a browser of their own, who notes what the server acknowledged."""

    def __init__(self, browser: Browser, served: Served, name: str, **options: Any) -> None:
        self.name = name
        super().__init__(browser, **options)
        self.acknowledged: list[str] = []
        self.page.on("response", self._note)
        self.open(served)
        self.page.fill("#name", name)
        self.page.press("#name", "Enter")
        expect(self.page.locator("#work")).to_be_visible()

    def open(self, served: Served) -> None:
        self.page.goto(served.address)

    def press(self, key: str) -> dict[str, Any]:
        """Press a key that sends something, and wait for what the server says."""
        path = "**/api/undo" if key == "u" else "**/api/label"
        with self.page.expect_response(path) as answer:
            self.page.keyboard.press(key)
        assert answer.value.status == 200, answer.value.text()
        state: dict[str, Any] = answer.value.json()
        self.settle()
        return state

    def settle(self) -> None:
        expect(self.page.locator("body")).not_to_have_class("busy", timeout=30_000)

    def _note(self, response: Any) -> None:
        if response.url.endswith("/api/label") and response.status == 200:
            self.acknowledged.append(response.json()["label"])


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "labels.jsonl").read_text().splitlines()]


def test_thirty_labels_by_keyboard_with_undo_tie_reload_and_kill(browser: Browser, tmp_path: Path) -> None:
    run, log = make_run(tmp_path, 40), tmp_path / "page.log"
    words = ("--budget", "32", "--overlap", "0", "--repeat", "0")
    served = serve(run, log, *words)
    ann = Person(browser, served, "ann")
    page = ann.page
    for number in range(10):
        ann.press("t" if number == 3 else "12"[number % 2])
    assert [one.preference for one in read_store(run / "labels.jsonl")].count(Choice.TIE) == 1

    shown = page.locator("#work").get_attribute("data-key")
    page.keyboard.press("9")
    page.keyboard.press("c")
    page.keyboard.type("said 12 things")  # keys that choose are text in a comment
    page.keyboard.press("Enter")
    ann.press("1")
    assert (read_store(run / "labels.jsonl")[-1].strength, read_store(run / "labels.jsonl")[-1].comment) == (
        1.0,
        "said 12 things",
    )
    ann.press("u")
    assert page.locator("#work").get_attribute("data-key") == shown, "the pair is there to be labelled again"
    taken_back = ann.acknowledged.pop()
    assert len(read_store(run / "labels.jsonl")) == 10
    assert page.locator("#count").inner_text() == "10 of 32"
    assert not page.locator("input[name=strength]:checked").count()

    page.reload()
    expect(page.locator("#work")).to_be_visible()
    assert page.locator("#work").get_attribute("data-key") == shown
    ann.press("2")
    ann.press("s")
    assert page.locator("#count").inner_text() == "11 of 32"

    # Killed between two labels, and once while an answer is on its way; started again at the same port.
    for delay in (None, 0, 5, 20):
        port = served.port
        if delay is None:
            served.kill()
            page.keyboard.press("1")
        else:
            page.keyboard.press("1")
            page.wait_for_timeout(delay)
            served.kill()
        served = serve(run, log, *words, "--port", str(port))
        ann.open(served)
        expect(page.locator("#work")).to_be_visible()
        ann.settle()
        assert page.evaluate("Object.keys(localStorage).length") == 0, "what waited was sent"
    while len(read_store(run / "labels.jsonl")) < 30:
        ann.press("1")
    assert served.stop() == 0

    labels, rows = read_store(run / "labels.jsonl"), lines(run)
    ids = [row["id"] for row in rows if "id" in row]
    assert len(ids) == len(set(ids)), "nothing is in the store twice"
    assert set(ann.acknowledged) <= {one.id for one in labels}
    assert len(set(ann.acknowledged)) >= 26
    assert [row["withdraws"] for row in rows if "withdraws" in row] == [taken_back]
    pairs = {(one.response_a_id, one.response_b_id) for one in labels}
    assert len(pairs) == len(labels) == 30, "no pair was labelled twice, and none was lost"
    assert {one.shown_first for one in labels} == {Choice.A, Choice.B}
    assert ann.hosts == {f"127.0.0.1:{port}"}
    assert all("ERR_CONNECTION" in one or " 403 " in one for one in ann.problems), "nothing but the server's being gone"


def test_two_people_at_once(browser: Browser, tmp_path: Path) -> None:
    run = make_run(tmp_path, 40)
    served = serve(run, tmp_path / "page.log", "--budget", "30", "--overlap", "0.3", "--repeat", "0.2")
    people = [Person(browser, served, "ann"), Person(browser, served, "bob")]
    keys = [person.page.locator("#work").get_attribute("data-key") for person in people]
    assert all(keys)
    working = True
    while working:
        working = False
        for person in people:
            if person.page.locator("#work").is_visible():
                person.press("1")
                working = True
    labels = read_store(run / "labels.jsonl")
    assert len(labels) == len(lines(run))
    for person in people:
        own = [one.id for one in labels if one.annotator == person.name]
        assert sorted(own) == sorted(person.acknowledged)
        assert not person.problems
    done = [{one.annotator for one in labels if one.prompt == prompt} for prompt in {one.prompt for one in labels}]
    assert len(done) == 30
    assert 0 < sum(len(names) == 2 for names in done) < 20
    repeated = [one for one in labels if one.annotator == "ann"]
    assert len(repeated) > len({one.prompt for one in repeated})
    page = people[0].page
    page.keyboard.press("u")
    expect(page.locator("#work")).to_be_visible()
    assert "Two people" in page.locator("#facts").inner_text()
    assert "alike" in page.locator("#facts").inner_text()
    assert served.stop() == 0


def test_text_of_models_runs_nothing_and_loads_nothing(browser: Browser, tmp_path: Path) -> None:
    text = "\n\n".join([one.replace("alert(1)", MARK) for one in HOSTILE] + ["![x](http://evil.example/x.png)"])
    run = make_run(tmp_path, 6, extra=text)
    served = serve(run, tmp_path / "page.log", "--budget", "6")
    ann = Person(browser, served, "<img src=x onerror=alert(1)>", bypass_csp=True)
    for _ in range(2):
        ann.page.wait_for_timeout(200)
        assert ann.page.evaluate("document.documentElement.dataset.owned") is None
        assert "<script>" in ann.page.locator("#text-1").inner_text()
        ann.press("1")
    assert ann.hosts == {f"127.0.0.1:{served.port}"}
    ann.page.evaluate("mark => document.getElementById('text-1').innerHTML = `<img src=x onerror=\"${mark}\">`", MARK)
    ann.page.wait_for_function("document.documentElement.dataset.owned === 'yes'")  # the check itself can fail

    bob = Person(browser, served, "bob")
    bob.page.evaluate("mark => document.getElementById('text-1').innerHTML = `<img src=x onerror=\"${mark}\">`", MARK)
    bob.page.wait_for_timeout(200)
    assert bob.page.evaluate("document.documentElement.dataset.owned") is None, "the policy would stop it too"
    assert served.stop() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_page_fits_its_screen(browser: Browser, tmp_path: Path, width: int, height: int, scheme: str) -> None:
    run = make_run(tmp_path, 2, extra="```\n" + "x = 1; " * 60 + "\n```\n" + "w" * 300)
    served = serve(run, tmp_path / "page.log", "--budget", "2")
    ann = Person(browser, served, "ann", viewport={"width": width, "height": height}, color_scheme=scheme)
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= width
    one, two = (ann.page.locator(name).bounding_box() for name in ("#one", "#two"))
    assert one is not None
    assert two is not None
    assert (one["y"] == two["y"]) == (width > 640), "side by side, or one above the other"
    for name in ("1", "tie", "2", "skip"):
        button = ann.page.locator(f"[data-choice='{name}']")
        expect(button).to_be_in_viewport(ratio=1)
        assert button.inner_text().strip()
    ann.page.locator("[data-choice='2']").focus()
    with ann.page.expect_response("**/api/label"):
        ann.page.keyboard.press("Enter")
    assert len(read_store(run / "labels.jsonl")) == 1
    assert served.stop() == 0
