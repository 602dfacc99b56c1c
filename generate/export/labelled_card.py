"""The dataset card of labels of people without a run: what is in the files, whose labels they are, how their probabilities came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from generate.export.card import CARD, columns_of, loading
from generate.export.frontmatter import front_matter
from generate.export.markdown import bullet, inline
from tenet.environment import version
from tenet.ids import Json
from tenet.licence import licence_of
from tenet.runs import atomic

if TYPE_CHECKING:
    from generate.export import ExportReport

TAGS: Final = ("preference", "human-feedback", "trl", "tenet")
_HOW: Final = (
    "`p_chosen` is what the people who labelled a pair come to, each believed as often as that person is right. Where nobody repeats a "
    "person's labels, that is the prior: 0.836, which two people have of whom each is right equally often and who agree on 72.6 % of "
    "pairs (Ouyang et al. 2022). `weight` is the inverse chance of having been drawn for labelling, shared by the pairs of a prompt."
)


def write_labelled_card(
    folder: Path, name: str, reports: Sequence[ExportReport], provenance: Mapping[str, Json], told: Sequence[str]
) -> Path:
    """Write `folder/README.md` as a whole, keeping the licence that a card already there names. `told` says what the labels were.

    Raises:
        StorageFailed: the disk is full or not writable; the old card stands.
    """
    path = folder / CARD
    parts = [
        f"# {inline(name)}",
        "Preference data labelled by people.",
        bullet([inline(line) for line in told]),
        "## Load it",
        *loading(reports),
        "## Columns",
        *columns_of(reports),
        "## The labels",
        _HOW,
        "## Limits and licence",
        "Prompts and responses are whatever their source is: check its licence and content before sharing. Set `license:` at the head "
        "of this file; it is kept.",
        f"Made with Tenet {inline(version())}.",
    ]
    head = front_matter(name, reports, provenance, licence_of(path), tags=TAGS)
    atomic.write_text(path, head + "\n" + "\n\n".join(parts) + "\n")
    return path
