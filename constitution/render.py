"""Puts principles into words for a terminal, and into plain values for `--json`. Knows no command and no format."""

from __future__ import annotations

import textwrap
from dataclasses import asdict

from constitution.model import Condition, Constitution, Example, Principle, PrincipleTest
from tenet.ids import Json

WIDTH = 100


def headline(constitution: Constitution) -> str:
    """Render what a file says of itself: name, version, licence, path, description."""
    version = f" {constitution.version}" if constitution.version else ""
    licence = f" ({constitution.licence})" if constitution.licence else ""
    first = f"{constitution.name}{version}{licence}, {constitution.path}"
    return f"{first}\n{_wrapped(constitution.description, 0)}" if constitution.description else first


def first_sentence(text: str) -> str:
    """Return a text up to the end of its first sentence."""
    head, stop, _ = text.partition(". ")
    return head + stop.rstrip() if stop else text


def in_full(principle: Principle) -> str:
    """Render one principle with what judges are asked, its examples and its tests."""
    blocks = [
        f"{principle.id} ({_standing(principle)})",
        _wrapped(principle.text, 2),
        _entry("asked about", conditions(principle)),
        _entry("to compare", principle.compare_question),
        _entry("to critique", principle.critique_question),
        _entry("to revise", principle.revise_instruction),
        _entry("yields to", ", ".join(principle.yields_to)),
        _entry("source", principle.source),
        *(_example("follows it", example) for example in principle.examples),
        *(_example("goes against it", example) for example in principle.counterexamples),
        *(_test(test) for test in principle.tests),
        _entry("written in", f"{principle.path}:{principle.line}"),
    ]
    return "\n".join(block for block in blocks if block)


def conditions(principle: Principle) -> str:
    """Say in words which prompts a principle is asked about."""
    if not principle.applies_when:
        return "all prompts"
    return "prompts that " + ", or that ".join(_condition(item) for item in principle.applies_when)


def as_json(principle: Principle) -> dict[str, Json]:
    """Return every field of a principle, and what derives from them."""
    return {
        **asdict(principle),
        "path": str(principle.path),
        "compare_question": principle.compare_question,
        "critique_question": principle.critique_question,
        "revise_instruction": principle.revise_instruction,
        "digest": principle.digest,
    }


def _standing(principle: Principle) -> str:
    return f"{principle.tier}, weight {principle.weight:g}, {principle.status}"


def _condition(condition: Condition) -> str:
    parts = []
    if condition.any_tags:
        parts.append(f"have a tag of {', '.join(condition.any_tags)}")
    if condition.all_tags:
        parts.append(f"have the tags {', '.join(condition.all_tags)}")
    if condition.pattern:
        parts.append(f"match {condition.pattern}")
    return " and ".join(parts)


def _example(label: str, example: Example) -> str:
    return _entry(label, _quoted(example.prompt)) + "\n" + _entry("", f"-> {_quoted(example.response)}")


def _test(test: PrincipleTest) -> str:
    tags = f" [{', '.join(test.tags)}]" if test.tags else ""
    if not test.applies:
        return _entry("test", f"{_quoted(test.prompt)}{tags} is not asked about")
    lines = [f"{_quoted(test.prompt)}{tags}", f"better: {_quoted(test.better)}", f"worse: {_quoted(test.worse)}"]
    return "\n".join(_entry("" if index else "test", line) for index, line in enumerate(lines))


def _quoted(text: str) -> str:
    return f'"{text}"'


def _entry(label: str, text: str) -> str:
    """Set a label beside a text; nothing where there is no text."""
    if not text:
        return ""
    body = _wrapped(text, 18)
    return f"  {label:<16}{body[18:]}"


def _wrapped(text: str, indent: int) -> str:
    space = " " * indent
    lines = [
        textwrap.fill(line, WIDTH, initial_indent=space, subsequent_indent=space, break_long_words=False)
        for line in text.splitlines()
        if line.strip()
    ]
    return "\n".join(lines)
