"""Schema, records and loader must know the same fields: a new field fails here until all three have it."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from constitution import shape
from constitution.load import load
from constitution.model import Condition, Constitution, Example, Principle, PrincipleTest, Silence, Status, Tier
from constitution.patterns import MAX_LENGTH

SCHEMA = shape.schema()
DEFS = SCHEMA["$defs"]
PRINCIPLE = DEFS["principle"]["properties"]
# For every field of a principle, a value that is not its default, and what the loader makes of it.
VALUES: dict[str, tuple[Any, Any]] = {
    "id": ("a", "a"),
    "text": ("Text.", "Text."),
    "compare": ("Which?", "Which?"),
    "critique": ("Does it?", "Does it?"),
    "revise": ("Mend it.", "Mend it."),
    "weight": (2.5, 2.5),
    "tier": ("rule", Tier.RULE),
    "applies_when": ({"tags": {"any": ["x"], "all": ["y"]}, "pattern": "z"}, (Condition(("x",), ("y",), "z"),)),
    "examples": ([{"prompt": "p", "response": "r"}], (Example("p", "r"),)),
    "counterexamples": ([{"prompt": "p", "response": "s"}], (Example("p", "s"),)),
    "yields_to": (["b"], ("b",)),
    "tests": (
        [{"prompt": "z", "better": "b", "worse": "w", "tags": ["x", "y"], "applies": True}],
        (PrincipleTest("z", "b", "w", ("x", "y"), True),),
    ),
    "source": ("Paper", "Paper"),
    "status": ("draft", Status.DRAFT),
    "overrides_for": ("0123456789ab", "0123456789ab"),
    "lint": ({"TP101": "Why."}, (Silence("TP101", "Why."),)),
}
DERIVED = {"line", "path"}


def names(record: type) -> set[str]:
    return {one.name for one in fields(record)}


def test_schema_and_records_have_the_same_fields() -> None:
    assert set(PRINCIPLE) == names(Principle) - DERIVED == set(VALUES)
    assert set(DEFS["test"]["properties"]) == names(PrincipleTest)
    assert set(DEFS["example"]["properties"]) == names(Example)
    condition = DEFS["condition"]["properties"]
    assert {"pattern", *(f"{key}_tags" for key in condition["tags"]["properties"])} == names(Condition)
    only_in_files = {"schema_version", "include", "defaults", "lint"}
    assert set(SCHEMA["properties"]) - only_in_files == names(Constitution) - {"path"}
    assert set(SCHEMA["properties"]["defaults"]["properties"]) < set(PRINCIPLE)


def test_schema_and_enums_have_the_same_values() -> None:
    assert DEFS["tier"]["enum"] == [tier.value for tier in Tier]
    assert set(DEFS["status"]["enum"]) == {status.value for status in Status}
    assert DEFS["condition"]["properties"]["pattern"]["maxLength"] == MAX_LENGTH


def test_schema_and_records_have_the_same_defaults() -> None:
    principle = Principle("a", "A.")
    for name in PRINCIPLE:
        given = DEFS.get(name, {}).get("default")
        if given is not None:
            assert getattr(principle, name) == given, name


@pytest.mark.parametrize("name", sorted(set(VALUES) - {"id", "text"}))
def test_the_loader_reads_each_field_of_the_schema(name: str, tmp_path: Path) -> None:
    import json

    value, wanted = VALUES[name]
    body = {"id": "a", "text": "Text.", name: value}
    if name == "tests":
        body["applies_when"] = VALUES["applies_when"][0]
    file = {"schema_version": 1, "name": "n", "principles": [body, {"id": "b", "text": "B."}]}
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(file))
    read = load(path).get("a")
    assert getattr(read, name) == wanted
    assert getattr(Principle("a", "Text."), name) != wanted


def test_the_schema_is_a_valid_one_and_names_no_place() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"] == "urn:tenet-rlaif:schema:principles:1"


def _undescribed(schema: Any, place: str) -> Iterator[str]:
    """Yield the properties that have no description, their own or that of what they refer to."""
    if isinstance(schema, dict):
        for name, inner in schema.get("properties", {}).items():
            if isinstance(inner, dict) and "const" not in inner:
                target = DEFS[inner["$ref"].rpartition("/")[2]] if "$ref" in inner else {}
                if not (inner.get("description") or target.get("description")):
                    yield f"{place}.{name}"
        for key, inner in schema.items():
            yield from _undescribed(inner, f"{place}.{key}")


def test_every_property_is_described() -> None:
    assert list(_undescribed(SCHEMA, "")) == []


def test_every_rule_of_the_schema_has_words() -> None:
    """A pattern without words of its own would be a KeyError in the middle of an error message."""

    def patterns(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            if isinstance(schema.get("pattern"), str):
                yield schema["pattern"]
            for inner in schema.values():
                yield from patterns(inner)
        elif isinstance(schema, list):
            for inner in schema:
                yield from patterns(inner)

    assert {pattern for pattern in patterns(SCHEMA) if pattern != "(?i)\\bdos(e|age)\\b"} == set(shape._PATTERNS)
