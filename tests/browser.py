"""Chromium and axe-core for the tests of pages: a browser to share, somebody who looks at a page, and what axe finds there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core/axe.min.js"))
MARK = "document.documentElement.setAttribute('data-owned','yes')"
"""A script that leaves a trace: what hostile text would run."""
SCREENS = ((1280, 800), (390, 844))
SCHEMES = ("light", "dark")

browsing = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
"""The marks of a test that opens a page."""
with_axe = pytest.mark.skipif(
    not AXE.is_file(), reason="no axe-core: npm install --no-save axe-core, or name axe.min.js in AXE_CORE"
)


@contextmanager
def opened_browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser window of their own: notes what the console says, what goes wrong and whom the page asks."""

    def __init__(self, browser: Browser, **options: Any) -> None:
        self.page: Page = browser.new_context(**options).new_page()
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    @property
    def hosts(self) -> set[str]:
        """Whom the page asked."""
        return {url.split("/")[2] for url in self.asked}


def axe(page: Page, *impacts: str) -> list[tuple[str, str]]:
    """What axe-core finds on a page (of these impacts, where any are named): the rule, and the first element it speaks of.

    The page's context has to be made with `bypass_csp=True` where the page forbids foreign scripts.
    """
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if not impacts or one["impact"] in impacts]
