"""The dashboard of tests: the real application on a real Redis, asked as a stranger, viewer, operator or admin.

dash      builds a dashboard: `dash(read_only=True)`; its `client("viewer")` asks as somebody with that role
filled    the same Redis with something on every page
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from web_client import client_of
from web_scene import HOST, TOKENS, fill

from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.web import BearerTokens, User, app
from pillion.web.asgi_app import Dashboard


class Dash:
    """One dashboard. `client` asks as a role ("" is a stranger), and follows no redirects."""

    def __init__(self, application: Dashboard) -> None:
        self.app = application

    def client(self, role: str = "admin", *, root: str = "", **headers: str) -> httpx.Client:
        own = {"authorization": f"Bearer {TOKENS[role]}"} if role else {}
        return client_of(self.app, f"http://{HOST}", headers=own | headers, root_path=root)


@pytest.fixture
def fleet(redis_url: str) -> Iterator[Fleet]:
    """The data API on an empty Redis."""
    opened = Fleet(Config(redis=redis_url))
    yield opened
    opened.close()


@pytest.fixture
def dash(redis_url: str) -> Iterator[Callable[..., Dash]]:
    """Build a dashboard on the empty Redis; by default its users come with bearer tokens."""
    built: list[Dashboard] = []

    def build(**options: Any) -> Dash:
        users = BearerTokens({token: User(f"ana the {role}", role) for role, token in TOKENS.items()})
        built.append(app(**{"auth": users, "config": Config(redis=redis_url)} | options))
        return Dash(built[-1])

    yield build
    for one in built:
        one.close()


@pytest.fixture
def filled(raw: Any) -> Any:
    """A Redis with jobs everywhere; returns the client."""
    fill(raw)
    return raw
