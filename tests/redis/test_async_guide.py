"""The guide on async jobs runs as it stands, and its jobs run in a worker as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from doc_examples import run_page
from engine import Engine, until

from pillion import default
from pillion.config import Config
from pillion.storage.sync import Storage

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "async.md"


@pytest.fixture
def names(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    default.reset()
    default.install(Config(redis=redis_url))
    yield run_page(PAGE, monkeypatch)
    default.reset()


@pytest.fixture
def worker(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage, queues=["crawl", "default"], concurrency=100)
    engine.registry = default.registry()
    yield engine
    engine.stop()


def test_the_jobs_of_the_guide_run_in_a_worker(names: dict[str, Any], worker: Engine, raw: redis.Redis) -> None:
    names["Poll"].perform_async()
    worker.start()
    until(lambda: raw.get("stat:processed") == b"12")
    page = "https://example.org"
    assert sorted(names["fetched"]) == sorted(
        [
            *(f"{page}/{end}" for end in ("a", "feed", "slow", "0", "1", "2")),
            *(f"<p>{page}/{end}</p>" for end in ("one", "two")),
            "7 characters",
        ]
    )
    assert names["cleaned"] == ["orders.csv"]
    [failed] = [json.loads(job) for job in raw.zrange("retry", 0, -1)]
    assert (failed["jid"], failed["error_class"]) == (names["import_jid"], "TimeoutError")
    assert [error for error, _ in worker.reports if not isinstance(error, TimeoutError)] == []
