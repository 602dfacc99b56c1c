"""The page in a real browser: hostile texts run nothing, even with the page's own script ban taken away."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from generate.report.render import render
from tests.generate.test_report import HOSTILE, hostile_everywhere

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BAN = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MARK = "document.documentElement.setAttribute('data-owned','yes')"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def dom_of(page: Path, profile: Path) -> str:
    """The document as the browser has it after loading."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    flags += ["--disable-component-update", "--no-first-run", f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run(
        [str(CHROMIUM), *flags, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def test_a_browser_runs_nothing_of_what_models_and_users_wrote(tmp_path: Path) -> None:
    text = "\n".join(hostile.replace("alert(1)", MARK) for hostile in HOSTILE)
    html = render(hostile_everywhere(text))
    assert BAN in html.replace("&#39;", "'")
    page = tmp_path / "report.html"
    page.write_text(html.replace(BAN, "default-src * 'unsafe-inline' data:"), encoding="utf-8")
    assert 'data-owned="yes"' not in dom_of(page, tmp_path / "profile")

    open_page = tmp_path / "open.html"
    open_page.write_text(f"<html><body><script>{MARK}</script></body></html>", encoding="utf-8")
    assert 'data-owned="yes"' in dom_of(open_page, tmp_path / "profile"), "the check itself must be able to fail"
