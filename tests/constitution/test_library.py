"""The shipped files are good by the standards that they set for others."""

import re
import subprocess
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from constitution.load import load as load_anew
from constitution.model import Constitution, Principle, PrincipleTest, Status
from constitution.select import applies
from constitution.sources import shipped
from docs import principles_page
from pocket import oracle, world
from principles import GROUPS

GENERAL = tuple(name for names in GROUPS.values() for name in names)
load = cache(load_anew)
POCKET = tuple(f"pocket/{family}" for family in oracle.FAMILIES)


def pairs(name: str) -> Iterator[PrincipleTest]:
    """Yield the tests of a file that hold two responses."""
    return (test for one in load(name).principles for test in one.tests if test.applies)


def general() -> Iterator[Principle]:
    return (one for name in GENERAL for one in load(name).principles)


def test_these_files_ship_in_the_order_in_which_to_meet_them() -> None:
    assert list(shipped()) == [*GENERAL, *sorted(POCKET)]
    assert len(GENERAL) >= 12


@pytest.fixture(params=[*GENERAL, *POCKET])
def file(request: pytest.FixtureRequest) -> Constitution:
    return load(str(request.param))


def test_every_principle_can_be_tested_and_shown(file: Constitution) -> None:
    assert file.version
    assert file.licence == "Apache-2.0"
    assert file.description
    for principle in file.principles:
        assert principle.status is Status.ACTIVE, principle.id
        assert sum(test.applies for test in principle.tests) >= 2, principle.id
        assert principle.examples, principle.id
        assert principle.counterexamples, principle.id
        assert len(principle.text) <= 160, principle.id
        assert principle.text.endswith("."), principle.id


def test_conditional_principles_are_tested_on_a_prompt_that_they_leave_alone(file: Constitution) -> None:
    for principle in file.principles:
        if principle.applies_when:
            assert any(not test.applies for test in principle.tests), principle.id


def test_examples_are_of_prompts_that_apply(file: Constitution) -> None:
    for principle in file.principles:
        for example in (*principle.examples, *principle.counterexamples):
            assert applies(principle, (), example.prompt), (principle.id, example.prompt)


def test_files_hint_editors_at_the_schema(file: Constitution) -> None:
    assert file.path is not None
    first = file.path.read_text("utf-8").splitlines()[0]
    hint = first.removeprefix("# yaml-language-server: $schema=")
    assert (file.path.parent / hint).resolve().name == "schema.json"
    assert (file.path.parent / hint).is_file()


@pytest.mark.parametrize("name", GENERAL)
def test_general_files_are_of_a_size_to_read(name: str) -> None:
    assert 4 <= len(load(name).principles) <= 9


@pytest.mark.parametrize("name", GENERAL)
def test_descriptions_name_a_file_to_go_with(name: str) -> None:
    assert any(re.search(rf"\b{other}\b", load(name).description) for other in GENERAL if other != name)


@pytest.mark.parametrize("name", GENERAL)
def test_tests_cannot_be_passed_by_length(name: str) -> None:
    longer = [len(test.better) > len(test.worse) for test in pairs(name)]
    assert 0.4 <= sum(longer) / len(longer) <= 0.6


def test_each_principle_has_a_test_won_by_the_shorter_response_and_one_by_the_longer() -> None:
    one_sided = [
        one.id
        for one in general()
        if len({len(test.better) > len(test.worse) for test in one.tests if test.applies}) == 1
    ]
    assert one_sided == []


def test_each_pattern_reaches_the_prompt_of_a_test() -> None:
    unreached = [
        (one.id, condition.pattern)
        for one in general()
        for condition in one.applies_when
        if condition.pattern
        and not any(test.applies and re.search(condition.pattern, test.prompt) for test in one.tests)
    ]
    assert unreached == []


def test_no_two_principles_say_the_same() -> None:
    """No pair shares a third of its words or most of its letters; the closest shares a quarter."""
    close = [
        (one.id, other.id)
        for one, other in combinations(general(), 2)
        if shared(one.text, other.text) > 1 / 3
        or SequenceMatcher(None, one.text, other.text, autojunk=False).ratio() > 0.8
    ]
    assert close == []


def shared(one: str, other: str) -> float:
    """Share of words, without the frame of every principle, that two texts have in common (Jaccard)."""
    frame = r"(?:the|a|an|of|to|in|it|that|or|is|for|by|as|with|its|response|one|where|from|on|what|who)"
    a, b = (set(re.findall(rf"\b(?!{frame}\b)[a-z]+", text.lower())) for text in (one, other))
    return len(a & b) / len(a | b)


def test_no_prompt_or_response_serves_twice() -> None:
    texts = [text for one in general() for test in one.tests for text in (test.prompt, test.better, test.worse) if text]
    assert len(texts) == len(set(texts))


def test_texts_are_worded_positively() -> None:
    """A behaviour to do is easier to see than one to leave out (C3AI finds that it agrees better with people)."""
    negated = [one.id for one in general() if re.search(r"\b(never|avoids?|does not|do not|must not)\b", one.text)]
    assert negated == []


def test_ids_are_unique_over_the_general_files_so_that_all_can_be_included(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(f"schema_version: 1\nname: all\ninclude: [{', '.join(GENERAL)}]\n")
    assert len(load(str(path)).principles) == sum(len(load(name).principles) for name in GENERAL)


@pytest.mark.parametrize("family", oracle.FAMILIES)
def test_pocket_files_agree_with_the_oracle(family: str) -> None:
    (principle,) = load(f"pocket/{family}").principles
    assert principle.id == family
    for test in principle.tests:
        if test.applies:
            assert oracle.decide(family, test.prompt, test.better, test.worse) == 1, test
        else:
            assert not oracle.applies(family, test.prompt)
    assert all(oracle.has(family, one.prompt, one.response) is True for one in principle.examples)
    assert all(oracle.has(family, one.prompt, one.response) is False for one in principle.counterexamples)


@pytest.mark.parametrize("family", oracle.FAMILIES)
def test_pocket_files_apply_where_the_oracle_does(family: str) -> None:
    (principle,) = load(f"pocket/{family}").principles
    wrong = [p.text for p in world.all_prompts() if applies(principle, (), p.text) != oracle.applies(family, p.text)]
    assert wrong == []


def test_sources_name_authors_year_and_title() -> None:
    for principle in general():
        if principle.source:
            assert re.fullmatch(r"[A-Zv][\w .'-]+ (19|20)\d\d, .{10,}", principle.source), principle.source


def test_the_page_of_the_library_is_what_the_files_say() -> None:
    command = [sys.executable, "-m", "docs.principles_page", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(principles_page.__file__).parents[1])
    assert done.returncode == 0, done.stderr


def test_a_stale_page_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(principles_page, "PAGE", tmp_path / "principles.md")
    assert principles_page.main(["--check"]) == 1
    assert "write it anew with: make docs" in capsys.readouterr().err
    assert principles_page.main([]) == 0
    assert principles_page.main(["--check"]) == 0


def test_the_page_shows_every_principle_and_a_file_that_loads(tmp_path: Path) -> None:
    page = principles_page.page()
    assert all(f"- `{one.id}`" in page for one in general())
    assert all(f"### {name}\n" in page for name in shipped())
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "own.yaml").write_text(shown)
    own = load_anew(tmp_path / "own.yaml")
    assert own.get("invent-nothing").weight == 4
    assert own.principles[-1].id == "name-the-source"
