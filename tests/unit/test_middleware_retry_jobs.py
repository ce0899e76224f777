"""`add(RetryJobs, max_retries=3)` is another way to write `max_retries = 3` (F088)."""

import asyncio

import pytest
from own_home import OwnHome

from pillion.config import Config
from pillion.errors import ConfigError
from pillion.middleware import RetryJobs, ServerChain


def test_the_limit_of_the_middleware_is_that_of_the_config():
    config = Config()
    config.server_middleware.add(RetryJobs, max_retries=3)
    config.freeze()
    assert config.max_retries == 3


def test_jobs_of_a_worker_do_not_pass_through_it():
    config = Config()
    config.server_middleware.add(RetryJobs, max_retries=3)
    config.freeze()
    assert config.server_middleware.is_empty


def test_without_a_limit_nothing_changes():
    config = Config(max_retries=7)
    config.server_middleware.add(RetryJobs)
    config.freeze()
    assert config.max_retries == 7


def test_two_different_limits_are_refused():
    config = Config(max_retries=7)
    config.server_middleware.add(RetryJobs, max_retries=3)
    with pytest.raises(ConfigError, match="max_retries=7"):
        config.freeze()


@pytest.mark.parametrize("arguments", [{"max_retries": -1}, {"max_retries": "3"}, {"max_retires": 3}])
def test_a_limit_that_cannot_be_right_is_refused(arguments):
    config = Config()
    config.server_middleware.add(RetryJobs, **arguments)
    with pytest.raises(ConfigError, match="max_ret"):
        config.freeze()


def test_a_limit_for_one_capsule_is_refused():
    config = Config()
    chain = config.capsule("slow").server_middleware = ServerChain()
    config.capsule("slow").queues = []
    chain.add(RetryJobs, max_retries=3)
    with pytest.raises(ConfigError, match="all capsules"):
        config.freeze()


def test_a_job_run_here_and_now_passes_through():
    home = OwnHome()
    home.settings.server_middleware.add(RetryJobs, max_retries=3)
    ran = []

    @home.job
    async def note(number):
        ran.append(number)

    @home.job
    def note_too(number):
        ran.append(number)

    assert asyncio.run(note.perform_inline.aio(1))
    assert note_too.perform_inline(2)
    assert ran == [1, 2]
