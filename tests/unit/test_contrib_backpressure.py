"""The ASGI middleware that answers 503 while a queue is full (F026)."""

import asyncio

import pytest

from pillion.contrib.backpressure import BackPressureMiddleware
from pillion.errors import ConfigError, RedisUnavailable


class World:
    """An application behind the middleware, with a pressure and a clock that the test sets."""

    def __init__(self, **options):
        self.pressures = {"default": 0.0}
        self.now = 0.0
        self.asked = 0
        self.app = BackPressureMiddleware(self._app, pressure=self._ask, clock=lambda: self.now, **options)

    async def _app(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _ask(self, queue):
        self.asked += 1
        await asyncio.sleep(0)
        answer = self.pressures[queue]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def request(self, kind="http", path="/"):
        sent = []

        async def send(message):
            sent.append(message)

        await self.app({"type": kind, "path": path}, None, send)
        return sent

    def get(self, **keys):
        return asyncio.run(self.request(**keys))[0]["status"]


def test_a_request_goes_through_while_there_is_room():
    assert World().get() == 200


def test_a_request_is_refused_while_a_queue_is_full():
    world = World(retry_after_s=7)
    world.pressures["default"] = 1.0
    start, body = asyncio.run(world.request())
    assert start["status"] == 503
    headers = dict(start["headers"])
    assert headers[b"retry-after"] == b"7"
    assert headers[b"content-length"] == str(len(body["body"])).encode()


def test_any_of_the_queues_counts():
    world = World(queues=["default", "low"], threshold=0.8)
    world.pressures["low"] = 0.8
    assert world.get() == 503


def test_below_the_threshold_is_not_full():
    world = World(threshold=0.8)
    world.pressures["default"] = 0.79
    assert world.get() == 200


def test_an_answer_is_kept_for_a_second():
    world = World()
    world.get()
    world.pressures["default"], world.now = 1.0, 0.99
    assert (world.get(), world.asked) == (200, 1)
    world.now = 1.0
    assert (world.get(), world.asked) == (503, 2)


def test_requests_at_the_same_time_ask_once():
    world = World()

    async def crowd():
        await asyncio.gather(*(world.request() for _ in range(20)))

    asyncio.run(crowd())
    assert world.asked == 1


def test_requests_go_through_when_redis_cannot_be_asked():
    world = World()
    world.pressures["default"] = RedisUnavailable("gone")
    assert world.get() == 200


def test_only_http_is_refused():
    world = World()
    world.pressures["default"] = 1.0
    assert (world.get(kind="websocket"), world.asked) == (200, 0)


def test_some_requests_can_be_let_through():
    world = World(applies=lambda scope: scope["path"] != "/health")
    world.pressures["default"] = 1.0
    assert (world.get(path="/health"), world.get()) == (200, 503)


@pytest.mark.parametrize("options", [{"queues": "default"}, {"threshold": 0}, {"threshold": 2}, {"retry_after_s": 0}])
def test_options_that_cannot_be_right_are_refused(options):
    with pytest.raises(ConfigError):
        World(**options)
