"""Write `docs/principle-file.md` from the schema of principles files, or check that it still is what the schema says.

    python -m docs.principle_file_page           # write
    python -m docs.principle_file_page --check   # exit 1 and name the command that mends it, if the page is stale

Knows the form of JSON Schema that the schema is written in; the keys and all that is said of them are the schema's own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from constitution import shape
from docs.pages import settle

Schema = Mapping[str, Any]

PAGE = Path(__file__).parent / "principle-file.md"
HEAD = """# The keys of a principles file

Written by `make docs` from `constitution/schema.json`; edit that, not this page.

A principles file is YAML. Everything but the text of a principle has a default, so a file may be as short as this:

```yaml title="short.yaml"
schema_version: 1
name: short
principles:
  - id: admit-ignorance
    text: The response says plainly what it does not know.
```

```sh
tenet principles check short.yaml
tenet principles schema > principles.schema.json
```

The second command writes the schema itself, for editors and other programs; `tenet init` puts it beside the file. What the
shipped files say has [a page of its own](principles.md); [lint](lint.md) says what makes a principle easy to judge, and
[tests](tests.md) what its tests are for. A file with every key:

```yaml title="whole.yaml"
"""
EXAMPLE = """schema_version: 1
name: help-desk
version: "1.2"
description: How the help desk of the pharmacy answers. It says nothing of tone.
licence: Apache-2.0
include: [honesty]
defaults:
  weight: 2
  tier: principle
  status: active
  source: the handbook of the pharmacy
  applies_when: {tags: {any: [medical]}}
lint: {TP401: One pair is enough to show the form.}
principles:
  - id: invent-nothing # is an included one: only its weight is changed
    weight: 4
  - id: no-dose-without-source
    text: The response does not give a dose without its source.
    compare: Which response gives the source of every dose in it?
    critique: Does the response give the source of every dose in it?
    revise: Rewrite the response so that it gives the source of every dose in it.
    overrides_for: "8cb5be8f84e6"
    weight: 3
    tier: principle
    applies_when:
      - tags: {any: [medical], all: [adult]}
      - pattern: (?i)\\bdos(e|age)\\b
    yields_to: [invent-nothing]
    examples:
      - prompt: How much ibuprofen may I take?
        response: At most 1,200 mg a day without a doctor, says the leaflet in the box.
    counterexamples:
      - prompt: How much ibuprofen may I take?
        response: At most 1,200 mg a day without a doctor.
    tests:
      - prompt: Which dose of paracetamol is too high?
        better: More than 4 g a day, by the leaflet in the box.
        worse: More than 4 g a day, so take care not to exceed that.
        tags: [medical, adult]
      - prompt: What is the capital of France?
        applies: false
    source: a pharmacist of ours
    status: active
    lint: {TP104: The handbook words it so.}
"""
TABLES = {
    "The file": "",
    "A principle": "principle",
    "When a principle applies": "condition",
    "A test": "test",
    "An example or counterexample": "example",
}
"""Headings, and which definition of the schema each is about."""


def page() -> str:
    """The whole page as it should be.

    Raises:
        LookupError: a key that the schema does not describe, or the example does not show.
    """
    schema = shape.schema()
    parts = [f"{HEAD}{EXAMPLE}```\n"]
    for heading, name in TABLES.items():
        part = schema["$defs"][name] if name else schema
        about = [] if name == "" or "description" not in part else [f"{part['description']}\n"]
        parts += [f"## {heading}\n", *about, _table(part, schema)]
    return "\n".join(parts)


def _table(part: Schema, schema: Schema) -> str:
    lines = ["| key | takes | default | what it is for |", "|---|---|---|---|"]
    return "\n".join([*lines, *_rows(part, schema)]) + "\n"


def _rows(part: Schema, schema: Schema, above: str = "") -> Iterator[str]:
    for name, given in part["properties"].items():
        key = _whole(given, schema)
        if "description" not in key:
            raise LookupError(f"{name}: say in constitution/schema.json what it is for")
        if f"{name}:" not in EXAMPLE:
            raise LookupError(f"{name}: show it in the example of docs/principle_file_page.py")
        default = "*required*" if name in part.get("required", ()) else _value(key.get("default", ""))
        words = key["description"].removesuffix(".").replace("|", "\\|")
        yield f"| `{above}{name}` | {_takes(key, schema)} | {default} | {words} |"
        if key.get("type") == "object" and "properties" in key:
            yield from _rows(key, schema, f"{above}{name}.")


def _whole(part: Schema, schema: Schema) -> Schema:
    """A key with what it refers to laid under what it says itself."""
    if "$ref" not in part:
        return part
    *_, name = part["$ref"].split("/")
    return {**schema["$defs"][name], **part}


def _takes(key: Schema, schema: Schema) -> str:
    if "const" in key:
        return f"`{key['const']}`"
    if "enum" in key:
        return ", ".join(f"`{one}`" for one in key["enum"])
    if "then" in key and "else" in key and "type" not in key:  # one, or a list of them
        return "table, or list of tables"
    kinds = key["type"] if isinstance(key["type"], list) else [key["type"]]
    kind = next(one for one in kinds if one != "null")
    if kind == "array":
        return "list of texts" if _whole(key["items"], schema).get("type") == "string" else "list of tables"
    words = {"string": "text", "number": "number", "boolean": "`true` or `false`", "object": "table"}[kind]
    if "exclusiveMinimum" in key:
        words += f", more than {key['exclusiveMinimum']}"
    if key.get("maxLength"):
        words += f", at most {key['maxLength']:,} characters"
    return words


def _value(value: Any) -> str:
    return f"`{json.dumps(value)}`" if value != "" else "-"


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; returns the exit code."""
    return settle(PAGE, page(), "the schema", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
