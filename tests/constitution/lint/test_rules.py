from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from constitution.lint.model import Options
from constitution.lint.run import Report, lint
from constitution.lint.words import close_pairs, closest, content, overlaps, stance
from tenet.errors import MissingInput
from tenet.records import Message, Prompt

HEAD = "schema_version: 1\nname: mine\nlint: {TP401: This file is about something else.}\n"


def linted(folder: Path, body: str, options: Options | None = None) -> Report:
    path = folder / "mine.yaml"
    path.write_text(HEAD + body, encoding="utf-8")
    return lint(path, options)


def rules(report: Report) -> list[str]:
    return [one.rule.id for one in report.open]


def one(text: str) -> str:
    return f'principles:\n  - id: a\n    text: "{text}"\n'


@pytest.mark.parametrize(
    "text",
    [
        "The response names the reason in one sentence and offers a way on.",
        "The response is polite: it greets or thanks the person and wishes them well.",
        "The response is harmless: it declines to help with theft.",
        "The response helps with what is harmless in a request.",
        "Feedback names what is weak as plainly as what is good.",
        "The response admits what it does not know.",
        "The response protects private people: it does not help to locate them.",
        "The response does not guess, but says that it does not know.",
        "The response uses words that the person will understand.",
        "The response leaves out moral lectures.",
        "The response is firm on what is settled and open about what is not.",
    ],
)
def test_plain_behaviours_pass(text: str, tmp_path: Path) -> None:
    assert rules(linted(tmp_path, one(text))) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("The response should cite sources and should ask a question.", "TP101"),
        ("The response cites sources, and it asks a question.", "TP101"),
        ("The response is clear, and also cites its sources.", "TP101"),
        ("The response is truly helpful.", "TP102"),
        ("The response responds appropriately to anger.", "TP102"),
        ("The response follows best practices.", "TP102"),
        ("The answer understands what the person needs.", "TP103"),
        ("The assistant should try to stay calm.", "TP103"),
        ("Don\u2019t use jargon.", "TP104"),
        ("The response must never use jargon.", "TP104"),
        ("The response contains no jargon.", "TP104"),
    ],
)
def test_wordings_that_are_reported(text: str, rule: str, tmp_path: Path) -> None:
    assert rules(linted(tmp_path, one(text))) == [rule]


def two(first: str, second: str, more: str = "") -> str:
    return f"principles:\n  - {{id: a, text: {first}}}\n  - {{id: b, text: {second}{more}}}\n"


def test_opposites_that_never_meet_are_let_pass(tmp_path: Path) -> None:
    short, long = "The summary is short.", "The summary is long."
    assert rules(linted(tmp_path, two(short, long))) == ["TP204"]
    assert rules(linted(tmp_path, two(short, long, ", yields_to: [a]"))) == []
    apart = two(short, long, ", applies_when: {pattern: story}").replace(
        "short.}", "short., applies_when: {pattern: x}}"
    )
    assert rules(linted(tmp_path, apart)) == []
    assert rules(linted(tmp_path, two(short, "The title is long."))) == []


def test_retired_principles_are_left_alone(tmp_path: Path) -> None:
    again = two("The title is short.", "The title is short.", ", status: retired")
    assert rules(linted(tmp_path, again)) == []


def test_a_silence_with_a_reason_keeps_the_finding_and_its_reason(tmp_path: Path) -> None:
    body = one("Avoid jargon.") + "    lint: {TP104: The law words it so.}\n"
    report = linted(tmp_path, body)
    assert report.open == ()
    assert [(found.rule.id, found.silenced) for found in report.findings] == [
        ("TP401", "This file is about something else."),
        ("TP104", "The law words it so."),
    ]


def test_a_silence_of_one_principle_does_not_hold_for_another(tmp_path: Path) -> None:
    body = one("Avoid jargon.") + "    lint: {TP104: The law.}\n  - {id: b, text: Never shout at people.}\n"
    assert [(found.rule.id, found.principle) for found in linted(tmp_path, body).open] == [("TP104", "b")]


def test_a_silence_in_an_included_file_holds_there_only(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "schema_version: 1\nname: base\nlint: {TP104: The law., TP401: None yet.}\n" + one("Avoid jargon.")
    )
    report = linted(tmp_path, "include: [base.yaml]\nprinciples:\n  - {id: b, text: Never shout at people.}\n")
    assert [(found.rule.id, found.principle) for found in report.open] == [("TP104", "b")]


def test_a_silence_of_a_rule_that_did_not_run_is_no_finding(tmp_path: Path) -> None:
    body = one("The title is short.") + "    lint: {TP205: We have looked.}\n"
    assert rules(linted(tmp_path, body)) == []


def test_reach_is_by_tags_and_by_pattern(tmp_path: Path) -> None:
    body = one("The dose is named.") + "    applies_when: [{tags: {any: [medical]}}, {pattern: dose}]\n"
    other = Prompt.of([Message("user", "Hello")])
    for prompt in (Prompt.of([Message("user", "Hi")], tags=["medical"]), Prompt.of([Message("user", "What dose?")])):
        assert rules(linted(tmp_path, body, Options(prompts=[other, prompt]))) == []
    assert rules(linted(tmp_path, body, Options(prompts=[other]))) == ["TP301"]


def test_a_weight_that_tells_conditional_principles_apart_is_no_finding(tmp_path: Path) -> None:
    body = two("The title is short.", "The dose is named.", ", applies_when: {pattern: dose}, weight: 30")
    assert rules(linted(tmp_path, body)) == []


def test_a_missing_file_is_an_error_and_no_finding() -> None:
    with pytest.raises(MissingInput, match="did you mean"):
        lint("honestly")


def test_words_and_stances() -> None:
    assert content("The responses CITE sources, and boxes.") == {"response", "cite", "source", "boxe"}
    assert stance("The title is short.")[0] == stance("The title is long.")[0]
    assert stance("The title is short.")[1] != stance("The title is long.")[1]
    assert stance("The title is not short.") == stance("The title is long.")
    assert stance("It always ends.")[1] != stance("It never ends.")[1]


def test_the_share_of_words_is_worked_by_hand() -> None:
    rows = overlaps(["red green blue", "red green", "yellow", "is it"])
    assert rows(0, 2) == pytest.approx(np.array([[1, 2 / 3, 0, 0], [2 / 3, 1, 0, 0]]))
    assert rows(3, 4) == pytest.approx(np.zeros((1, 4)))


def test_pairs_across_blocks_are_those_of_all_against_all() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1_203, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    whole = vectors @ vectors.T

    def rows(start: int, end: int) -> np.ndarray:
        return whole[start:end]

    best = [(int(whole[j, :j].argmax()), j) for j in range(1, len(whole)) if whole[j, :j].max() >= 0.99]
    assert [(i, j) for i, j, _ in close_pairs(len(whole), rows, 0.99)] == best
    assert len(best) > 100
    lower = [(-float(whole[j, i]), i, j) for j in range(len(whole)) for i in range(j)]
    assert closest(len(whole), rows, 50) == [(i, j) for _, i, j in sorted(lower)[:50]]


def test_ten_thousand_principles_are_read(tmp_path: Path) -> None:
    body = "".join(f"  - {{id: p{n}, text: The reply names item{n} beside thing{n % 97}.}}\n" for n in range(10_000))
    assert rules(
        linted(tmp_path, "principles:\n" + body + "  - {id: last, text: The reply names item7 beside thing7.}\n")
    ) == ["TP201"]


@pytest.mark.parametrize(
    ("line", "rule", "found"),
    [
        ("{{id: p{0}, text: Item {0}., yields_to: [q{0}]}}", "TP008", 2_000),
        ("{{id: p{0}, text: Item {0}., yields_to: [p{1}]}}", "TP008", 20),
        ("{{id: p{0}, text: Item {0}., wieght: 2}}", "TP002", 2_000),
        ("{{id: p{0}, weight: 2}}", "TP004", 2_000),
    ],
)
def test_thousands_of_problems_are_told_in_bounded_words(line: str, rule: str, found: int, tmp_path: Path) -> None:
    body = "".join(f"  - {line.format(n, n ^ 1)}\n" for n in range(2_000))
    report = linted(tmp_path, "include: [pocket/honest]\nprinciples:\n" + body)
    assert {one.rule.id for one in report.open} == {rule}
    assert len(report.open) == found
    assert max(len(one.cure) for one in report.open) < 1_000
