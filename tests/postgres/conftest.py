"""One private PostgreSQL for each pytest-xdist worker, for the tests of this folder: see tests/support/postgres.py."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import PostgresProcess, find_programs

try:
    PROGRAMS = find_programs(os.environ.get("PILLION_TEST_POSTGRES", ""))
except LookupError as error:
    raise pytest.UsageError(str(error)) from None  # once, and before the first test, instead of once for each

if PROGRAMS is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """This worker's PostgreSQL. Its tables are those that tests make: each should have its own."""
    assert PROGRAMS is not None
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = PostgresProcess(PROGRAMS, folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
