"""Pictures of pages, for the tutorial: `SHOP_PHOTOS=docs/tutorial/images pytest tests/shop/test_browser.py`."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page


def photograph(page: Page, name: str) -> None:
    """Keep a picture of what the page shows, if somebody wants pictures."""
    folder = os.environ.get("SHOP_PHOTOS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
