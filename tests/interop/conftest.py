"""Real Ruby Sidekiq and real Pillion on one real Redis.

ruby     Sidekiq's client, API and web app in a Ruby process that lives as long as the test run:
         ruby("Sidekiq::RetrySet.new.size"), ruby.push("Echo", 1), ruby.look("/retries")
both     Ruby and Pillion on an empty Redis; workers of either are started as a test needs them
fleet    one that runs all the time: a Ruby worker on the queue `ruby`, without a scheduler, and a
         Pillion worker on the queue `python`. Other tests' jobs may be around: look for your own
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from redis_process import RedisProcess
from ruby_process import Ruby, RubyHelper
from two_fleets import TwoFleets


@pytest.fixture(scope="session")
def ruby_helper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RubyHelper]:
    """The Ruby process of this pytest worker."""
    helper = RubyHelper(tmp_path_factory.mktemp("ruby") / "helper.log")
    yield helper
    helper.close()


@pytest.fixture
def ruby(ruby_helper: RubyHelper, redis_url: str) -> Ruby:
    """Ruby on an empty Redis."""
    return Ruby(ruby_helper, redis_url)


@pytest.fixture
def both(ruby: Ruby, empty_redis: RedisProcess, tmp_path: Path) -> Iterator[TwoFleets]:
    """Ruby and Pillion on an empty Redis, no worker yet."""
    fleets = TwoFleets(empty_redis, tmp_path, ruby)
    yield fleets
    fleets.close()


@pytest.fixture(scope="session")
def fleet(ruby_helper: RubyHelper, redis_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoFleets]:
    """A worker of each language, for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="pl-", dir="/tmp"))
    server = RedisProcess(redis_binary, folder)
    fleets = TwoFleets(server, tmp_path_factory.mktemp("fleet"), Ruby(ruby_helper, server.url))
    try:
        fleets.workers |= {"ruby": fleets.start_ruby("ruby", scheduler=False)}
        fleets.workers |= {"pillion": fleets.start_pillion("python")}
        for run in fleets.workers.values():
            fleets.identity(run)
        yield fleets
    finally:
        fleets.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
