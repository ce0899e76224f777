"""The order shop of examples/order_shop as real processes, on SQLite and on Postgres.

    open_shop   open_shop("stages.stage_3"): an empty shop with its web application, and no worker yet
    shop        the finished shop, opened
    visit       a page of a real Chromium

Each test that opens a shop runs on both databases, unless its module says otherwise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from shop_process import FINAL, Shop, start_fakes

from postgres import PostgresProcess, find_programs

CHOICE = os.environ.get("PILLION_TEST_POSTGRES", "")


@pytest.fixture(scope="session")
def fakes_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The fake services of this pytest worker: one process for all its tests."""
    run, url = start_fakes(tmp_path_factory.mktemp("fakes"))
    yield url
    run.destroy()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.sqlite3"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """This pytest worker's PostgreSQL."""
    programs = find_programs(CHOICE)
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = PostgresProcess(programs, folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: PostgresProcess) -> str:
    """A shop that opens on it drops the tables of the test before."""
    return postgres.url("psycopg")


@pytest.fixture(params=["sqlite"] if CHOICE == "off" else ["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def open_shop(tmp_path: Path, redis_url: str, database_url: str, fakes_url: str) -> Iterator[Callable[..., Shop]]:
    """Open a shop: `open_shop(stage, VARIABLE="value")`. At the end of the test its processes are killed."""
    opened: list[Shop] = []

    def open_one(stage: str = FINAL, **environ: str) -> Shop:
        opened.append(Shop(tmp_path, redis_url, database_url, fakes_url, stage))
        return opened[-1].open(**environ)

    yield open_one
    for shop in opened:
        shop.close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    """The finished shop, without a worker yet."""
    return open_shop()


@pytest.fixture
def visit() -> Iterator[Callable[[str], Page]]:
    """Open an address in a Chromium that has never been anywhere; returns the page."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1100, "height": 800})

        def open_page(url: str) -> Page:
            page.goto(url)
            return page

        yield open_page
        chromium.close()
