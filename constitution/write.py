"""Writes a constitution as a principles file that people edit and `constitution.load` reads back equal.

Fields with their default value are left out, long texts are folded, what would read as something else is quoted, and a
source that all principles share is written once. Knows no folder: it makes text.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from constitution.model import Condition, Constitution, Example, Principle, PrincipleTest, Status, Tier
from tenet.ids import Json

WIDTH: Final = 118
_BREAK: Final = re.compile(r"(?<=\S) (?=\S)")
# What YAML cannot hold as it stands, and what ends a line in it without looking so.
_HIDDEN: Final = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
# A letter first, so that it is no number and begins no collection; and no word that some reader takes for a value.
_WORD: Final = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)\Z)[a-z]", re.IGNORECASE)
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_STRUCTURE: Final = re.compile(r":(?:\s|\Z)|\s#|\n")


def to_yaml(
    constitution: Constitution,
    *,
    remarks: Sequence[str] = (),
    comments: Mapping[str, str] | None = None,
    include: Sequence[str] = (),
) -> str:
    """Write a constitution; `remarks` stand as comments at the top, `comments` above the principles of these ids.

    `include` names files whose principles the file is to have besides.
    """
    sources = {principle.source for principle in constitution.principles}
    shared = sources.pop() if len(sources) == 1 and len(constitution.principles) > 1 else ""
    head: dict[str, Json] = {"schema_version": 1, "name": constitution.name}
    for key in ("version", "licence", "description"):
        head |= {key: value} if (value := getattr(constitution, key)) else {}
    head |= {"include": list(include)} if include else {}
    lines = [line for remark in remarks for line in _comment(remark, "")]
    lines += _table(head, "")
    if shared:
        lines += ["", *_table({"defaults": {"source": shared}}, "")]
    lines += ["", "principles:"]
    for number, principle in enumerate(constitution.principles):
        lines += ["" for _ in range(bool(number))]
        lines += _comment((comments or {}).get(principle.id, ""), "  ")
        lines += _item(fields(principle, shared), "  ")
    return "\n".join(lines) + "\n"


def fields(principle: Principle, source: str = "") -> dict[str, Json]:
    """Return what a file says of a principle, in the order of the schema; without defaults, of which `source` is one."""
    weight = principle.weight
    given: dict[str, tuple[Json, Json]] = {
        "text": (principle.text, None),
        "compare": (principle.compare, None),
        "critique": (principle.critique, None),
        "revise": (principle.revise, None),
        "weight": (int(weight) if weight.is_integer() and weight < 1e15 else weight, 1),
        "tier": (principle.tier.value, Tier.PRINCIPLE.value),
        "applies_when": (_conditions(principle.applies_when), None),
        "examples": ([_example(one) for one in principle.examples], []),
        "counterexamples": ([_example(one) for one in principle.counterexamples], []),
        "yields_to": (list(principle.yields_to), []),
        "tests": ([_test(one) for one in principle.tests], []),
        "source": (principle.source, source),
        "status": (principle.status.value, Status.ACTIVE.value),
        "overrides_for": (principle.overrides_for, ""),
        "lint": ({one.rule: one.reason for one in principle.lint}, {}),
    }
    return {"id": principle.id, **{key: value for key, (value, usual) in given.items() if value != usual}}


def _conditions(conditions: Sequence[Condition]) -> Json:
    made = [_condition(condition) for condition in conditions]
    return made[0] if len(made) == 1 else list(made) or None


def _condition(condition: Condition) -> Json:
    tags = {"any": list(condition.any_tags), "all": list(condition.all_tags)}
    kept: dict[str, Json] = {key: list(value) for key, value in tags.items() if value}
    return {**({"tags": kept} if kept else {}), **({"pattern": condition.pattern} if condition.pattern else {})}


def _example(example: Example) -> Json:
    return {"prompt": example.prompt, "response": example.response}


def _test(test: PrincipleTest) -> Json:
    told: dict[str, Json] = {"prompt": test.prompt}
    told |= {"better": test.better, "worse": test.worse} if test.applies else {"applies": False}
    return {**told, **({"tags": list(test.tags)} if test.tags else {})}


def _table(table: Mapping[str, Json], indent: str) -> Iterator[str]:
    """Yield the lines of a table; keys are ours and plain."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _table(value, f"{indent}  ")
        elif isinstance(value, list) and not all(isinstance(item, str) for item in value):
            yield f"{indent}{key}:"
            for item in value:
                yield from _item(item, f"{indent}  ")
        elif isinstance(value, list):
            yield f"{indent}{key}: [{', '.join(_flow(str(item)) for item in value)}]"
        elif isinstance(value, str):
            yield from _text(f"{indent}{key}:", value, f"{indent}  ")
        else:
            yield f"{indent}{key}: {json.dumps(value)}"


def _item(item: Json, indent: str) -> Iterator[str]:
    """Yield the lines of a table that is an item of a list."""
    lines = list(_table(item, f"{indent}  ")) if isinstance(item, dict) else []
    yield f"{indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _text(start: str, text: str, indent: str) -> Iterator[str]:
    """Yield a text as it reads best: plain, folded, line by line, or in quotes where nothing else is safe."""
    lines = text.split("\n")
    bare = not _HIDDEN.search(text) and all(line == line.strip() for line in lines)
    if bare and _WORD.match(text) and not _STRUCTURE.search(text) and len(start) + 1 + len(text) <= WIDTH:
        yield f"{start} {text}"
    elif bare and len(lines) > 1 and lines[0] and lines[-1]:
        yield f"{start} |-"
        yield from (f"{indent}{line}" if line else "" for line in lines)
    elif bare and len(lines) == 1 and len(start) + 3 + len(text) > WIDTH:
        yield f"{start} >-"
        yield from _folded(text, indent)
    else:
        yield f"{start} {_quoted(text)}"


def _flow(text: str) -> str:
    return text if _WORD.match(text) and _NAME.fullmatch(text) else _quoted(text)


def _folded(text: str, indent: str) -> Iterator[str]:
    """Break a text at single spaces between words, which is what reading joins again."""
    line = indent
    for word in _BREAK.split(text):
        if line != indent and len(line) + 1 + len(word) > WIDTH:
            yield line
            line = indent
        line += word if line == indent else f" {word}"
    yield line


def _quoted(text: str) -> str:
    return _HIDDEN.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(text, ensure_ascii=False))


def _comment(text: str, indent: str) -> list[str]:
    told = " ".join(_HIDDEN.sub(" ", text).split())
    return textwrap.wrap(told, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
