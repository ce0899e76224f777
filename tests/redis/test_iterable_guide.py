"""The guide on iterable jobs runs as it stands, and its jobs run in a worker as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_examples import run_page
from engine import Engine, until

from pillion import default
from pillion.api.progress import Progress
from pillion.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "iterable.md"


@pytest.fixture
def names(redis_url, monkeypatch):
    default.reset()
    default.install(Config(redis=redis_url))
    names = run_page(PAGE, monkeypatch)
    yield names
    names["engine"].dispose()
    default.reset()


@pytest.fixture
def worker(storage):
    engine = Engine(storage, queues=["bulk", "default"], concurrency=1)
    engine.registry = default.registry()
    yield engine
    engine.stop()


def test_the_jobs_of_the_guide_run_in_a_worker(names, worker, raw):
    names["sent"].clear()
    names["Reindex"].perform_async()
    worker.start()
    until(lambda: not raw.exists("queue:bulk", worker.inflight("bulk"), worker.waiting("bulk")))
    assert not worker.reports
    assert names["sent"] == [(n, "2026-11") for n in (11, 12, 13)], "2027-01 was cancelled before it began"
    assert names["mails"] == list(range(10_000))
    assert Progress().get(names["bulk_jid"]) == 100.0
    assert list(raw.scan_iter("it-*")) == []
