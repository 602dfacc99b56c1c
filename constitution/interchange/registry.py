"""The formats that principles are imported from and exported to, and which of them a file is.

To add one, write its module and a line here; the most particular come first, for the first that knows a file reads it.
"""

from __future__ import annotations

from typing import Final

from constitution.interchange import (
    anthropic,
    anthropic_comparisons,
    collective_cai,
    icai,
    langchain,
    llm_swarm,
    markdown,
    plain,
    rubric,
    salmon,
)
from constitution.interchange.source import Format, Source
from tenet.errors import UsageError
from tenet.yamlfile import suggest

FORMATS: Final[dict[str, Format]] = {
    module.FORMAT.name: module.FORMAT
    for module in (
        anthropic,
        anthropic_comparisons,
        langchain,
        llm_swarm,
        salmon,
        rubric,
        icai,
        collective_cai,
        markdown,
        plain,
    )
}


def named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: there is none; with the nearest.
    """
    if name in FORMATS:
        return FORMATS[name]
    raise UsageError(f'no format "{name}"', hint=suggest(name, FORMATS) or f"formats: {', '.join(FORMATS)}")


def choose(source: Source, name: str = "auto") -> Format:
    """Return the format of a file: the one named, or the first that knows the file.

    Raises:
        InvalidInput: no format knows the file, the one named does not, or the file is not UTF-8 or broken JSON.
        UsageError: there is no format of that name.
    """
    fits = [one for one in FORMATS.values() if one.sniff(source)]
    if name != "auto":
        wanted = named(name)
        if not fits or wanted in fits:
            return wanted
        hint = f"it looks like --format {fits[0].name}"
        # Lines are lines: what reads any text is right where the user says so.
        if wanted is plain.FORMAT and source.data is None:
            return wanted
        raise source.refused(f"this is not a file of the format {name}", 1, hint)
    if fits:
        return fits[0]
    if source.text.lstrip().startswith(("{", "[")) or source.path.suffix.lower() == ".json":
        source.json  # noqa: B018 - says where the JSON is broken, if that is why nobody knows it
    if "schema_version:" in source.text:
        hint = "check it with `tenet principles check`, or name it under `include:`"
        raise source.refused("this is a principles file already", 1, hint)
    raise source.refused("this is a file of no known format", 1, f"give --format, one of {', '.join(FORMATS)}")
