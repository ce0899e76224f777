"""Web requests give their jobs a context: ASGI and WSGI (F129)."""

from __future__ import annotations

import asyncio

import pytest

from pillion.ambient import current_context
from pillion.contrib.context import ContextMiddleware, WsgiContext
from pillion.middleware import CurrentAttributes


class Asgi:
    def __init__(self, **options):
        self.seen = []
        self.app = ContextMiddleware(self.serve, **options)

    async def serve(self, scope, receive, send):
        await asyncio.sleep(0)
        self.seen.append(current_context())
        if scope.get("fails"):
            raise ValueError

    def request(self, kind="http", headers=(), **more):
        asyncio.run(self.app({"type": kind, "headers": list(headers), **more}, None, None))


def test_asgi_a_request_has_its_facts_and_the_id_of_its_header():
    web = Asgi(facts=lambda scope: {"user": scope["user"], "project": None})
    web.request(headers=[(b"X-Request-ID", b"r-1")], user="ann")
    web.request("websocket", headers=[(b"x-request-id", b"r-2")], user="bob")
    assert web.seen == [{"request_id": "r-1", "user": "ann"}, {"request_id": "r-2", "user": "bob"}]
    assert current_context() == {}


@pytest.mark.parametrize("header", [b"", b"a b", b"x" * 129, b"\xff", b"a\nINFO: forged"])
def test_asgi_without_a_plain_id_it_gets_a_new_one(header):
    web = Asgi()
    web.request(headers=[(b"x-request-id", header)])
    web.request()
    ids = [facts["request_id"] for facts in web.seen]
    assert {len(each) for each in ids} == {24}
    assert len(set(ids)) == 2


def test_asgi_what_is_no_request_has_none():
    web = Asgi()
    web.request("lifespan")
    assert web.seen == [{}]


def test_asgi_an_error_comes_out_and_the_context_ends():
    web = Asgi()
    with pytest.raises(ValueError):
        web.request(fails=True)
    assert current_context() == {}


class Current(CurrentAttributes):
    user_id: int | None = None


def test_wsgi_every_part_of_the_answer_is_made_in_the_context_of_the_request():
    seen = []

    def app(environ, start_response):
        Current.user_id = 7
        start_response("200 OK", [])
        try:
            for part in (b"one", b"two"):
                seen.append((current_context(), Current.user_id))
                yield part
        finally:
            seen.append(("closed", current_context()))

    started = []
    answer = WsgiContext(app, facts=lambda environ: {"user": environ["REMOTE_USER"]})(
        {"HTTP_X_REQUEST_ID": "r-1", "REMOTE_USER": "ann"}, lambda *each: started.append(each)
    )
    facts = {"request_id": "r-1", "user": "ann"}
    assert next(iter(answer)) == b"one"
    assert (current_context(), Current.user_id) == ({}, None)
    answer.close()
    assert seen == [(facts, 7), ("closed", facts)]
    assert started == [("200 OK", [])]


def test_wsgi_a_plain_list_has_no_close_and_needs_none():
    app = WsgiContext(lambda environ, start_response: [b"done"])
    answer = app({}, None)
    assert list(answer) == [b"done"]
    answer.close()


def test_wsgi_an_error_comes_out():
    def app(environ, start_response):
        raise ValueError

    with pytest.raises(ValueError):
        WsgiContext(app)({}, None)
    assert current_context() == {}
