"""A hook of mkdocs: links to files outside docs/, which lead somewhere on GitHub and nowhere on the site, become the files' names there."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

_OUT = re.compile(r"\[(?P<text>[^\]\n]+)\]\(\.\./(?P<path>[^)#\s]+)(?:#[^)\s]*)?\)")
_log = logging.getLogger("mkdocs.hooks")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: object) -> str:
    """Put the names in; what is not there is a warning, as for any other link."""
    root = Path(config["config_file_path"]).parent

    def named(link: re.Match[str]) -> str:
        if not (root / link["path"]).exists():
            _log.warning(
                "Doc file '%s' contains a link '../%s', but there is no such file.", page.file.src_uri, link["path"]
            )
        same = link["text"].strip("`").rstrip("/") == link["path"].rstrip("/")
        return f"`{link['path']}`" if same else f"{link['text']} (`{link['path']}`)"

    return _OUT.sub(named, markdown)
