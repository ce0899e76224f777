"""Pictures of pages, for the tutorial: `SHOP_PHOTOS=docs/tutorial/images pytest tests/shop/test_browser.py`."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page


def wait_for_charts(page: Page) -> None:
    """Charts have the minutes that are over: for a picture of one, wait until this minute is."""
    if os.environ.get("SHOP_PHOTOS"):
        page.wait_for_timeout(60_000)
        page.reload()


def photograph(page: Page, name: str) -> None:
    """Keep a picture of what the page shows, if somebody wants pictures."""
    folder = os.environ.get("SHOP_PHOTOS")
    if folder:
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=Path(folder) / f"{name}.png")
