"""RetryJobs in the server chain sets how often jobs are retried, as it did in older Sidekiqs (F088)."""

import json
import time

import pytest
from engine import Engine, payload, until

from pillion.middleware import RetryJobs


@pytest.fixture
def engine(storage):
    engine = Engine(storage)
    engine.config.server_middleware.add(RetryJobs, max_retries=3)
    engine.config.freeze()
    engine.job("Boom", lambda: 1 / 0)
    yield engine
    engine.stop()


def failed(retry_count):
    """A job whose retry number `retry_count + 1` is about to run."""
    return payload("Boom", retry_count=retry_count, error_class="E", error_message="", failed_at=time.time())


def test_a_job_whose_third_retry_fails_goes_to_the_dead_set(engine, raw):
    raw.lpush("queue:default", failed(retry_count=2))
    engine.start()
    until(lambda: raw.zcard("dead") == 1)
    assert raw.zcard("retry") == 0


def test_a_job_whose_second_retry_fails_is_retried_again(engine, raw):
    raw.lpush("queue:default", failed(retry_count=1))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert json.loads(raw.zrange("retry", 0, 0)[0])["retry_count"] == 2
