"""Labelling a run: its queue, the page's server and who may talk to it, and what becomes of the labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from generate.calibrating import calibrate
from generate.labelling import Wanted, prepare
from judges.humans.designs import FILE, read_designs
from judges.humans.page.text import to_html
from judges.humans.queue import Queue
from judges.humans.store import read_store
from tenet.errors import InvalidInput, UsageError
from tests.generate.labelling_run import Served, make_run, serve


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("labelling"), 40)


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    page = serve(run, run.parent / "page.log", "--queue", "uncertain", "--budget", "30", "--annotator", "ann")
    yield page
    assert page.stop() == 0
    assert "0 of 30 pairs are labelled" in (run.parent / "page.log").read_text()


def test_a_queue_is_kept_and_drawn_anew_for_another_wish(run: Path) -> None:
    wanted = Wanted(Queue.UNCERTAIN, 20)
    first, again = prepare(run, wanted), prepare(run, wanted)
    assert (first.kept, again.kept) == (False, True)
    assert again.items == first.items
    assert again.plan == first.plan
    other = prepare(run, Wanted(Queue.UNCERTAIN, 21))
    assert (other.kept, other.number) == (False, 1)
    assert (prepare(run, wanted).kept, prepare(run, wanted).number) == (True, 0), "earlier queues stay"
    assert [one.wanted["budget"] for one in read_designs(run)] == [20, 21]
    assert first.plan.pool == 40
    targeted = [one for one in first.plan.chosen if one.probability == 1.0]
    others = [one for one in first.plan.chosen if one.probability < 1.0]
    assert len(targeted) >= 16
    assert sum(one.random for one in first.plan.chosen) >= 4
    assert max(1 - one.doubt for one in targeted) <= max(1 - one.doubt for one in others)
    for item in first.items:
        assert item.prompt[0].content.startswith("Question")
        assert {item.a[:6], item.b[:6]} == {"Answer"}
        assert item.principles


def test_queues_of_a_run(run: Path) -> None:
    safety = prepare(run, Wanted(Queue.SAFETY, 10)).plan
    assert sum(not one.random for one in safety.chosen) == 8
    strata = prepare(run, Wanted(Queue.STRATIFIED, 10)).plan
    assert sum(not one.random for one in strata.chosen) == 8
    with pytest.raises(UsageError, match="--safety-tag"):
        prepare(run, Wanted(Queue.SAFETY, 10, safety_tags=("nobody",)))


def test_a_kept_queue_that_does_not_read_back(run: Path) -> None:
    wanted = Wanted(Queue.RANDOM, 5)
    prepare(run, wanted)
    value = json.loads((run / FILE).read_text())
    for broken in ({**value, "queues": [{"wanted": {}}]}, {**value, "format": 1}, [], {"queues": 3}):
        (run / FILE).write_text(json.dumps(broken))
        with pytest.raises(InvalidInput, match="draw a queue anew"):
            prepare(run, wanted)
    (run / FILE).unlink()


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no token"),
        ({"Cookie": "tenet_labels_{port}=wrong"}, "no token"),
        ({"Host": "evil.example:{port}", "Cookie": "{cookie}"}, "its own address"),
        ({"Host": "127.0.0.1", "Cookie": "{cookie}"}, "its own address"),
        ({"Origin": "http://evil.example", "Cookie": "{cookie}"}, "another web site"),
        ({"Origin": "null", "Cookie": "{cookie}"}, "another web site"),
        ({"Origin": "http://localhost:{port}", "Cookie": "{cookie}"}, "another web site"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/page.js", "/api/item?annotator=ann", "/nothing"])
def test_requests_from_elsewhere_are_refused(served: Served, headers: dict[str, str], why: str, path: str) -> None:
    cookie = f"tenet_labels_{served.port}={served.token}"
    filled = {name: value.format(port=served.port, cookie=cookie) for name, value in headers.items()}
    status, body, answered = served.request("GET", path, **filled)
    assert (status, why in body) == (403, True)
    assert "frame-ancestors 'none'" in answered["content-security-policy"]


@pytest.mark.parametrize("headers", [{}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}])
def test_a_write_must_come_from_the_page_itself(served: Served, run: Path, headers: dict[str, str]) -> None:
    cookie = f"tenet_labels_{served.port}={served.token}"
    origin = {"Origin": f"http://127.0.0.1:{served.port}"} if headers else {}
    for path in ("/api/label", "/api/undo"):
        status, body, _ = served.request(
            "POST", path, "{}", Cookie=cookie, Content_Type="application/json", **origin, **headers
        )
        assert (status, "must come from the page itself" in body) == (403, True)
    assert not (run / "labels.jsonl").exists()


def test_the_token_moves_from_the_address_into_a_cookie(served: Served) -> None:
    status, _, headers = served.request("GET", f"/?token={served.token}")
    assert (status, headers["location"]) == (303, "/")
    assert re.search(r"HttpOnly.*SameSite=strict", headers["set-cookie"])
    status, page, headers = served.request("GET", "/", Cookie=headers["set-cookie"].partition(";")[0])
    assert status == 200
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert not re.search(r"https?://|<script>|\son\w+=|style=", page), "nothing from elsewhere, nothing inline"
    assert (
        served.request(
            "GET", "/", Host=f"localhost:{served.port}", Cookie=f"tenet_labels_{served.port}={served.token}"
        )[0]
        == 200
    )


def test_bodies_that_are_no_answer_are_told_and_kept_nowhere(served: Served, run: Path) -> None:
    own = {"Cookie": f"tenet_labels_{served.port}={served.token}", "Origin": f"http://127.0.0.1:{served.port}"}
    kind = {"Content_Type": "application/json"}
    for body, status in (
        ("", 400),
        ("[]", 400),
        ("{}", 400),
        ('{"occasion": 0, "first": "c"}', 400),
        ("x" * 70_000, 413),
    ):
        assert served.request("POST", "/api/label", body, **own, **kind)[0] == status
    assert served.request("POST", "/api/label", "{}", Content_Type="text/plain", **own)[0] == 415
    assert served.request("GET", "/api/item?annotator=", **own)[0] == 400
    assert not (run / "labels.jsonl").exists()


def test_a_damaged_store_is_told_as_no_fault_of_the_answer(served: Served, run: Path) -> None:
    own = {"Cookie": f"tenet_labels_{served.port}={served.token}"}
    (run / "labels.jsonl").write_text("{}\n")
    status, body, _ = served.request("GET", "/api/item?annotator=ann", **own)
    assert (status, "labels.jsonl:1" in body) == (500, True)
    (run / "labels.jsonl").unlink()
    assert served.request("GET", "/api/item?annotator=ann", **own)[0] == 200


def test_labels_of_the_page_reach_calibration_with_their_probabilities(tmp_path: Path) -> None:
    run = make_run(tmp_path, 40)
    page = serve(
        run, tmp_path / "page.log", "--queue", "uncertain", "--budget", "30", "--overlap", "0", "--repeat", "0"
    )
    own = {"Cookie": f"tenet_labels_{page.port}={page.token}", "Origin": f"http://localhost:{page.port}",
           "Host": f"localhost:{page.port}", "Content_Type": "application/json"}  # fmt: skip
    state = json.loads(page.request("GET", "/api/item?annotator=ann", **own)[1])
    for second in range(30):
        item = state["item"]
        longer = "1" if len(item["responses"][0]) > len(item["responses"][1]) else "2"
        answer = {"key": item["key"], "annotator": "ann", "choice": longer if second % 5 else "tie", "first": item["first"],
                  "occasion": item["occasion"], "time": f"2026-01-31T12:00:{second:02d}.000Z"}  # fmt: skip
        status, body, _ = page.request("POST", "/api/label", json.dumps(answer), **own)
        assert status == 200, body
        state = json.loads(body)
    assert state["item"] is None
    assert state["progress"]["done"] == 30
    assert page.stop() == 0
    assert "tenet calibrate" in (tmp_path / "page.log").read_text()
    labels = read_store(run / "labels.jsonl")
    assert len(labels) == 30
    chances = sorted({round(one.inclusion_probability, 9) for one in labels})
    assert chances[-1] == 1.0
    assert chances[0] == pytest.approx(2 / 12)
    found = calibrate(run)
    assert found.fitted.anchors == 30
    weights = {round(row.anchor.weight, 6) for row in found.stored.anchors}
    assert sorted(weights) == pytest.approx([1 / one for one in reversed(chances)])


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)",
        "<http://evil.example>", "[x]: http://evil.example\n\n[x]", "```html\n<b onclick=alert(1)>\n```", '```"><script>\nx\n```',
        "|a|\n|-|\n|<svg onload=alert(1)>|", "&lt;script&gt;", "<!-- hidden -->", "<div\nonclick='alert(1)'>",
    ],
)  # fmt: skip
def test_text_becomes_html_without_tags_of_its_own(text: str) -> None:
    html = to_html(text)
    assert not re.search(r"<(?!/?(p|pre|code|br|table|thead|tbody|tr|th|td)[ />])", html), html
    assert not re.search(r"<[^>]*\s(on\w+|href|src)\s*=", html)
    for word in re.findall(r"[a-z]{3,}", text.replace("&lt;", "").replace("&gt;", "")):
        assert word in html, "and all of it is shown"


def test_markdown_is_shown_as_such() -> None:
    html = to_html("# Title\n\n- one\n- **two**\n\n```py\nx < 1\n```\n\n|a|b|\n|-|-|\n|1|2|")
    for part in ("<h1>Title</h1>", "<strong>two</strong>", '<code class="language-py">x &lt; 1', "<td>2</td>"):
        assert part in html
