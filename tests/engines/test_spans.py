"""Templates keep trusted and untrusted text apart."""

from pathlib import Path

import pytest

from engines.spans import Span, Template, merged, trusted, untrusted
from tenet.errors import InvalidInput, MissingInput, UsageError


def test_fill_is_one_pass_and_keeps_the_kinds_apart():
    template = Template.parse("Ask: {{question}}\nSay {{ answer }} now.\n")
    spans = template.fill(question="{{answer}}", answer=[trusted("<a>"), untrusted("b")])
    assert spans == (
        trusted("Ask: "), untrusted("{{answer}}"), trusted("\nSay <a>"), untrusted("b"), trusted(" now."),
    )  # fmt: skip
    assert template.fields == ("question", "answer")
    assert template.text == "Ask: {{question}}\nSay {{answer}} now."


def test_empty_fields_leave_no_span():
    assert Template.parse("a{{x}}b").fill(x="") == (trusted("ab"),)


def test_a_field_used_twice_is_filled_twice():
    assert Template.parse("{{x}}-{{x}}").fill(x="1") == (untrusted("1"), trusted("-"), untrusted("1"))


def test_missing_and_unknown_fields_are_named():
    with pytest.raises(UsageError, match="missing: b; unknown: c"):
        Template.parse("{{a}}{{b}}").fill(a="", c="")


def test_stray_braces_are_refused_with_their_line():
    with pytest.raises(InvalidInput, match=r"t\.txt:2: \{\{ belongs to no placeholder"):
        Template.parse("fine\nbroken {{ Name }", Path("t.txt"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingInput, match="there is no such prompt template"):
        Template.load(tmp_path / "none.txt")


def test_the_digest_follows_the_text_alone(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("Hello {{name}}\n", encoding="utf-8")
    assert Template.load(path).digest == Template.parse("Hello {{name}}").digest
    assert Template.load(path).digest != Template.parse("Hallo {{name}}").digest


def test_merged_joins_neighbours_of_a_kind():
    spans = [untrusted("a"), untrusted("b"), trusted(""), untrusted("c"), trusted("d")]
    assert merged(spans) == [Span("abc", trusted=False), Span("d", trusted=True)]
