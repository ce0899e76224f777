"""The blocks of the guide for those who come from Celery run as they stand there, against a real Redis."""

import json
from pathlib import Path

import pytest
from doc_examples import run_page

from pillion import default
from pillion.config import Config, RedisConfig

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "from-celery.md"


@pytest.fixture
def page(redis_url, monkeypatch):
    default.install(Config(redis=RedisConfig(url=redis_url)))
    yield run_page(GUIDE, monkeypatch)
    default.reset()


def test_what_the_page_pushes_is_where_it_says(page, raw):
    def waiting(queue):
        return [json.loads(each)["args"] for each in reversed(raw.lrange(f"queue:{queue}", 0, -1))]

    assert {queue: waiting(queue) for queue in ("mail", "low", "high")} == {
        "mail": [[42]],
        "low": [[42]],
        "high": [[1], [2], [3]],
    }
    later = [json.loads(each)["args"] for each in raw.zrange("schedule", 0, -1)]
    assert later == [[42], [42]]


def test_a_job_of_the_page_pushes_the_next_one(page, raw):
    page["ChargeCustomer"].perform_inline(7)
    assert json.loads(raw.lindex("queue:mail", 0))["args"] == [7]
