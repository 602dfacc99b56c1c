"""The generated references say what the code takes: every key, its default as the product has it, and examples that can be used."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from constitution import shape
from constitution.lint.run import lint
from constitution.load import load
from docs import help_pages, principle_file_page, settings_page
from docs.keys import keys_of, words_beside_keys, words_under_fields
from engines import http_options, scripted, server, transformers
from tenet.config import AtLeast, InputPath
from train.config import CONFIGS


@dataclass(frozen=True)
class Inner:
    """One of several."""

    kind: Literal["a", "b"] = field(default="a", metadata={"short": True})
    """The first word."""


@dataclass(frozen=True)
class Outer:
    """A file."""

    path: InputPath
    """Where it is."""
    rate: float = 2e-5
    """How fast."""
    count: Annotated[int, AtLeast(1)] | None = None
    """How many."""
    inner: tuple[Inner, ...] = ()
    table: Mapping[str, float] = field(default_factory=dict)
    """A text
    of two lines."""


def test_a_key_is_shown_as_its_field_has_it() -> None:
    path, rate, count, inner, table = keys_of(Outer, {"inner": "Beside it.", "rate": "Not this."})
    assert (path.kind, path.required, path.words) == ("path", True, "Where it is.")
    assert (rate.kind, rate.default, rate.words) == ("number", "2e-5", "How fast.")
    assert (count.kind, count.default, count.required) == ("whole number, at least 1", "", False)
    assert (inner.kind, inner.holds, inner.words) == ("list: word or table", Inner, "Beside it.")
    assert (table.kind, table.words) == ("table", "A text of two lines.")
    (kind,) = keys_of(Inner, {})
    assert (kind.kind, kind.default) == ("`a`, `b`", "a")


def test_a_key_without_words_is_refused() -> None:
    with pytest.raises(LookupError, match="Outer: say under the field what it is for: inner"):
        keys_of(Outer, {})


def test_words_come_from_fields_and_from_comments() -> None:
    assert words_under_fields(Inner) == {"kind": "The first word."}
    text = 'name: x  # what it is\n\njudge:\n  model: m  # who\n  # prefill: "A: b"  # how\n# seed: 0  # which\n# just words\n'
    assert words_beside_keys(text) == {
        "": {"name": "what it is", "seed": "which"},
        "judge": {"model": "who", "prefill": "how"},
    }


def test_every_key_of_every_method_is_on_the_page() -> None:
    page = settings_page.page()
    classes = [*CONFIGS.values(), *(file.holds for file in settings_page.FILES)]
    for cls in classes:
        for one in dataclasses.fields(cls):
            assert f"\n| `{one.name}` |" in page, (cls, one.name)
    assert {cls for _, cls, _ in settings_page.METHODS} >= set(CONFIGS.values())
    assert "| `learning_rate` | number, more than 0 | `2e-5` |" in page
    assert "By default `learning_rate: 1e-4`." in page


def test_every_option_of_an_engine_is_on_the_page() -> None:
    parts = dict(re.findall(r"^### Options of (\S+)\n(.*?)(?=^###|\Z)", settings_page.page(), re.MULTILINE | re.DOTALL))
    assert set(parts) == {"transformers", "vllm", "vllm-server", "http", "scripted"}
    named = {
        "transformers": transformers.OPTIONS,
        "http": http_options.OPTIONS,
        "vllm-server": {*server.OWN, *server.TRANSPORT},
    }
    for name, options in {**named, "scripted": scripted.OPTIONS}.items():
        assert {one for one in options if f"`{one}`" not in parts[name]} == set()


def test_no_two_headings_of_a_page_have_one_anchor() -> None:
    for page in (settings_page.page(), principle_file_page.page(), *help_pages.pages().values()):
        headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
        assert len(headings) == len(set(headings))


def test_the_file_with_every_key_is_right_and_reviewed(tmp_path: Path) -> None:
    path = tmp_path / "whole.yaml"
    path.write_text(principle_file_page.EXAMPLE, encoding="utf-8")
    file = load(path)
    assert not lint(path).open
    (own,) = [one for one in file.principles if one.id == "no-dose-without-source"]
    assert own.overrides_for
    assert own.lint


def test_a_key_that_the_schema_does_not_describe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = shape.schema()
    example = {**schema["$defs"]["example"], "properties": {"prompt": {"type": "string"}}}
    changed = {**schema, "$defs": {**schema["$defs"], "example": example}}
    monkeypatch.setattr(shape, "schema", lambda: changed)
    with pytest.raises(LookupError, match=r"prompt: say in constitution/schema\.json"):
        principle_file_page.page()


def test_a_command_that_no_page_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    heading, names = help_pages.GROUPS["commands-training"]
    monkeypatch.setitem(help_pages.GROUPS, "commands-training", (heading, names[1:]))
    with pytest.raises(LookupError, match="put each command on one page: train"):
        help_pages.pages()
