"""The shop in this process, on a SQLite file of its own, with the fake services in a process of their own.

Jobs are kept in memory until a test runs them (`pillion_mode = fake` in pytest.ini), so no Redis is needed.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from shop import database, services, setup
from shop.settings import settings

NO_REDIS = "redis://127.0.0.1:1"


@contextmanager
def fake_services() -> Iterator[str]:
    """The fake services; the value is where they are."""
    command = [sys.executable, "-m", "shop.serve", "fakes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield re.findall(r"http\S+", process.stdout.readline())[0]
        finally:
            process.terminate()


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory):
    """What the environment says to the shop, for the whole run."""
    with fake_services() as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('data')}/shop.sqlite3")
        patch.setenv("REDIS_URL", NO_REDIS)
        patch.setenv("APP_ENV", "test")
        for name, path in {"PAYMENTS": "payments", "EMAIL": "email", "FULLFILLMENT": "fulfillment"}.items():
            patch.setenv(f"{name}_API_URL", f"{url}/{path}")
        patch.setenv("ERROR_CATCHER_API_URL", f"{url}/error-catcher")
        settings.cache_clear()
        yield


@pytest.fixture(autouse=True)
def new_shop(environment):
    """Before each test: the sample data, no orders, and services that know nothing."""
    open_again()


def open_again() -> None:
    """Make the shop new. No connection stays open, so that a forked process can open its own."""
    setup.recreate_database()
    for service in services.all_services():
        service.clear()
    database.engine().dispose()


@pytest.fixture
def browser():
    """Visits the pages."""
    from shop.web import create_app

    with TestClient(create_app()) as client:
        yield client
