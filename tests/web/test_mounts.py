"""The dashboard inside of FastAPI, Starlette, Flask and Django, under two prefixes and behind a proxy."""

import contextlib
import html
import re
import warnings

import anyio
import httpx
import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.urls import path
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount
from web_client import client_of, wsgi_client_of
from web_django import django_project
from web_scene import HOST, QUEUE, RETRY_JID
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pillion.config import Config
from pillion.web import User, app, wsgi
from pillion.web.django import urls

LINK = re.compile(r'(?:href|src|action|formaction)="([^"]*)"')
PREFIXES = ["/jobs", "/admin/background/jobs"]
PAGES = ["", "/", "/queues", "/queues/", "/retries?view=list", f"/queues/{QUEUE}", f"/jobs/{RETRY_JID}", "/nothing"]


def ana(visitor):
    return User("ana", "admin")


@contextlib.contextmanager
def in_starlette(prefix, options):
    yield client_of(Starlette(routes=[Mount(prefix, app(**options))]), f"http://{HOST}")


@contextlib.contextmanager
def in_fastapi(prefix, options):
    api = FastAPI()
    api.mount(prefix, app(**options))
    yield client_of(api, f"http://{HOST}")


@contextlib.contextmanager
def in_flask(prefix, options):
    flask = Flask("host")
    flask.wsgi_app = DispatcherMiddleware(flask.wsgi_app, {prefix: wsgi(**options)})
    with wsgi_client_of(flask, f"http://{HOST}") as client:
        yield client


@contextlib.contextmanager
def in_django(prefix, options):
    django_project([path(f"{prefix.strip('/')}/", urls(**options))])
    with wsgi_client_of(WSGIHandler(), f"http://{HOST}") as client:
        yield client


@contextlib.contextmanager
def in_django_asgi(prefix, options):
    django_project([path(f"{prefix.strip('/')}/", urls(**options))])
    yield client_of(ASGIHandler(), f"http://{HOST}")


HOSTS = [in_starlette, in_fastapi, in_flask, in_django, in_django_asgi]


@pytest.fixture(params=HOSTS, ids=lambda host: host.__name__)
def host(request):
    return request.param


@pytest.fixture(params=PREFIXES)
def prefix(request):
    return request.param


@pytest.fixture
def client(host, prefix, redis_url, filled):
    with host(prefix, {"auth": ana, "config": Config(redis=redis_url)}) as opened:
        yield opened


def links(text):
    return {html.unescape(link) for link in LINK.findall(text) if not link.startswith("#")}


def follow(client, url):
    answer = client.get(url)
    while answer.status_code in (301, 307, 308):  # a host that adds the slash of the mount
        answer = client.get(answer.headers["location"])
    return answer


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_stays_below_the_mount(page, client, prefix):
    answer = follow(client, prefix + page)
    assert answer.status_code == (404 if page == "/nothing" else 200)
    found = {link for link in links(answer.text) if not link.startswith(("http:", "https:", "mailto:"))}
    assert found
    assert {link for link in found if not (link + "/").startswith((prefix + "/", prefix + "?"))} == set()


def test_every_link_of_the_first_page_leads_somewhere(client, prefix):
    page = follow(client, prefix + "/").text
    for link in re.findall(r'(?:href|src)="([^"]*)"', page):
        url = html.unescape(link)
        if url.startswith(prefix):
            assert follow(client, url).status_code == 200, url


def test_an_action_leads_back_below_the_mount(client, prefix, filled):
    headers = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    answer = client.post(f"{prefix}/queues/{QUEUE}/pause", data={"back": "/queues"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{prefix}/queues")
    assert f"Path={prefix}" in answer.headers["set-cookie"]
    assert filled.smembers("paused") == {QUEUE.encode()}


def test_a_form_of_another_site_is_refused_there_too(client, prefix, filled):
    answer = client.post(f"{prefix}/queues/{QUEUE}/pause", headers={"origin": "http://evil.test"})
    assert answer.status_code == 403
    assert not filled.exists("paused")


def test_headers_and_cookies_come_through(client, prefix):
    answer = client.post(f"{prefix}/preferences", data={"theme": "dark"}, headers={"origin": f"http://{HOST}"})
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 3
    assert all(f"Path={prefix}" in cookie and "HttpOnly" in cookie for cookie in cookies)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_an_export_comes_through(client, prefix):
    answer = client.get(f"{prefix}/export/retries.ndjson")
    assert answer.status_code == 200
    assert RETRY_JID in answer.text


def test_names_beyond_ascii_come_through(client, prefix, filled):
    filled.sadd("queues", "für/../x y")
    page = follow(client, prefix + "/queues").text
    link = next(link for link in links(page) if "x%20y" in link and "/queues/" in link and not link.endswith("pause"))
    answer = client.get(link.partition("?")[0])
    assert answer.status_code == 200
    assert "für" in answer.text


@pytest.mark.parametrize("keeps", [True, False], ids=["the-proxy-keeps-its-prefix", "the-proxy-takes-it-away"])
def test_links_have_the_prefix_of_a_proxy_in_front(keeps, redis_url, filled):
    """As servers say it with --root-path, and a mount below that."""
    inner = Starlette(routes=[Mount("/jobs", app(auth=ana, config=Config(redis=redis_url)))])

    async def served(scope, receive, send):
        path = ("/proxy" if keeps else "") + scope["path"]
        await inner({**scope, "root_path": "/proxy", "path": path}, receive, send)

    async def ask():
        transport = httpx.ASGITransport(app=served)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.get("/jobs/queues")

    answer = anyio.run(ask)
    assert answer.status_code == 200
    found = {link for link in links(answer.text) if link.startswith("/")}
    assert found
    assert {link for link in found if not (link + "/").startswith("/proxy/jobs/")} == set()


def test_what_is_no_utf8_is_not_found(redis_url, filled):
    """WSGI hosts pass any byte on."""
    got = []
    application = wsgi(auth=ana, config=Config(redis=redis_url))
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/jobs",
        "PATH_INFO": "/\xff\xfe",
        "QUERY_STRING": "q=\xff",
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": HOST,
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
    }
    body = b"".join(application(environ, lambda status, headers, *_: got.append(status)))
    assert got == ["404 Not Found"]
    assert b"Traceback" not in body


def test_nothing_warns(redis_url, filled):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with in_django_asgi("/jobs", {"auth": ana, "config": Config(redis=redis_url)}) as client:
            assert client.get("/jobs/export/retries.csv").status_code == 200
