"""The dashboard in a real Chromium: the real application, served by uvicorn, on a real Redis.

    site     the address of a dashboard on this test's empty Redis
    fleet    a Redis with a lively fleet in it, for tests that only look; `fleet.site` is its dashboard
    visit    visit(address, width=..., scheme=..., script=False): a page in a browser that has never been anywhere

A page that logs an error, breaks the content security policy or asks another host fails its test.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web_site import Site, serve
from web_watch import Watch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "dashboard"))

import sample_fleet
from redis_process import RedisProcess

# A machine that is busy with other tests may take its time.
expect.set_options(timeout=60_000)


@dataclass
class FilledFleet:
    """A Redis with a sample fleet, and its dashboard."""

    site: str
    client: redis.Redis

    def beat(self) -> FilledFleet:
        """Keep its processes alive."""
        sample_fleet.beat(self.client, time.time())
        return self


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file; each has a context of its own.

    Not for all tests of a worker: as long as Playwright is there, its event loop runs in the thread of the tests, and
    tests of other folders could not begin a loop of their own.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_site(redis_url: str) -> Iterator[Callable[..., Site]]:
    """Serve a dashboard with options of one's own, on this test's Redis."""
    served: list[Site] = []

    def open_one(url: str = redis_url, **options: Any) -> Site:
        served.append(serve(url, **options))
        return served[-1]

    yield open_one
    for one in served:
        one.close()


@pytest.fixture
def site(open_site: Callable[..., Site]) -> str:
    return open_site().url


@pytest.fixture(scope="module")
def _filled(redis_binary: str) -> Iterator[FilledFleet]:
    # For one file: what fails "now" in it is an old story some minutes later.
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = RedisProcess(redis_binary, folder)
    site = serve(server.url)
    with server.client() as client:
        sample_fleet.fill(client, time.time())
        yield FilledFleet(site.url, client)
    site.close()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fleet(_filled: FilledFleet) -> FilledFleet:
    return _filled.beat()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address. `script=False` is a browser without JavaScript; `allow` are words of errors that are meant."""
    watches: list[Watch] = []

    def open_page(
        url: str,
        *,
        width: int = 1280,
        scheme: Any = "light",
        locale: str = "en",
        script: bool = True,
        allow: tuple[str, ...] = (),
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            locale=locale,
            java_script_enabled=script,
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = context.new_page()
        watches.append(Watch(page, url, allow))
        page.goto(url)
        return page

    yield open_page
    wrong = [line for watch in watches for line in watch.wrong]
    for watch in watches:
        watch.page.context.close()
    assert wrong == []
