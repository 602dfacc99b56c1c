"""Write every generated page, or check that they still are what the code says: `python -m docs`, `python -m docs --check`."""

from __future__ import annotations

import sys

from docs import help_pages, principle_file_page, principles_page, settings_page

PAGES = (help_pages, principle_file_page, principles_page, settings_page)

if __name__ == "__main__":
    sys.exit(max(page.main(sys.argv[1:]) for page in PAGES))
