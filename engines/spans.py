"""Text of two kinds, trusted and untrusted, and templates that keep them apart. Knows no tokenizer.

A template's own words are trusted: they may hold a model's control tokens. What fills it is untrusted unless the caller says
otherwise: it is data, whatever it contains. Filling is one pass, so a field's text is never searched for placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from tenet.ids import digest

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a prompt. No control token ever comes out of an untrusted one."""

    text: str
    trusted: bool


def trusted(text: str) -> Span:
    """Text of our own, in which a model's control tokens mean what they say."""
    return Span(text, trusted=True)


def untrusted(text: str) -> Span:
    """Text of anyone else: prompts, responses, critiques."""
    return Span(text, trusted=False)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same text in the fewest spans: neighbours of one kind become one, empty ones go."""
    out: list[Span] = []
    for span in spans:
        if not span.text:
            continue
        if out and out[-1].trusted == span.trusted:
            out[-1] = Span(out[-1].text + span.text, span.trusted)
        else:
            out.append(span)
    return out


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{{name}}` placeholders. `parts` alternates literal text (even places) and field names (odd places)."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, path: Path | None = None) -> Template:
        """Read a template from its text; line ends at the very end of it do not count.

        Raises:
            InvalidInput: braces that are no placeholder, each with its line.
        """
        parts = tuple(_PLACEHOLDER.split(text.rstrip("\r\n")))
        problems = [
            Problem(f"{match.group()} belongs to no placeholder", path, line, hint="a placeholder looks like {{name}}")
            for line, row in enumerate(text.splitlines(), 1)
            for match in _BRACES.finditer(_PLACEHOLDER.sub("", row))
        ]
        if problems:
            raise InvalidInput("the prompt template cannot be read", problems)
        return cls(parts)

    @classmethod
    def load(cls, path: Path | str) -> Template:
        """Read a template file (UTF-8).

        Raises:
            MissingInput: no such file.
            InvalidInput: see `parse`, or text that is not UTF-8.
        """
        path = Path(path)
        try:
            return cls.parse(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            raise MissingInput(f"{path}: there is no such prompt template") from None
        except UnicodeDecodeError as error:
            raise InvalidInput("the prompt template cannot be read", [Problem(f"not UTF-8: {error}", path)]) from None

    @property
    def fields(self) -> tuple[str, ...]:
        """The names to fill, in order of first use."""
        return tuple(dict.fromkeys(self.parts[1::2]))

    @property
    def text(self) -> str:
        """The template as written (placeholders without inner spaces)."""
        return "".join(f"{{{{{part}}}}}" if place % 2 else part for place, part in enumerate(self.parts))

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 64 hex digits."""
        return digest(self.text)

    def fill(self, **fields: str | Sequence[Span]) -> tuple[Span, ...]:
        """Fill every placeholder in one pass. A plain string is untrusted; pass spans to say otherwise.

        Raises:
            UsageError: a placeholder without a value, or a value without a placeholder.
        """
        wanted, given = set(self.fields), set(fields)
        if wanted != given:
            raise UsageError(
                f"the template takes {', '.join(self.fields) or 'no field'}; "
                f"missing: {', '.join(sorted(wanted - given)) or 'none'}; unknown: {', '.join(sorted(given - wanted)) or 'none'}"
            )
        spans: list[Span] = []
        for place, part in enumerate(self.parts):
            if place % 2 == 0:
                spans.append(trusted(part))
                continue
            value = fields[part]
            spans.extend([untrusted(value)] if isinstance(value, str) else value)
        return tuple(merged(spans))
