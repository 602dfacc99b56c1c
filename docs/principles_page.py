"""Write `docs/principles.md` from the shipped principles files, or check that it still is what they say.

    python -m docs.principles_page           # write
    python -m docs.principles_page --check   # exit 1 and name the command that mends it, if the page is stale

Lists every file with what it is for and its principles. Knows no principle itself: all words but the frame are
the files' own.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from constitution.load import load
from constitution.model import Constitution, Principle, Tier
from constitution.render import first_sentence
from constitution.sources import shipped
from constitution.testrecord import recorded_judges, shipped_records
from docs.pages import settle
from principles import GROUPS

PAGE = Path(__file__).parent / "principles.md"
POCKET = "For the pocket world"
HEAD = """# The shipped principles

Written by `make docs` from `principles/`; edit those files, not this page.

Files to start from. Each can be used alone, and any of the general ones together: no two of them share an id. Read one
in full, with its questions, examples and tests, before you build on it:

```sh
tenet principles show honesty
```

To change one, write a file of your own that includes it, and name only what differs:

```yaml
schema_version: 1
name: our-assistant
include: [honesty, concision]
principles:
  - id: invent-nothing    # overrides the weight, keeps the rest
    weight: 4
  - id: name-the-source   # adds a principle
    text: The response names where each figure comes from.
```

A *rule* vetoes: a pair that it decides is not weighed further. A principle *on some prompts* is asked only where its
`applies_when` holds. These files are a beginning and no norm: nobody has approved them for your use, and a judge may
read them otherwise than you do, so check its verdicts against people's. How to put the tests of a file to your judge, and what the recorded
verdicts in the table are: [tests](tests.md).
"""


def page() -> str:
    """The whole page as it should be."""
    library = {name: load(name) for name in shipped()}
    return "\n".join([HEAD, *_contents(library), *_body(library)])


def _contents(library: Mapping[str, Constitution]) -> Iterator[str]:
    """Yield a table of the files."""
    records = shipped_records()
    yield "| file | principles | what it is for | verdicts on its tests |\n|---|---|---|---|"
    for name, file in library.items():
        judges = ", ".join(recorded_judges(file, records)) or "none recorded yet"
        about = first_sentence(file.description)
        yield f"| [{name}](#{_anchor(name)}) | {len(file.principles)} | {about} | {judges} |"
    yield ""


def _body(library: Mapping[str, Constitution]) -> Iterator[str]:
    general = {name for names in GROUPS.values() for name in names}
    pocket = tuple(name for name in library if name not in general)
    for heading, names in [*GROUPS.items(), (POCKET, pocket)]:
        yield f"## {heading}\n"
        for name in names:
            yield from _file(name, library[name])


def _file(name: str, file: Constitution) -> Iterator[str]:
    yield f"### {name}\n\n{_wrapped(file.description)}\n"
    yield "\n".join(_principle(one) for one in file.principles) + "\n"


def _principle(one: Principle) -> str:
    marks = [
        *(["rule"] if one.tier is Tier.RULE else []),
        *(["on some prompts"] if one.applies_when else []),
        *([f"yields to {', '.join(one.yields_to)}"] if one.yields_to else []),
    ]
    standing = f" *({'; '.join(marks)})*" if marks else ""
    return _wrapped(f"- `{one.id}`{standing}: {one.text}", "  ")


def _anchor(name: str) -> str:
    """Return the anchor that a heading of this name gets: slashes go, hyphens stay."""
    return name.replace("/", "")


def _wrapped(text: str, hanging: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=hanging, break_on_hyphens=False, break_long_words=False)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; returns the exit code."""
    return settle(PAGE, page(), "the principles files", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
