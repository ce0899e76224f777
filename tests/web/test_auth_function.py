"""The function that says who may come in: what it may do wrong, and what that does to others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from web_client import client_of
from web_scene import HOST

from pillion.config import Config
from pillion.errors import ConfigError, RedisError
from pillion.web import User, Visitor, app, wsgi


def raises(visitor: Visitor) -> User | None:
    return {}["session"]  # type: ignore[no-any-return]


async def raises_later(visitor: Visitor) -> User | None:
    raise RuntimeError("no database")


def says_yes(visitor: Visitor) -> User | None:
    return True  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("auth", "told"),
    [(raises, "raises raised KeyError"), (raises_later, "raised RuntimeError"), (says_yes, "a value of type bool")],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/queues"])
def test_one_that_fails_is_explained_in_the_log_and_to_nobody_else(
    dash: Any, filled: redis.Redis, caplog: pytest.LogCaptureFixture, auth: Any, told: str, path: str
) -> None:
    answer = dash(auth=auth).client("").get(path)
    assert answer.status_code == 500
    assert "log of this process" in answer.text
    assert "KeyError" not in answer.text
    assert told in caplog.text
    assert "Expected a function of one Visitor" in caplog.text
    assert 'User(name, "viewer", "operator" or "admin")' in caplog.text


def test_an_error_of_its_redis_is_not_told_as_ours(dash: Any, filled: redis.Redis) -> None:
    def away(visitor: Visitor) -> User | None:
        raise RedisError("sessions are away")

    answer = dash(auth=away).client("").get("/")
    assert answer.status_code == 500


@pytest.mark.parametrize("make", [app, wsgi])
def test_an_app_without_it_says_what_to_pass(make: Any) -> None:
    with pytest.raises(ConfigError, match=r"^auth: .*who may come in.*Visitor.*auth=None"):
        make()


@pytest.mark.parametrize("auth", [lambda: None, lambda visitor, request: None, lambda *, visitor: None])
def test_one_that_cannot_be_called_with_a_visitor_is_told_at_once(auth: Any) -> None:
    with pytest.raises(ConfigError, match="called with one Visitor"):
        app(auth=auth)


@pytest.mark.parametrize("auth", [lambda visitor: None, lambda visitor, more=1: None, lambda *args: None, dict])
def test_what_can_be_called_with_one_is_taken(auth: Any) -> None:
    app(auth=auth).close()


def test_a_slow_one_does_not_hold_up_who_is_in(filled: redis.Redis, redis_url: str) -> None:
    """Twenty strangers wait for an answer of the function; the page of someone who has theirs is drawn all the same."""
    may_go_on, all_there, slow = threading.Event(), threading.Event(), threading.Semaphore(0)
    came = threading.Semaphore(0)

    def auth(visitor: Visitor) -> User | None:
        if "authorization" in visitor.headers:
            slow.release()
            may_go_on.wait(60)
            return None
        all_there.wait(60)
        return User("ana", "admin")

    board = app(auth=auth, config=Config(redis=redis_url))

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        came.release()
        await board(scope, receive, send)

    with client_of(counted, f"http://{HOST}") as client, ThreadPoolExecutor(21) as pool:
        page = pool.submit(client.get, "/queues")
        came.acquire(timeout=60)
        strangers = [pool.submit(client.get, "/", headers={"authorization": "x"}) for _ in range(20)]
        for _ in strangers:
            assert came.acquire(timeout=60)
        for _ in range(3):
            assert slow.acquire(timeout=60)
        all_there.set()
        try:
            assert page.result(30).status_code == 200
        finally:
            may_go_on.set()
        assert {each.result(60).status_code for each in strangers} == {401}
    board.close()
