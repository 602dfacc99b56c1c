"""The coverage of runs whose truth is known, the page that shows it, and the command."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from constitution.cli import principles as command
from constitution.load import load
from generate.context import PREFERENCES, Step
from generate.coverage.findings import found
from generate.coverage.gather import agreements_of, cover, rows_of
from generate.coverage.model import Coverage, Finding, Kind, PrincipleCoverage
from generate.coverage.page import matrix, render
from generate.coverage.tally import CoverageTally
from generate.report.model import Level, Notice
from judges.aggregate import combined, opinions_of
from judges.humans.labels import label_to_json, with_id
from judges.probability import logit, sigmoid
from tenet.errors import MissingInput
from tenet.records import Choice, Judgement, Label, Preference
from tenet.runs import Run
from tests.generate.coverage_run import make_run, prompts, samples_of, taste
from tests.generate.test_report import HOSTILE, _Page
from tests.judges.makers import constitution_of, judgement, principle


@pytest.fixture(scope="module")
def each(tmp_path_factory: pytest.TempPathFactory) -> Coverage:
    return cover(make_run(tmp_path_factory.mktemp("each")))


def row(coverage: Coverage, name: str) -> PrincipleCoverage:
    (found,) = [one for one in coverage.principles if one.id == name]
    return found


def test_how_often_each_applies_is_asked_and_decides(each: Coverage) -> None:
    assert (each.prompts, each.pairs, each.mode, each.margin) == (200, 200, "each", 1.1)
    main, poets, shy = row(each, "main"), row(each, "poets"), row(each, "shy")
    assert (main.applies, main.prompts, main.pairs, main.calls) == (200, 200, 200, 400)
    assert (poets.applies, poets.prompts, poets.pairs) == (40, 40, 40)
    assert main.decides is not None
    assert main.decides.value == 1.0
    assert main.consistent is not None
    assert main.consistent.value == 1.0
    assert shy.decides is not None
    assert shy.decides.value == 0.0
    assert (row(each, "nowhere").applies, row(each, "nowhere").prompts) == (0, 0)


def test_what_never_fires_is_found(each: Coverage) -> None:
    assert row(each, "nowhere").findings == (Finding(Kind.UNREACHED),)
    assert Finding(Kind.NEVER_DECIDES) in row(each, "shy").findings
    assert any(notice.title == "2 principles without effect" for notice in each.notices)


def test_a_lower_margin_lets_a_weak_principle_decide(tmp_path: Path) -> None:
    shy = row(cover(make_run(tmp_path, 40), margin=0.15), "shy")
    assert shy.decides is not None
    assert shy.decides.value == 1.0
    assert Finding(Kind.NEVER_DECIDES) not in shy.findings


def test_a_duplicate_agrees_and_an_opposite_disagrees(each: Coverage) -> None:
    by_names = {(one.first, one.second): one for one in each.agreements}
    assert (by_names["echo", "main"].kappa, by_names["echo", "main"].gap) == (1.0, 0.0)
    assert by_names["contrary", "main"].kappa == -1.0
    assert by_names["contrary", "main"].gap == pytest.approx(4.0)
    assert by_names["main", "poets"].agreement.count == 40
    assert by_names["main", "shy"].decided is None, "the one decides all, the other none"
    assert Finding(Kind.REPEATS, "main") in row(each, "echo").findings
    assert Finding(Kind.REPEATS, "shy") not in row(each, "main").findings, "the same winners, and far less sure"
    assert Finding(Kind.OPPOSES, "main") in row(each, "contrary").findings
    assert not any("nowhere" in names for names in by_names)


def test_leaving_one_out_is_what_the_preferences_would_be_without_it(each: Coverage) -> None:
    """Weights 1, 1, 1/4 and 1, log-odds 2, 2, -2 and 0.2; with poets another 2, weight 1; by hand."""
    told = (2 + 2 - 0.5 + 0.2) / 3.25
    poem = (2 + 2 - 0.5 + 0.2 + 2) / 4.25
    without_echo = 0.8 * abs(told - 1.7 / 2.25) + 0.2 * abs(poem - 3.7 / 3.25)
    echo, contrary = row(each, "echo"), row(each, "contrary")
    assert echo.changed is not None
    assert (echo.changed.value, echo.changed.count, echo.alone) == (0.0, 200, 0)
    assert echo.moved == pytest.approx(without_echo)
    assert contrary.moved == pytest.approx(0.8 * abs(told - 4.2 / 3) + 0.2 * abs(poem - 6.2 / 4))


def judged(*said: tuple[str, float]) -> list[Judgement]:
    """Both orders of one pair under principles with these log-odds for `a`."""
    return [
        judgement(first, second, sigmoid(odds if first == "a" else -odds), principle=name)
        for name, odds in said
        for first, second in (("a", "b"), ("b", "a"))
    ]


def covered(*said: tuple[str, float], pairs: int = 100) -> Coverage:
    """The coverage of so many prompts with the same judgements, by principles of weight 1."""
    file = constitution_of(*(principle(name) for name, _ in said))
    tally = CoverageTally({one.id: one for one in file.principles}, 1.1)
    for number in range(pairs):
        tally.add([replace(one, prompt_id=f"p{number}") for one in judged(*said)], {}, {})
    agreements = agreements_of(tally)
    rows = rows_of(tally.principles, Counter(), file)
    made = tuple(one.with_findings(*found(one, agreements, pairs)) for one in rows)
    return Coverage("n", "", "0", "f", "1", "d", "each", 1.1, pairs, pairs, made, agreements)


def test_a_duplicate_is_redundant_where_nothing_speaks_against_it() -> None:
    coverage = covered(("kind", 2.0), ("gentle", 2.0))
    for name in ("kind", "gentle"):
        assert Finding(Kind.REDUNDANT) in row(coverage, name).findings
        assert row(coverage, name).moved == pytest.approx(0.0)


def test_a_principle_that_tips_the_scale_is_not_redundant() -> None:
    """2 + 2 - 3: without either of the first two the third wins."""
    coverage = covered(("kind", 2.0), ("gentle", 2.0), ("brief", -3.0))
    for name in ("kind", "gentle"):
        changed = row(coverage, name).changed
        assert changed is not None
        assert changed.value == 1.0
        assert Finding(Kind.REDUNDANT) not in row(coverage, name).findings
    assert Finding(Kind.REPEATS, "gentle") in row(coverage, "kind").findings


def test_few_pairs_give_no_finding() -> None:
    assert not any(one.findings for one in covered(("kind", 2.0), ("gentle", 2.0), pairs=5).principles)


def test_what_is_combined_here_is_what_the_run_recorded(tmp_path: Path) -> None:
    path = make_run(tmp_path, 20)
    known = {one.id: one for one in load(str(tmp_path / "known.yaml")).principles}
    with Run.read(path) as run:
        told = opinions_of(run.stage(Step.JUDGEMENTS, Judgement).records())
        recorded = {
            (one.prompt_id, one.a_id, one.b_id): one.p_a for one in run.stage(PREFERENCES, Preference).records()
        }
    assert {pair: combined(own, known) for pair, own in told.items()} == recorded


def test_a_judge_that_favours_the_first_place_shows(tmp_path: Path) -> None:
    coverage = cover(make_run(tmp_path, 60, bias=3.0))
    main = row(coverage, "main")
    assert main.first is not None
    assert main.first.value == 1.0
    assert main.consistent is not None
    assert main.consistent.value == 0.0
    assert Finding(Kind.NEVER_DECIDES) in main.findings


def test_a_sampled_run_says_what_it_cannot_say(tmp_path: Path) -> None:
    coverage = cover(make_run(tmp_path, mode="sampled"))
    assert coverage.agreements == ()
    assert matrix(coverage) is None
    assert all(one.changed is None and one.moved is None for one in coverage.principles)
    assert sum(one.alone for one in coverage.principles) == coverage.pairs == 200
    assert any(notice.title == "One principle a prompt" for notice in coverage.notices)
    assert 'id="agreement"' not in render(coverage)


def label(prompt: int, *, right: bool, principle: str | None = None, chance: float = 1.0) -> Label:
    """A person's opinion of a prompt's pair, the one that `main` has or the other."""
    asked = prompts(prompt + 1)[prompt]
    a, b = samples_of(asked)
    choice = Choice.A if (taste(asked) > 0) == right else Choice.B
    return with_id(
        Label("", asked.messages, a.text, b.text, choice, "ann", principle=principle, inclusion_probability=chance)
    )


def write_labels(run: Path, labels: list[Label]) -> None:
    (run / "labels.jsonl").write_text("".join(json.dumps(label_to_json(one)) + "\n" for one in labels))


def test_agreement_with_people(tmp_path: Path) -> None:
    path = make_run(tmp_path, 60)
    labels = [label(number, right=number % 4 != 0) for number in range(1, 41)]
    labels += [label(number, right=False, principle="shy") for number in range(41, 51)]
    write_labels(path, labels)
    coverage = cover(path)
    assert (coverage.labels, coverage.matched) == (50, 50)
    people = {one.id: one.people for one in coverage.principles if one.people}
    assert people["main"].value == people["echo"].value == pytest.approx(30 / 40)
    assert people["contrary"].value == pytest.approx(10 / 40)
    assert people["shy"].value == pytest.approx(30 / 50), "labels about one principle count for it alone"
    assert people["main"].count == 40
    assert coverage.people is not None
    assert coverage.people.value == pytest.approx(30 / 40)


def test_labels_weigh_the_inverse_of_their_chance(tmp_path: Path) -> None:
    path = make_run(tmp_path, 60)
    likely = [label(number, right=True) for number in range(20)]
    write_labels(path, [*likely, *(label(number, right=False, chance=0.25) for number in range(20, 40))])
    coverage = cover(path)
    assert coverage.people is not None
    assert coverage.people.value == pytest.approx(20 / (20 + 4 * 20))
    assert coverage.people.count == 40


def test_labels_of_other_pairs_are_told(tmp_path: Path) -> None:
    path = make_run(tmp_path, 20)
    write_labels(path, [replace(label(1, right=True), response_a="Something else.")])
    coverage = cover(path)
    assert coverage.people is None
    assert any(notice.title == "The labels are of other pairs" for notice in coverage.notices)


def test_without_the_file_that_it_was_judged_by_nothing_is_made_up(tmp_path: Path) -> None:
    path = make_run(tmp_path, 20)
    file = tmp_path / "known.yaml"
    file.write_text(file.read_text().replace("is kind", "is very kind"))
    main = row(cover(path), "main")
    assert (main.applies, main.changed, main.moved, main.text) == (None, None, None, "")
    assert main.decides is not None


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_cannot_leave_their_place_on_the_page(each: Coverage, text: str) -> None:
    evil = replace(
        each,
        name=text,
        principles_name=text,
        principles=tuple(replace(one, id=text if one.id == "main" else one.id, text=text) for one in each.principles),
        agreements=tuple(replace(one, first=text) for one in each.agreements),
        notices=(Notice(Level.CAUTION, text, text, text),),
    )
    plain, page = _Page(render(each)), _Page(render(evil))
    assert page.tags <= plain.tags
    assert page.names <= plain.names
    assert "script" not in page.tags
    assert any(text.strip() in shown for shown in page.texts)


def test_the_page_loads_nothing_and_draws_every_pair(each: Coverage) -> None:
    html = render(each)
    page = _Page(html)
    assert "default-src 'none'" in html
    assert not {"src", "href"} & {name for name, value in page.values if not value.startswith("#")}
    drawn = matrix(each)
    assert drawn is not None
    assert drawn.names == ("main", "echo", "contrary", "shy", "poets")
    cells = {(a, b): drawn.rows[i][j] for i, a in enumerate(drawn.names) for j, b in enumerate(drawn.names)}
    assert (cells["main", "echo"].kind, cells["main", "echo"].text) == ("same", "1.00")
    assert (cells["main", "contrary"].kind, cells["main", "contrary"].depth) == ("other", 55)
    assert cells["main", "contrary"].text == cells["contrary", "main"].text
    assert render(each) == html


def test_the_command_prints_tables_json_and_a_page(tmp_path: Path) -> None:
    path, page = make_run(tmp_path, 100), tmp_path / "page.html"
    done = CliRunner().invoke(command, ["coverage", str(path), "--out", str(page)], catch_exceptions=False)
    assert "no prompt reaches it" in done.stdout
    assert "repeats main" in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    told = json.loads(CliRunner().invoke(command, ["coverage", str(path), "--json"], catch_exceptions=False).stdout)
    assert told["margin"] == 1.1
    assert {one["id"]: one["findings"] for one in told["principles"]}["nowhere"] == [{"kind": "unreached", "other": ""}]
    assert {(one["first"], one["second"]): one["kappa"] for one in told["agreements"]}["contrary", "main"] == -1.0


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="There is no run"):
        CliRunner().invoke(command, ["coverage", str(tmp_path / "none")], catch_exceptions=False)


def test_log_odds_by_hand() -> None:
    told = opinions_of(judged(("kind", 2.0), ("brief", -3.0)))
    (own,) = told.values()
    assert logit(combined(own, {})) == pytest.approx(-0.5)
