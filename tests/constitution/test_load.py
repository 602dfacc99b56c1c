from collections.abc import Mapping
from pathlib import Path

import pytest

from constitution.load import load
from constitution.model import (
    COMPARE_QUESTION,
    CRITIQUE_QUESTION,
    REVISE_INSTRUCTION,
    Condition,
    Example,
    PrincipleTest,
    Status,
    Tier,
)
from tenet.errors import InvalidInput, MissingInput, UsageError

HEAD = "schema_version: 1\nname: mine\n"


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files and return the first one's path."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / next(iter(files))


def faults(path: Path) -> list[tuple[str, int | None, int | None, str, str]]:
    with pytest.raises(InvalidInput) as caught:
        load(path)
    return [
        (one.path.name if one.path else "", one.line, one.column, one.message, one.hint)
        for one in caught.value.problems
    ]


def test_the_smallest_file_has_every_default(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.yaml": HEAD + "principles:\n  - id: kind\n    text: The response is kind.\n"})
    constitution = load(path)
    (one,) = constitution.principles
    assert (constitution.name, constitution.version, constitution.licence, constitution.path) == ("mine", "", "", path)
    assert (one.id, one.text, one.weight, one.tier, one.status) == (
        "kind",
        "The response is kind.",
        1.0,
        Tier.PRINCIPLE,
        Status.ACTIVE,
    )
    assert (one.applies_when, one.yields_to, one.tests, one.examples) == ((), (), (), ())
    assert (one.compare_question, one.critique_question) == (COMPARE_QUESTION, CRITIQUE_QUESTION)
    assert one.revise_instruction == REVISE_INSTRUCTION
    assert (one.line, one.path) == (4, path)


def test_every_field_is_read(tmp_path: Path) -> None:
    text = (
        HEAD
        + """version: "1.2"
description: |
  Two
  lines.
licence: CC0-1.0
principles:
  - id: first
    text: First.
  - id: full
    text: >-
      The response
      is full.
    compare: Which one is fuller?
    critique: Is it full?
    revise: Fill it.
    weight: 2
    tier: rule
    applies_when:
      - {tags: {any: [a, b], all: [c]}, pattern: "(?i)x"}
      - pattern: y
    examples: [{prompt: p, response: r}]
    counterexamples: [{prompt: q, response: s}]
    yields_to: [first]
    tests:
      - {prompt: yes y, better: "1", worse: "2"}
      - {prompt: X, better: b, worse: w, tags: [a, c]}
      - {prompt: z, applies: false}
    source: Somebody 2020
    status: draft
"""
    )
    full = load(written(tmp_path, {"a.yaml": text})).get("full")
    assert full.text == "The response is full."
    assert (full.compare_question, full.critique_question, full.revise_instruction) == (
        "Which one is fuller?",
        "Is it full?",
        "Fill it.",
    )
    assert (full.weight, full.tier, full.status, full.source) == (2.0, Tier.RULE, Status.DRAFT, "Somebody 2020")
    assert full.applies_when == (Condition(("a", "b"), ("c",), "(?i)x"), Condition(pattern="y"))
    assert (full.examples, full.counterexamples) == ((Example("p", "r"),), (Example("q", "s"),))
    assert full.yields_to == ("first",)
    assert full.tests == (
        PrincipleTest("yes y", "1", "2"),
        PrincipleTest("X", "b", "w", ("a", "c")),
        PrincipleTest("z", applies=False),
    )


def test_a_single_condition_needs_no_list_and_null_means_always(tmp_path: Path) -> None:
    text = HEAD + (
        "principles:\n"
        "  - {id: a, text: A., applies_when: {pattern: x}}\n"
        "  - {id: b, text: B., applies_when: null, compare: null}\n"
    )
    constitution = load(written(tmp_path, {"a.yaml": text}))
    assert constitution.get("a").applies_when == (Condition(pattern="x"),)
    assert constitution.get("b").applies_when == ()
    assert constitution.get("b").compare is None


def test_defaults_fill_own_principles_only(tmp_path: Path) -> None:
    files = {
        "a.yaml": HEAD
        + "include: [b.yaml]\ndefaults: {weight: 3, tier: rule, source: Me, applies_when: {pattern: x}}\nprinciples:\n"
        "  - {id: own, text: Own.}\n"
        "  - {id: light, text: Light., weight: 0.5, applies_when: null}\n"
        "  - {id: theirs, source: Changed}\n",
        "b.yaml": HEAD + "principles: [{id: theirs, text: Theirs.}]\n",
    }
    constitution = load(written(tmp_path, files))
    own, light, theirs = (constitution.get(name) for name in ("own", "light", "theirs"))
    assert (own.weight, own.tier, own.source, own.applies_when) == (3.0, Tier.RULE, "Me", (Condition(pattern="x"),))
    assert (light.weight, light.tier, light.applies_when) == (0.5, Tier.RULE, ())
    assert (theirs.weight, theirs.tier, theirs.source) == (1.0, Tier.PRINCIPLE, "Changed")


def test_all_problems_of_a_file_come_together_with_places_and_cures(tmp_path: Path) -> None:
    text = """schema_version: 2
name: My File
verson: "1"
defaults: {weight: 0}
principles:
  - id: be-kind
    text: The response is kind.
    wieght: 2
  - id: be-kind
    text: 7
  - id: clear
    text: "  "
    weight: true
    status: activ
    tier: [rule]
    tests: {prompt: x}
  - text: no id
  - id: pattern
    text: x
    applies_when: [{pattern: "(a+)+"}, {pattern: "("}]
    yields_to: [claer, pattern]
"""
    assert faults(written(tmp_path, {"a.yaml": text})) == [
        ("a.yaml", 1, 1, "schema_version must be 1, not 2", "this version of Tenet reads schema_version 1"),
        (
            "a.yaml",
            2,
            1,
            'name must be lower-case words joined by hyphens, such as admit-uncertainty, not "My File"',
            "",
        ),
        ("a.yaml", 3, 1, 'unknown key "verson"', 'did you mean "version"?'),
        (
            "a.yaml",
            4,
            12,
            "defaults.weight must be more than 0, not 0",
            "to leave a principle out, write `status: draft` or `status: retired`",
        ),
        ("a.yaml", 8, 5, 'unknown key "wieght" in principles[0]', 'did you mean "weight"?'),
        ("a.yaml", 9, 5, 'a second principle has the id "be-kind"', "the first is on line 6"),
        ("a.yaml", 10, 5, "principles[1].text must be text, not 7", 'put quotes around it: "7"'),
        ("a.yaml", 12, 5, "principles[2].text must not be empty", ""),
        ("a.yaml", 13, 5, "principles[2].weight must be a number, not true", ""),
        (
            "a.yaml",
            14,
            5,
            'principles[2].status must be one of active, draft, retired, not "activ"',
            'did you mean "active"?',
        ),
        ("a.yaml", 15, 5, "principles[2].tier must be one of rule, principle, not a list", ""),
        ("a.yaml", 16, 5, "principles[2].tests must be a list, not a table of keys", ""),
        ("a.yaml", 17, 5, "principles[3] lacks `id`", "give it a name that stays, such as `id: admit-uncertainty`"),
        (
            "a.yaml",
            20,
            21,
            "principles[4].applies_when[0].pattern repeats something that itself repeats without limit, "
            "which can take forever",
            "use bounded repeats such as {0,20}",
        ),
        (
            "a.yaml",
            20,
            41,
            "principles[4].applies_when[1].pattern is not a regular expression: "
            "missing ), unterminated subpattern at position 0",
            "",
        ),
        ("a.yaml", 21, 24, 'principles[4].yields_to[1]: "pattern" cannot yield to itself', "remove it"),
    ]


def test_the_error_text_stands_alone(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.yaml": HEAD + "principles:\n  - {id: a, txt: x}\n"})
    with pytest.raises(InvalidInput) as caught:
        load(path)
    assert (
        str(caught.value)
        == f'1 problem in {path}\n{path}:4:13: unknown key "txt" in principles[0]\n  did you mean "text"?'
    )
    assert caught.value.exit_code == 2


def test_a_principle_without_text_says_so(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, {"a.yaml": HEAD + "principles:\n  - {id: a, weight: 2}\n"}))
    assert fault[1:] == (
        4,
        6,
        'principles[0] lacks `text`, and no included principle has the id "a"',
        "add `text: ...`, the behaviour to prefer",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("- a\n", "the file must be a table of keys, not a list"),
        ("just words\n", 'the file must be a table of keys, not "just words"'),
        (HEAD, "the file holds no principles"),
        (HEAD + "principles: []\n", "principles must not be empty"),
        (HEAD + "principles: [{id: a, text: A., status: draft}]\n", "none of the principles is active"),
        ("name: a\nprinciples: [{id: a, text: A.}]\n", "the file lacks `schema_version`"),
        (HEAD + "version: 1.0\nprinciples: [{id: a, text: A.}]\n", "version must be text, not 1.0"),
        (HEAD + "principles: [{id: a, text: A., weight: -1}]\n", "principles[0].weight must be more than 0, not -1"),
        (HEAD + "principles: [{id: A b, text: A.}]\n", "principles[0].id must be lower-case words"),
        (HEAD + "principles: [{id: a, text: no}, {id: b, text: 5}]\n", "principles[1].text must be text, not 5"),
        (HEAD + "principles: [{id: a, text: A., applies_when: {}}]\n", "principles[0].applies_when must not be empty"),
        (HEAD + "principles: [{id: a, text: A., applies_when: x}]\n", "must be a table of keys, not"),
        (HEAD + "principles: [{id: a, text: A., yields_to: b}]\n", "principles[0].yields_to must be a list"),
        (HEAD + f"principles: [{{id: a, text: {'x' * 2001}}}]\n", "must be at most 2,000 characters long, not 2,001"),
        (HEAD + f"principles: [{{id: a, text: A., applies_when: {{pattern: {'x' * 301}}}}}]\n", "at most 300"),
    ],
)
def test_one_fault_one_message(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in fault[3] for fault in faults(written(tmp_path, {"a.yaml": text})))


def test_tests_must_agree_with_applies_when(tmp_path: Path) -> None:
    text = HEAD + (
        "principles:\n"
        "  - id: a\n"
        "    text: A.\n"
        "    applies_when: {pattern: foo}\n"
        "    tests:\n"
        "      - {prompt: bar, better: x, worse: y}\n"
        "      - {prompt: foo, applies: false}\n"
        "      - {prompt: foo, better: x, worse: x}\n"
    )
    assert [fault[1:4] for fault in faults(written(tmp_path, {"a.yaml": text}))] == [
        (8, 10, "principles[0].tests[0] has a prompt that `applies_when` misses"),
        (9, 10, "principles[0].tests[1] has a prompt that `applies_when` selects"),
        (10, 34, "principles[0].tests[2] has the same text for better and worse"),
    ]


def test_a_test_needs_a_pair_unless_it_does_not_apply(tmp_path: Path) -> None:
    text = HEAD + (
        "principles:\n"
        "  - id: a\n"
        "    text: A.\n"
        "    tests:\n"
        "      - {prompt: x}\n"
        "      - {prompt: x, applies: false, better: y}\n"
        "      - {prompt: x, applies: no, better: y, worse: z}\n"
    )
    assert [fault[3] for fault in faults(written(tmp_path, {"a.yaml": text}))] == [
        "principles[0].tests[0] lacks `better`",
        "principles[0].tests[0] lacks `worse`",
        "principles[0].tests[1] has `applies: false`, and with it no pair",
        'principles[0].tests[2].applies must be true or false, not "no"',
    ]


def test_yields_to_names_what_is_unknown_and_circles(tmp_path: Path) -> None:
    text = HEAD + (
        "principles:\n"
        "  - {id: alpha, text: A., yields_to: [beta]}\n"
        "  - {id: beta, text: B., yields_to: [gamma]}\n"
        "  - {id: gamma, text: C., yields_to: [alpha]}\n"
        "  - {id: one, text: D., yields_to: [two]}\n"
        "  - {id: two, text: E., yields_to: [one, thre]}\n"
        "  - {id: three, text: F.}\n"
    )
    found = faults(written(tmp_path, {"a.yaml": text}))
    circles = [set(fault[3].rpartition(": ")[2].split(" -> ")) for fault in found if "circle" in fault[3]]
    assert sorted(circles, key=len) == [{"one", "two"}, {"alpha", "beta", "gamma"}]
    (unknown,) = [fault for fault in found if "no principle" in fault[3]]
    assert unknown[1:] == (8, 42, 'principles[4].yields_to[1]: there is no principle "thre"', 'did you mean "three"?')


def test_includes_come_first_and_are_overridden_by_single_fields(tmp_path: Path) -> None:
    files = {
        "team/mine.yaml": HEAD
        + "include: [../base.yaml]\nprinciples:\n"
        + "  - {id: new, text: New., yields_to: [kind]}\n  - {id: kind, weight: 5}\n  - {id: old, status: retired}\n",
        "base.yaml": HEAD
        + "principles:\n  - {id: old, text: Old.}\n  - {id: kind, text: Be kind., weight: 2, source: S}\n",
    }
    constitution = load(written(tmp_path, files))
    assert [one.id for one in constitution.principles] == ["old", "kind", "new"]
    assert [one.id for one in constitution.active] == ["kind", "new"]
    kind = constitution.get("kind")
    assert (kind.text, kind.weight, kind.source) == ("Be kind.", 5.0, "S")
    assert (kind.path, kind.line) == (tmp_path / "team/mine.yaml", 6)
    assert constitution.get("new").path == tmp_path / "team/mine.yaml"


def test_shipped_names_are_included_but_a_file_beside_comes_first(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.yaml": HEAD + "include: [pocket/courteous]\n"})
    assert [one.id for one in load(path).principles] == ["courteous"]
    written(tmp_path, {"pocket/courteous": HEAD + "principles: [{id: local, text: L.}]\n"})
    assert [one.id for one in load(path).principles] == ["local"]


def test_the_same_file_by_two_ways_is_one(tmp_path: Path) -> None:
    files = {
        "a.yaml": HEAD + "include: [b.yaml, c.yaml]\n",
        "b.yaml": HEAD + "include: [d.yaml]\n",
        "c.yaml": HEAD + "include: [d.yaml]\nprinciples: [{id: c, text: C.}]\n",
        "d.yaml": HEAD + "principles: [{id: d, text: D.}]\n",
    }
    assert [one.id for one in load(written(tmp_path, files)).principles] == ["d", "c"]


def test_two_included_principles_of_one_id_are_a_problem(tmp_path: Path) -> None:
    files = {
        "a.yaml": HEAD + "include: [b.yaml, c.yaml]\n",
        "b.yaml": HEAD + "principles: [{id: x, text: B.}]\n",
        "c.yaml": HEAD + "principles: [{id: x, text: C.}]\n",
    }
    (fault,) = faults(written(tmp_path, files))
    assert fault[:3] == ("a.yaml", 3, 19)
    assert 'the principle "x" of c.yaml differs from the one at' in fault[3]


def test_problems_of_included_files_point_there_and_come_once(tmp_path: Path) -> None:
    files = {
        "a.yaml": HEAD
        + "include: [b.yaml, c.yaml, nope.yaml]\nprinciples: [{id: bad, weight: 2}, {id: y, txet: Y.}]\n",
        "b.yaml": HEAD + "include: [d.yaml]\n",
        "c.yaml": HEAD + "include: [d.yaml]\n",
        "d.yaml": HEAD + "principles: [{id: bad, text: D., weight: heavy}]\n",
    }
    found = faults(written(tmp_path, files))
    assert [(fault[0], fault[1]) for fault in found] == [("a.yaml", 3), ("a.yaml", 4), ("d.yaml", 3)]
    assert found[0][3] == "no principles file nope.yaml"
    assert 'unknown key "txet"' in found[1][3]
    assert found[2][3] == 'principles[0].weight must be a number, not "heavy"'


def test_unreadable_yaml_in_an_include_points_there(tmp_path: Path) -> None:
    files = {"a.yaml": HEAD + "include: [b.yaml]\n", "b.yaml": "a: 1\na: 2\n"}
    assert faults(written(tmp_path, files))[0][:4] == ("b.yaml", 2, 1, 'the key "a" stands here a second time')


def test_circles_and_depth_of_includes_are_refused(tmp_path: Path) -> None:
    files = {"a.yaml": HEAD + "include: [b.yaml]\n", "b.yaml": HEAD + "include: [a.yaml]\n"}
    (fault,) = faults(written(tmp_path, files))
    assert fault[0] == "b.yaml"
    assert fault[3] == "files include each other in a circle: a.yaml -> b.yaml -> a.yaml"
    deep = {f"{i}.yaml": HEAD + f"include: [{i + 1}.yaml]\n" for i in range(9)}
    (fault,) = faults(written(tmp_path, {**deep, "9.yaml": HEAD + "principles: [{id: a, text: A.}]\n"}))
    assert fault[0] == "7.yaml"
    assert "more than 8 files deep" in fault[3]


def test_a_file_that_includes_itself_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(written(tmp_path, {"a.yaml": HEAD + "include: [./a.yaml]\n"}))
    assert "a.yaml -> a.yaml" in fault[3]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("honestly", 'did you mean "honesty"?'),
        ("courteous", 'did you mean "pocket/courteous"?'),
        ("principles/honesty.yaml", "a shipped file goes by its bare name: honesty"),
        ("x" * 5000, "shipped files: "),
        ("somewhere/else.yaml", "shipped files: harmlessness, helpfulness, honesty"),
    ],
)
def test_a_missing_file_never_falls_back(name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingInput) as caught:
        load(name)
    assert caught.value.exit_code == 3
    assert hint in str(caught.value)


def test_an_unknown_id_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r'has no principle "invent-nothin"\n  did you mean "invent-nothing"'):
        load("honesty").get("invent-nothin")


def test_digests_follow_what_can_change_a_label(tmp_path: Path) -> None:
    def digest(body: str, head: str = HEAD) -> str:
        return load(written(tmp_path, {"a.yaml": head + body})).digest

    base = "principles:\n  - {id: a, text: A., applies_when: {tags: {any: [x, y]}}}\n  - {id: b, text: B.}\n"
    same = [
        base.replace("{id: b, text: B.}", "{text: B., weight: 1.0, id: b, source: S} # note"),
        base.replace("[x, y]", "[y, x]"),
        base + "  - {id: c, text: C., status: draft}\n",
        base.replace("text: B.", "text: B., tests: [{prompt: p, better: x, worse: y}]"),
    ]
    different = [
        base.replace("B.", "B!"),
        base.replace("[x, y]", "[x]"),
        base.replace("text: B.", "text: B., weight: 2"),
        base.replace("text: B.", "text: B., tier: rule"),
        base.replace("text: B.", "text: B., compare: Which?"),
        base.replace("text: B.", "text: B., yields_to: [a]"),
        base.replace("id: b", "id: bb"),
        base + "  - {id: c, text: C.}\n",
    ]
    assert {digest(body) for body in same} | {digest(base, HEAD.replace("mine", "other"))} == {digest(base)}
    assert len({digest(body) for body in [base, *different]}) == len(different) + 1


def test_a_principles_digest_is_what_a_judge_sees(tmp_path: Path) -> None:
    text = HEAD + (
        "principles:\n  - {id: a, text: A.}\n  - {id: b, text: A., weight: 3}\n"
        f"  - {{id: c, text: A., compare: '{COMPARE_QUESTION}'}}\n  - {{id: d, text: A., critique: 'Well?'}}\n"
    )
    a, b, c, d = load(written(tmp_path, {"a.yaml": text})).principles
    assert a.digest == b.digest == c.digest
    assert a.digest != d.digest
