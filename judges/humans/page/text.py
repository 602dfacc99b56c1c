"""Untrusted text as HTML for the labelling page: Markdown without HTML of its own, links, or images. Knows nothing of labels.

Links and images stay as they were written, so that a person sees all that is there and nothing leads or loads from elsewhere.
"""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    return reader.disable(["link", "image", "autolink", "reference", "html_block", "html_inline"])


def to_html(text: str) -> str:
    """The text as safe HTML: whatever looks like a tag is shown as text."""
    html: str = _markdown().render(text)
    return html
