"""Principles in a Markdown document: a heading with its text, or an item of a list, is a principle.

The first heading of level 1 names the file, and the text below it describes it. A heading over a list, or over deeper
headings, is a group. Fields other than the text are paragraphs that begin with a bold label, such as `**Weight:** 2`.
Markdown's own rules hold: a line break in a paragraph is a space, unless a backslash stands before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from constitution.interchange.assemble import slug
from constitution.interchange.source import Entry, Format, Reading, Source
from constitution.model import Constitution, Principle, Tier
from tenet.ids import Json

if TYPE_CHECKING:
    from markdown_it.tree import SyntaxTreeNode

_LABELS: Final = ("compare", "critique", "revise", "weight", "tier", "status", "source")
_LABEL: Final = re.compile(rf"\*\*({'|'.join(_LABELS)}):\*\*\s*", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_SPECIAL: Final = re.compile(r"(\s*)([#*+>=~`<|\[_-])")
_NUMBERED: Final = re.compile(r"(\s*\d+)([.)])(?=\s|\Z)")
_LISTS: Final = ("bullet_list", "ordered_list")
_SUFFIXES: Final = (".md", ".markdown")


@dataclass
class _Section:
    """A heading and the blocks below it, up to the next heading; level 0 is what stands before the first."""

    level: int
    title: str
    line: int
    blocks: list[SyntaxTreeNode] = field(default_factory=list)


def _sniff(source: Source) -> bool:
    return source.path.suffix.lower() in _SUFFIXES or re.search(r"(?m)^## \S", source.text) is not None


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    sections = list(_sections(source.text))
    if len(sections) > 1 and sections[1].level == 1 and not sections[0].blocks:
        title = sections.pop(1)
        reading.name = slug(title.title)
        sections[0] = _Section(0, "", title.line, title.blocks)
    comment: list[str] = []
    for number, section in enumerate(sections):
        deeper = number + 1 < len(sections) and sections[number + 1].level > section.level
        items = [item for block in section.blocks if block.type in _LISTS for item in block.children]
        rest = [block for block in section.blocks if block.type not in _LISTS and not _silent(block)]
        if section.level and (items or deeper or not rest):
            comment.append(section.title)
        if items:
            for block in rest:
                reading.skip("text beside a list", _line(block))
            for item in items:
                reading.entries.append(Entry(_line(item), _fields(item.children, source.text), "", "\n".join(comment)))
                comment = []
        elif not section.level:
            reading.description = str(_fields(rest, source.text).get("text", ""))
        elif deeper:
            for block in rest:
                reading.skip("text above a group of headings", _line(block))
        elif rest:
            fields = _fields(rest, source.text)
            reading.entries.append(Entry(section.line, fields, section.title, "\n".join(comment)))
            comment = []
    return reading


def _sections(text: str) -> Iterator[_Section]:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    section = _Section(0, "", 1)
    for node in SyntaxTreeNode(MarkdownIt("commonmark").parse(text)).children:
        if node.type == "heading":
            yield section
            title = _ESCAPED.sub(r"\1", node.children[0].content)
            section = _Section(int(node.tag[1:]), title, _line(node))
        else:
            section.blocks.append(node)
    yield section


def _line(node: SyntaxTreeNode) -> int:
    return (node.map[0] if node.map else 0) + 1


def _silent(node: SyntaxTreeNode) -> bool:
    return node.type == "hr" or (node.type == "html_block" and node.content.lstrip().startswith("<!--"))


def _fields(blocks: Sequence[SyntaxTreeNode], text: str) -> dict[str, Json]:
    """Gather the text and the labelled fields of a principle."""
    parts: dict[str, list[str]] = {"text": []}
    current = "text"
    for block in blocks:
        if block.type != "paragraph":
            lines = text.split("\n")[slice(*block.map)] if block.map else []
            parts[current].append("\n".join(lines).strip("\n"))
            continue
        content = block.children[0].content
        if label := _LABEL.match(content):
            current = label[1].lower()
            parts[current] = []
            content = content[label.end() :]
        parts[current].append(_plain(content))
    return {key: _number(key, "\n\n".join(told)) for key, told in parts.items()}


def _number(key: str, text: str) -> Json:
    if key != "weight":
        return text
    try:
        return float(text)
    except ValueError:
        return text


def _plain(content: str) -> str:
    """Return a paragraph as text: a backslash breaks the line, an end of line alone is a space."""
    text = ""
    fresh = True
    for line in content.split("\n"):
        broken = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        kept = line[:-1] if broken else line.rstrip(" \t")
        text += _ESCAPED.sub(r"\1", kept if fresh else f" {kept.lstrip()}") + ("\n" if broken else "")
        fresh = broken
    return text


def _write(constitution: Constitution) -> str:
    parts = [f"# {constitution.name}"]
    if constitution.description:
        parts.append(_marked(constitution.description))
    for principle in constitution.principles:
        parts += [f"## {principle.id}", _marked(principle.text), *_labelled(principle)]
    return "\n\n".join(parts) + "\n"


def _labelled(principle: Principle) -> Iterator[str]:
    given: dict[str, str | None] = {
        "compare": principle.compare,
        "critique": principle.critique,
        "revise": principle.revise,
        "weight": repr(principle.weight).removesuffix(".0") if principle.weight != 1 else None,
        "tier": principle.tier.value if principle.tier is not Tier.PRINCIPLE else None,
        "status": principle.status.value if principle.status.value != "active" else None,
        "source": principle.source,
    }
    for key, value in given.items():
        if value:
            yield f"**{key.capitalize()}:** {value if key == 'weight' else _marked(value)}"


def _marked(text: str) -> str:
    """Write a text so that Markdown sees paragraphs and nothing else, and `_plain` gives it back."""
    lines = [_guarded(line) for line in re.sub("\r\n?", "\n", text).split("\n")]
    marked = lines[0]
    number = 1
    while number < len(lines):
        before, here = lines[number - 1], lines[number]
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if not here and _solid(before) and _solid(after):
            marked += f"\n\n{after}"
            number += 2
        else:
            marked += f"\\\n{here}"
            number += 1
    return marked


def _solid(line: str) -> bool:
    return bool(line) and not line[0].isspace() and not line[-1].isspace()


def _guarded(line: str) -> str:
    """Put a backslash before what would begin a heading, a list, a quotation or the like."""
    line = line.replace("\\", "\\\\")
    for pattern in (_SPECIAL, _NUMBERED):
        if found := pattern.match(line):
            return f"{found[1]}\\{line[found.start(2) :]}"
    return line


FORMAT: Final = Format(
    name="markdown",
    summary="a Markdown document: a heading with its text, or a list item, is a principle",
    carries=frozenset({"id", "text", *_LABELS}),
    sniff=_sniff,
    read=_read,
    write=_write,
    heading=frozenset({"name", "description"}),
)
