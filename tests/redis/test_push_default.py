"""Pushing through the process-wide default: scripts, threads, forks, user commands (F022, F023, F247)."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pillion import default, job
from pillion.config import Config, RedisConfig
from pillion.errors import RedisUnavailable


@pytest.fixture
def use(redis_url):
    """Settings for the process-wide default, gone after the test."""

    def use(**settings):
        default.install(Config(redis=RedisConfig(url=redis_url, **settings)))

    yield use
    default.reset()


@job(queue="push-default", wire_name="tests.touch")
def touch(n: int) -> None: ...


def test_a_script_without_any_framework_pushes(redis_url, raw, tmp_path):
    script = tmp_path / "shop.py"
    script.write_text(
        textwrap.dedent(
            """
            from pillion import Job

            class CompleteOrder(Job, queue="high", retry=5):
                def perform(self, order_id: int) -> None:
                    print("completed", order_id)

            if __name__ == "__main__":
                print(CompleteOrder.perform_async(42))
            """
        )
    )
    environ = {**os.environ, "REDIS_URL": redis_url}
    done = subprocess.run(
        [sys.executable, str(script)], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    payload = json.loads(raw.rpop("queue:high"))
    assert (payload["class"], payload["args"], payload["retry"]) == ("shop.CompleteOrder", [42], 5)
    assert done.stdout.strip() == payload["jid"]


def test_fifty_threads_share_a_pool_of_five_connections(use, raw):
    use(pool_size=5)
    before = len(raw.client_list())
    start = Barrier(50)

    def push(n):
        start.wait()
        for _ in range(20):
            touch.perform_async(n)

    with ThreadPoolExecutor(50) as threads:
        pushes = [threads.submit(push, n) for n in range(50)]
        most = 0
        while not all(one.done() for one in pushes):
            most = max(most, len(raw.client_list()) - before)
    assert [one.result() for one in pushes] == [None] * 50
    assert raw.llen("queue:push-default") == 1000
    assert max(most, len(raw.client_list()) - before) <= 5


def test_an_exhausted_pool_is_a_clear_error(use):
    use(pool_size=1, pool_timeout_s=0.05)
    storage = default.client().storage
    with storage.connection() as connection:
        connection.ping()
        with pytest.raises(RedisUnavailable):
            touch.perform_async(1)
    assert touch.perform_async(1)


def test_redis_lends_a_connection_for_own_commands(use, raw):
    use()
    with default.redis() as connection:
        connection.set("visits", 1)
        assert connection.incr("visits") == 2
    assert raw.get("visits") == b"2"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python 3.12 warns of threads
def test_a_forked_child_pushes_on_connections_of_its_own(use, raw):
    use()
    touch.perform_async(0)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for n in range(1, 51):
                touch.perform_async(n)
            code = 0
        finally:
            os._exit(code)
    for n in range(51, 101):
        touch.perform_async(n)
    assert os.waitpid(child, 0)[1] == 0
    pushed = {json.loads(one)["args"][0] for one in raw.lrange("queue:push-default", 0, -1)}
    assert pushed == set(range(101))


def test_pushing_from_several_event_loops_one_after_the_other(use, raw):
    use()
    for n in range(3):
        assert asyncio.run(touch.perform_async.aio(n))
    assert raw.llen("queue:push-default") == 3


def test_pushing_concurrently_from_one_event_loop(use, raw):
    use(pool_size=5)

    async def main():
        return await asyncio.gather(*(touch.perform_async.aio(n) for n in range(200)))

    jids = asyncio.run(main())
    assert len(set(jids)) == 200
    assert raw.llen("queue:push-default") == 200
