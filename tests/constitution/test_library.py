"""The shipped files are good by the standards that they set for others."""

import re
from functools import cache
from pathlib import Path

import pytest

from constitution.load import load as load_anew
from constitution.model import Constitution, Status
from constitution.select import applies
from constitution.sources import shipped
from pocket import oracle, world

GENERAL = ("harmlessness", "helpfulness", "honesty")
load = cache(load_anew)
POCKET = tuple(f"pocket/{family}" for family in oracle.FAMILIES)


def test_these_files_ship() -> None:
    assert set(shipped()) == {*GENERAL, *POCKET}


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
    assert 6 <= len(load(name).principles) <= 10


def test_general_tests_cannot_be_passed_by_length() -> None:
    tests = [test for name in GENERAL for one in load(name).principles for test in one.tests if test.applies]
    longer = sum(len(test.better) > len(test.worse) for test in tests)
    assert len(tests) >= 50
    assert 0.4 <= longer / len(tests) <= 0.6


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
    for name in GENERAL:
        for principle in load(name).principles:
            if principle.source:
                assert re.fullmatch(r"[\w-]+ et al\. (19|20)\d\d, .{10,}", principle.source), principle.source
