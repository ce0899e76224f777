"""Reads of the JSON API, and the two files in Sidekiq's shape: parameters to a view model to JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from pillion.web.ask import Ask, Load
from pillion.web.desk import Desk
from pillion.web.handlers.loaders import status_of
from pillion.web.handlers.pages import ask_of
from pillion.web.json_api import openapi
from pillion.web.json_api.encode import JSON_TYPE, to_json
from pillion.web.routes import Route
from pillion.web.security.auth import User
from pillion.web.visit import Visit


async def read(desk: Desk, visit: Visit, user: User, route: Route, names: Mapping[str, str], load: Load) -> Response:
    """Read and write as JSON, in one of the dashboard's threads."""
    ask = ask_of(desk, user, route, names, visit.query, strict=True)
    return await desk.threads.run(_read, ask, load)


def _read(ask: Ask, load: Load) -> Response:
    model = load(ask)
    return Response(to_json(model), status_of(model), media_type=JSON_TYPE)


def describe(desk: Desk, visit: Visit, loads: Mapping[str, Callable[..., Any]]) -> Response:
    """The OpenAPI document of what answers here."""
    told = openapi.document(desk.router.by_name.values(), loads, root=visit.root, title=desk.options.title)
    return Response(to_json(told), media_type=JSON_TYPE)
